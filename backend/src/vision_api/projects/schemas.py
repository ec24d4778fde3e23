"""Schemas of the routes of projects."""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from vision_api.auth.schemas import Email
from vision_api.kit.schemas import OneLine, ReadModel, RequestModel
from vision_api.models import ProjectRole
from vision_contracts import TaskType, Time

ProjectName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    OneLine(),
    Field(examples=["Surface defects"]),
]
Description = Annotated[str, Field(max_length=10_000, examples=["Scratches and dents on painted parts"])]


class ProjectCreate(RequestModel):
    """A new project. Only its name is needed."""

    name: ProjectName
    description: Description | None = None
    task_type: TaskType | None = None


class ProjectUpdate(RequestModel):
    """Changes of a project; fields that are left out stay as they are."""

    name: ProjectName | None = None
    description: Description | None = None
    task_type: TaskType | None = None

    @field_validator("name")
    @classmethod
    def _needs_a_name(cls, name: str | None) -> str | None:
        if name is None:
            raise ValueError("A project needs a name: leave the field out to keep it.")
        return name


class ProjectRead(ReadModel):
    """A project, as the user who asks sees it."""

    id: int
    name: str
    description: str | None
    task_type: TaskType | None
    created_at: Time
    updated_at: Time
    experiment_count: int
    user_role: ProjectRole = Field(description="An administrator who is no member counts as an owner.")


class MemberCreate(RequestModel):
    """A new member, who needs an account."""

    email: Email
    role: ProjectRole = ProjectRole.EDITOR


class MemberUpdate(RequestModel):
    """Another role."""

    role: ProjectRole


class MemberRead(ReadModel):
    """A member of a project."""

    user_id: int
    email: str
    full_name: str | None
    role: ProjectRole
    created_at: Time
