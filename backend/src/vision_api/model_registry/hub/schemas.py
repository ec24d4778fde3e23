"""Requests and responses of pushes."""

from typing import Annotated

from pydantic import Field, StringConstraints

from vision_api.kit.schemas import ReadModel, RequestModel
from vision_api.models import PushStatus
from vision_contracts import Time

RepositoryName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$", max_length=96),
    Field(description="Name without the namespace, which is the server's.", examples=["defect-finder"]),
]


class PushCreate(RequestModel):
    """The destination of a push. A registered model has one repository, which holds its versions."""

    repository: RepositoryName | None = Field(
        default=None, description="Required until a version of the model was pushed; then it stays the same."
    )
    private: bool = Field(default=True, description="Visibility of a repository that does not exist yet.")


class PushRead(ReadModel):
    """A push of a version."""

    id: int
    project_id: int
    name: str
    version: int
    repository: str = Field(examples=["my-team/defect-finder"])
    status: PushStatus
    commit_url: str | None = Field(description="URL of the commit, once it is `pushed`.")
    error_code: str | None = Field(description="Reason why it `failed`.", examples=["hub_refused"])
    error_message: str | None
    created_by_id: int
    created_at: Time
    updated_at: Time
