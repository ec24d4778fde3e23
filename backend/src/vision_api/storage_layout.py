"""Layout of object storage: the key of everything that the backend stores.

| prefix | content |
|---|---|
| `uploads/` | archives as they were uploaded, and the parts of resumable uploads |
| `datasets/<digest>/` | contents of data set versions: equal content is stored once |
| `jobs/<job_uid>/attempts/<n>/` | checkpoints and artifacts of an attempt |
| `models/<uid>/` | weights of a registered model's version; no part of the name comes from a user |
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
    """Return a new key for an archive as it was uploaded."""
    return f"{UPLOADS}/{uuid4()}.zip"


def parts_folder(store: ObjectStore, upload_id: UUID) -> str:
    """Return the URI of the folder of an archive that is uploaded in parts. It ends with a slash."""
    return store.uri(f"{UPLOADS}/{upload_id}") + "/"


def part_key(upload_id: UUID, offset: int, writer: int) -> str:
    """Return the key of a part that begins at `offset`.

    A writer that was taken over may leave a part that does not count. The later writer began at the same offset or
    before, and has the higher number: so of two parts that begin at the same offset the one of the later writer counts,
    and each that counts begins where the one before it ends.
    """
    return f"{UPLOADS}/{upload_id}/{offset:018d}-{writer:010d}"


def list_parts(store: ObjectStore, folder: str, length: int) -> list[ObjectInfo]:
    """List the parts of an upload of `length` bytes, in order. Raises ObjectNotFound if one is missing."""
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
    """Return the folder of one content."""
    return f"{CONTENTS}/{digest}"


def archive_key(digest: str) -> str:
    """Return the key of the files, an uncompressed zip archive: any of them can be read by its place."""
    return f"{content_key(digest)}/archive.zip"


def manifest_key(digest: str) -> str:
    """Return the key of the manifest, the lines that the digest is computed from."""
    return f"{content_key(digest)}/manifest.txt"


def sample_page_key(digest: str, split: str, page: int) -> str:
    """Return the key of a page of samples: their labels, and the places of their images in the archive."""
    return f"{content_key(digest)}/samples/{split}/{page}.json"


def content_keys(digest: str, images: Mapping[str, int]) -> list[str]:
    """List the keys of all that is stored of one content. `images` is the number of images of each split."""
    pages = [
        sample_page_key(digest, split, page)
        for split, count in images.items()
        for page in range(math.ceil(count / SAMPLES_PER_PAGE))
    ]
    return [archive_key(digest), manifest_key(digest), *pages]


def job_uri(storage_url: str, job_uid: UUID) -> str:
    """Return the prefix of one job."""
    return f"{storage_url.rstrip('/')}/{JOBS}/{job_uid}"


def attempt_uri(output_uri: str, attempt: int) -> str:
    """Return the prefix of one attempt: a trainer left over from an older attempt cannot overwrite what is in it."""
    return f"{output_uri}/attempts/{attempt}"


def model_version_folder(store: ObjectStore, uid: UUID) -> str:
    """Return the URI of the folder of one model version. It ends with a slash: so the sweep recognises folders."""
    return store.uri(f"{MODELS}/{uid}") + "/"


def folder_of(uri: str) -> str:
    """Return the folder of a model version whose weights are at `uri`."""
    return uri.rpartition("/")[0] + "/"


def model_weights_key(uid: UUID) -> str:
    """Return the key of a model version's copy of its artifact."""
    return f"{MODELS}/{uid}/weights"
