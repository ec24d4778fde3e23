"""Dependencies of the catalogue's routes."""

from fastapi import Depends, Request

from vision_api.auth.dependencies import BearerToken, get_principal, require_changed_password
from vision_api.dependencies import AccessTokensDep, CatalogDep, DatabaseDep


async def _signed_in(
    request: Request, catalog: CatalogDep, database: DatabaseDep, tokens: AccessTokensDep, token: BearerToken
) -> None:
    """Check the sign-in, at most every 30 s for a token: the catalogue has no data of any user."""
    if token is not None and catalog.verified_tokens.is_verified(token):
        return
    require_changed_password((await get_principal(request, database, tokens, token)).user)
    if token is not None:
        catalog.verified_tokens.add(token)


SignedIn = Depends(_signed_in)
