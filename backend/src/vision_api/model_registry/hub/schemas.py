"""What the routes of pushes take and give."""

from typing import Annotated

from pydantic import Field, StringConstraints

from vision_api.kit.schemas import ReadModel, RequestModel
from vision_api.models import PushStatus
from vision_contracts import Time

RepositoryName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$", max_length=96),
    Field(description="Without the namespace, which is the server's.", examples=["defect-finder"]),
]


class PushCreate(RequestModel):
    """Where to. A registered model has one repository, which holds its versions."""

    repository: RepositoryName | None = Field(
        default=None, description="Needed until one of the model's versions was pushed; then it stays the same."
    )
    private: bool = Field(default=True, description="Of a repository that is not there yet.")


class PushRead(ReadModel):
    """A version on its way, or arrived."""

    id: int
    project_id: int
    name: str
    version: int
    repository: str = Field(examples=["my-team/defect-finder"])
    status: PushStatus
    commit_url: str | None = Field(description="Once it is `pushed`.")
    error_code: str | None = Field(description="Why it `failed`.", examples=["hub_refused"])
    error_message: str | None
    created_by_id: int
    created_at: Time
    updated_at: Time
