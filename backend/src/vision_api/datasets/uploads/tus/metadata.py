"""The header `Upload-Metadata`: the data set or the version that an upload is for."""

import base64
import binascii
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from vision_api.datasets.schemas import DatasetCreate, VersionCreate
from vision_api.errors import Invalid
from vision_api.kit.schemas import ResourceId

FIELD = "Upload-Metadata"
MAX_CHARACTERS = 8 * 1024
FILE_FIELDS = ("filename", "filetype", "type", "relativePath")
"""Fields that upload widgets add by themselves."""

_dataset_id: TypeAdapter[int] = TypeAdapter(ResourceId)


@dataclass(frozen=True)
class UploadTarget:
    """Target of an upload: a new data set, or a new version of `dataset_id`."""

    request: DatasetCreate | VersionCreate
    dataset_id: int | None = None


def read_upload_target(header: str) -> UploadTarget:
    """Read the target from the header. A data set without a `name` has its file's. Raises Invalid with field names."""
    fields = _decode(header)
    file_name = fields.get("filename")
    fields = {name: value for name, value in fields.items() if name not in FILE_FIELDS}
    try:
        if "dataset_id" in fields:
            dataset_id = _dataset_id.validate_python(fields.pop("dataset_id"))
            return UploadTarget(VersionCreate.model_validate(fields), dataset_id)
        if file_name:
            fields.setdefault("name", file_name[:200])
        return UploadTarget(DatasetCreate.model_validate(fields))
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("header", FIELD, *each["loc"])} for each in error.errors()]
        ) from error


def _decode(header: str) -> dict[str, str]:
    """Decode `name aGVsbG8=,is_new` to `{"name": "hello", "is_new": ""}`. Raises Invalid."""
    if len(header) > MAX_CHARACTERS:
        raise Invalid(f"{FIELD} is too long.", field=FIELD)
    fields: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else ():
        name, _, value = pair.strip().partition(" ")
        if not name or name in fields:
            raise Invalid(f"{FIELD} has a name twice, or an empty one.", field=FIELD)
        try:
            fields[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise Invalid(f"`{name}` in {FIELD} is not UTF-8 text in base64.", field=f"{FIELD}.{name}") from error
    return fields
