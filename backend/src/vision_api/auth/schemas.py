"""Schemas of the routes of accounts."""

from typing import Annotated, Literal

from pydantic import AfterValidator, EmailStr, Field

from vision_api.auth.passwords import NewPassword, Password
from vision_api.kit.schemas import OneLine, ReadModel, RequestModel
from vision_api.models import UserRole
from vision_contracts import Time

Email = Annotated[EmailStr, AfterValidator(str.lower), Field(examples=["mina@example.com"])]
"""An e-mail in lower case: one account, however it is typed."""

FullName = Annotated[str, Field(max_length=200, examples=["Mina Kim"]), OneLine()]


class UserCreate(RequestModel):
    """A new account."""

    email: Email
    password: NewPassword
    full_name: FullName | None = None


class UserUpdate(RequestModel):
    """Changes to one's own account. A new password needs the current one, and ends every other sign-in."""

    full_name: FullName | None = None
    current_password: Password | None = None
    new_password: NewPassword | None = None


class UserRead(ReadModel):
    """An account."""

    id: int
    email: str
    full_name: str | None
    role: UserRole
    must_change_password: bool = Field(description="Until then every other route answers 403.")
    created_at: Time


class Credentials(RequestModel):
    """E-mail and password of a sign-in."""

    email: Annotated[str, AfterValidator(str.strip), AfterValidator(str.lower)] = Field(
        min_length=1, max_length=320, examples=["mina@example.com"]
    )
    password: Password


class RefreshRequest(RequestModel):
    """A refresh token, from a login or from the last refresh."""

    refresh_token: str = Field(min_length=1, max_length=200)


class TokensRead(ReadModel):
    """Tokens of a sign-in. The access token is sent as `Authorization: Bearer …`."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    expires_in: int = Field(description="Seconds that the access token is good for.")
    user: UserRead


class StreamTicketCreate(RequestModel):
    """The path to open, such as `/api/v1/training/jobs/7/events`."""

    path: str = Field(min_length=1, max_length=2000, examples=["/api/v1/training/jobs/7/events"])


class StreamTicketRead(ReadModel):
    """A ticket to send as `?ticket=`, the first time within 60 s."""

    ticket: str
    expires_at: Time
