"""Responses of the routes of resumable uploads."""

from uuid import UUID

from pydantic import Field

from vision_api.kit.schemas import ReadModel
from vision_contracts import Time


class UploadRead(ReadModel):
    """Progress of an upload in bytes, and what it created."""

    id: UUID
    length: int
    offset: int = Field(description="Number of bytes that are stored: send the next ones from there.")
    expires_at: Time = Field(description="Without more bytes until then, the upload is deleted.")
    dataset_id: int | None = Field(description="Set once `offset` is `length`.")
    version: int | None
