"""One ORM model a file. Importing this package makes every table known to `Base.metadata`."""

from vision_api.models.auth_session import AuthSession
from vision_api.models.idempotency_record import IdempotencyRecord
from vision_api.models.project import Project
from vision_api.models.project_member import ProjectMember, ProjectRole
from vision_api.models.refresh_token import RefreshToken
from vision_api.models.stream_ticket import StreamTicket
from vision_api.models.user import User, UserRole

__all__ = [
    "AuthSession",
    "IdempotencyRecord",
    "Project",
    "ProjectMember",
    "ProjectRole",
    "RefreshToken",
    "StreamTicket",
    "User",
    "UserRole",
]
