"""The route of the model list, with a cache of its responses."""

from fastapi import Request

from vision_api.catalog.catalog import Catalog
from vision_api.kit.cached_route import CachedRoute, CachePlace, bearer_of
from vision_api.kit.response_cache import key_of


class ModelListRoute(CachedRoute):
    """Route that answers repeated queries from a cache: parsing and authentication cost ten times as much as the list.

    A response is cached by its query, and given to users whose token was verified less than 30 s ago.
    """

    def find_place(self, request: Request) -> CachePlace:
        """Return the place of the query, read for verified tokens only."""
        catalog: Catalog = request.app.state.catalog
        may_read = catalog.verified_tokens.is_verified(bearer_of(request))
        return CachePlace(catalog.responses, key_of(request), may_read=may_read)
