"""Where the weights of registered models are: one folder for each version, named by nothing that people choose."""

from uuid import UUID

from data_kit import ObjectStore

MODELS = "models"


def version_folder(store: ObjectStore, uid: UUID) -> str:
    """The URI of what belongs to one version alone. It ends with a slash, as the sweep knows folders."""
    return store.uri(f"{MODELS}/{uid}") + "/"


def folder_of(uri: str) -> str:
    """That of a version whose weights are at `uri`."""
    return uri.rpartition("/")[0] + "/"


def weights_key(uid: UUID) -> str:
    """The copy of the artifact."""
    return f"{MODELS}/{uid}/weights"
