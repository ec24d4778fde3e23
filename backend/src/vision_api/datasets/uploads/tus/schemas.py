"""What the routes of resumable uploads give."""

from uuid import UUID

from pydantic import Field

from vision_api.kit.schemas import ReadModel
from vision_contracts import Time


class UploadRead(ReadModel):
    """How far an upload is, in bytes, and what came of it."""

    id: UUID
    length: int
    offset: int = Field(description="So many bytes are stored; go on from there.")
    expires_at: Time = Field(description="Unless more comes until then, it is given up.")
    dataset_id: int | None = Field(description="Once `offset` is `length`.")
    version: int | None
