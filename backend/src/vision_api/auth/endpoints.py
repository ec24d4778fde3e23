"""Routes of accounts: register, sign in, stay signed in, sign out."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from vision_api.auth import use_cases, workflows
from vision_api.auth.dependencies import BearerToken, CurrentPrincipal, CurrentUser, get_principal
from vision_api.auth.schemas import (
    Credentials,
    RefreshRequest,
    StreamTicketCreate,
    StreamTicketRead,
    TokensRead,
    UserCreate,
    UserRead,
    UserUpdate,
)
from vision_api.auth.throttles import use_cases as throttles
from vision_api.auth.throttles.limits import TICKETS
from vision_api.dependencies import (
    AccessTokensDep,
    ClockDep,
    DatabaseDep,
    RefreshLifetime,
    SettingsDep,
    WriteSession,
)
from vision_api.errors import Forbidden

router = APIRouter(prefix="/auth", tags=["auth"])

_LOGIN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Credentials.model_json_schema()},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {
                        "username": {"type": "string", "description": "The e-mail.", "example": "mina@example.com"},
                        "password": {"type": "string", "format": "password"},
                    },
                }
            },
        },
    }
}


async def _credentials(request: Request) -> Credentials:
    """Read the body of a login: JSON, or the OAuth2 password form, whose other fields are ignored."""
    if request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/")):
        form = await request.form()
        given: Any = {"email": form.get("username"), "password": form.get("password")}
        given = {name: value for name, value in given.items() if value is not None}
    else:
        given = await request.body()
    try:
        if isinstance(given, bytes):
            return Credentials.model_validate_json(given)
        return Credentials.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        ) from None


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@router.post("/register", status_code=201)
async def register(
    body: UserCreate,
    request: Request,
    settings: SettingsDep,
    database: DatabaseDep,
    tokens: AccessTokensDep,
    clock: ClockDep,
    encoded: BearerToken,
) -> UserRead:
    """Open an account. Where registration is closed, only an administrator can."""
    if settings.registration == "closed":
        is_admin = encoded is not None and (await get_principal(request, database, tokens, encoded)).user.is_admin
        if not is_admin:
            raise Forbidden("Registration is closed here. Ask an administrator for an account.")
    else:
        await workflows.count_registration(database, clock=clock, address=_address(request))
    return UserRead.model_validate(await workflows.register(database, request=body))


@router.post("/login", openapi_extra=_LOGIN_BODY)
async def login(
    request: Request,
    database: DatabaseDep,
    tokens: AccessTokensDep,
    clock: ClockDep,
    lifetime: RefreshLifetime,
    credentials: Annotated[Credentials, Depends(_credentials)],
) -> TokensRead:
    """Sign in with e-mail and password, as JSON or as the OAuth2 password form."""
    return await workflows.login(
        database,
        access_tokens=tokens,
        clock=clock,
        refresh_lifetime=lifetime,
        credentials=credentials,
        address=_address(request),
    )


@router.post("/refresh")
async def refresh(
    request: Request,
    body: RefreshRequest,
    database: DatabaseDep,
    tokens: AccessTokensDep,
    clock: ClockDep,
    lifetime: RefreshLifetime,
) -> TokensRead:
    """Exchange a refresh token for new tokens.

    The old one stays good for 30 s, for a second tab. Used later, it ends the whole sign-in.
    """
    return await workflows.refresh(
        database,
        access_tokens=tokens,
        clock=clock,
        refresh_lifetime=lifetime,
        refresh_token=body.refresh_token,
        address=_address(request),
    )


@router.post("/logout", status_code=204)
async def logout(body: RefreshRequest, session: WriteSession) -> None:
    """End this sign-in: its access tokens, refresh tokens and stream tickets are refused from now on."""
    await use_cases.logout(session, refresh_token=body.refresh_token)


@router.get("/me")
async def read_me(principal: CurrentPrincipal) -> UserRead:
    """Return the signed-in user."""
    return UserRead.model_validate(principal.user)


@router.patch("/me")
async def update_me(
    body: UserUpdate,
    request: Request,
    database: DatabaseDep,
    clock: ClockDep,
    principal: CurrentPrincipal,
) -> UserRead:
    """Change one's name or password. A new password ends every other sign-in."""
    user = await workflows.update_account(
        database,
        clock=clock,
        user=principal.user,
        session_id=principal.session_id,
        request=body,
        address=_address(request),
    )
    return UserRead.model_validate(user)


@router.post("/stream-ticket")
async def create_stream_ticket(
    body: StreamTicketCreate, principal: CurrentPrincipal, user: CurrentUser, clock: ClockDep, session: WriteSession
) -> StreamTicketRead:
    """Create a ticket that opens one path by `?ticket=`, for `EventSource` and `<img>`, which send no header.

    First use within 60 s, then as often as needed there for 12 h, until logout.
    """
    await throttles.count_request(session, limit=TICKETS, client=(str(user.id),), now=clock())
    ticket, expires_at = await use_cases.issue_ticket(session, session_id=principal.session_id, path=body.path)
    return StreamTicketRead(ticket=ticket, expires_at=expires_at)
