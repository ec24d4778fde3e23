"""Where the files of data sets are in storage: by the digest of their content, so that the same one lies there once."""

import math
from collections.abc import Mapping
from uuid import uuid4

UPLOADS = "uploads"
CONTENTS = "datasets"
SAMPLES_PER_PAGE = 200


def new_upload_key() -> str:
    """For an archive as it was uploaded."""
    return f"{UPLOADS}/{uuid4()}.zip"


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
