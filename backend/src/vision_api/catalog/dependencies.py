"""What the catalogue's routes need from the application."""

from typing import Annotated

from fastapi import Depends, Request

from vision_api.auth.dependencies import AccessTokensDep, BearerToken, get_principal, require_changed_password
from vision_api.catalog.catalog import Catalog
from vision_api.db.session import DatabaseDep


async def get_catalog(request: Request) -> Catalog:
    """The catalogue of this application."""
    catalog: Catalog = request.app.state.catalog
    return catalog


CatalogDep = Annotated[Catalog, Depends(get_catalog)]


async def _signed_in(catalog: CatalogDep, database: DatabaseDep, tokens: AccessTokensDep, token: BearerToken) -> None:
    """Whoever was signed in up to 30 s ago may read: the catalogue holds nothing that belongs to anybody."""
    if token is not None and catalog.readers.is_confirmed(token):
        return
    require_changed_password((await get_principal(database, tokens, token)).user)
    if token is not None:
        catalog.readers.confirm(token)


SignedIn = Depends(_signed_in)
