"""The tar of a backup, written while the platform runs."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from data_kit import ObjectInfo, ObjectStore, open_store
from vision_api.backup.archive import Complete, write_objects


class Sweeping(ObjectStore):
    """A store in which an object is deleted after it was listed and before it is read."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for found in list(super().list(prefix)):
            if found.uri.endswith("replaced.pt"):
                self.delete(found.uri)
            yield found


def test_an_object_that_is_deleted_meanwhile_is_left_out(tmp_path: Path) -> None:
    plain = open_store(tmp_path.as_uri())
    content = bytes(range(256)) * 100_000  # several of the pieces that a store reads
    for name in ("best.pt", "replaced.pt", "report.json"):
        plain.put_bytes(content, f"jobs/{name}")
    store = Sweeping(plain.url, plain._backend)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w|") as tar:
        complete, written = write_objects(tar, store)
    assert complete == Complete(objects=2, total_bytes=2 * len(content))
    assert written == {store.uri("jobs/best.pt"), store.uri("jobs/report.json")}
    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        kept = {entry.name: tar.extractfile(entry) for entry in tar}
        assert {name: member.read() == content for name, member in kept.items() if member is not None} == {
            "objects/jobs/best.pt": True, "objects/jobs/report.json": True,
        }  # fmt: skip
