"""Conversions of rows of projects and members to what the API returns."""

from vision_api.models import Project, ProjectMember, ProjectRole, User
from vision_api.projects.schemas import MemberRead, ProjectRead


def read_project(project: Project, user_role: str) -> ProjectRead:
    """Convert a project and the user's role in it."""
    columns = {name: getattr(project, name) for name in Project.__table__.columns.keys()}  # noqa: SIM118 - no dict
    return ProjectRead.model_validate(columns | {"user_role": user_role})


def read_member(member: ProjectMember, user: User) -> MemberRead:
    """Convert a membership and its user."""
    return MemberRead(
        user_id=user.id,
        email=user.email,
        full_name=user.full_name,
        role=ProjectRole(member.role),
        created_at=member.created_at,
    )
