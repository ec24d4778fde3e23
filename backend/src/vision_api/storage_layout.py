"""Layout of object storage: the key of everything that the backend stores.

| prefix | content |
|---|---|
| `uploads/` | archives as they were uploaded, and the parts of resumable uploads |
| `datasets/<digest>/` | contents of data set versions: equal content is stored once |
| `jobs/<job_uid>/attempts/<n>/` | checkpoints and artifacts of an attempt |
| `models/<uid>/` | weights of a registered model's version, named by nothing that people choose |
"""

import math
from collections.abc import Mapping
from uuid import UUID, uuid4

from data_kit import ObjectInfo, ObjectNotFound, ObjectStore

UPLOADS = "uploads"
CONTENTS = "datasets"
JOBS = "jobs"
MODELS = "models"
SAMPLES_PER_PAGE = 200


def new_upload_key() -> str:
    """For an archive as it was uploaded."""
    return f"{UPLOADS}/{uuid4()}.zip"


def parts_folder(store: ObjectStore, upload_id: UUID) -> str:
    """The URI of an archive that came in parts. It ends with a slash."""
    return store.uri(f"{UPLOADS}/{upload_id}") + "/"


def part_key(upload_id: UUID, offset: int, writer: int) -> str:
    """A part that begins at `offset`.

    A writer that was overtaken may leave one that does not count. Whoever overtook it began at the same offset or
    before, and has the higher number: so of two parts that begin at the same offset the one of the later writer counts,
    and each that counts begins where the one before it ends.
    """
    return f"{UPLOADS}/{upload_id}/{offset:018d}-{writer:010d}"


def list_parts(store: ObjectStore, folder: str, length: int) -> list[ObjectInfo]:
    """The parts that make up an upload of `length` bytes, in order. Raises ObjectNotFound if one is missing."""
    found = sorted(store.list(store.key(folder.removesuffix("/"))), key=lambda part: part.uri)
    latest = {int(part.uri.rpartition("/")[2].partition("-")[0]): part for part in found}
    parts: list[ObjectInfo] = []
    offset = 0
    while offset < length and (part := latest.get(offset)) is not None:
        parts.append(part)
        offset += part.size_bytes
    if offset != length:
        raise ObjectNotFound(f"{folder} has {offset} of {length} bytes.")
    return parts


def content_key(digest: str) -> str:
    """The folder of one content."""
    return f"{CONTENTS}/{digest}"


def archive_key(digest: str) -> str:
    """The files themselves, as a zip archive that is not compressed: any of them can be read by its place."""
    return f"{content_key(digest)}/archive.zip"


def manifest_key(digest: str) -> str:
    """The lines that the digest is made of."""
    return f"{content_key(digest)}/manifest.txt"


def sample_page_key(digest: str, split: str, page: int) -> str:
    """Some samples with their labels, and where their images are in the archive."""
    return f"{content_key(digest)}/samples/{split}/{page}.json"


def content_keys(digest: str, images: Mapping[str, int]) -> list[str]:
    """Everything that is stored of one content. `images` is the number of images of each split."""
    pages = [
        sample_page_key(digest, split, page)
        for split, count in images.items()
        for page in range(math.ceil(count / SAMPLES_PER_PAGE))
    ]
    return [archive_key(digest), manifest_key(digest), *pages]


def job_uri(storage_url: str, job_uid: UUID) -> str:
    """The prefix that belongs to one job alone."""
    return f"{storage_url.rstrip('/')}/{JOBS}/{job_uid}"


def attempt_uri(output_uri: str, attempt: int) -> str:
    """The prefix that belongs to one attempt alone: a ghost of an older one cannot overwrite what is in it."""
    return f"{output_uri}/attempts/{attempt}"


def model_version_folder(store: ObjectStore, uid: UUID) -> str:
    """The URI of what belongs to one model version alone. It ends with a slash, as the sweep knows folders."""
    return store.uri(f"{MODELS}/{uid}") + "/"


def folder_of(uri: str) -> str:
    """The folder of a model version whose weights are at `uri`."""
    return uri.rpartition("/")[0] + "/"


def model_weights_key(uid: UUID) -> str:
    """The copy of the artifact that a model version owns."""
    return f"{MODELS}/{uid}/weights"
