"""The route of the project list, with a cache of its responses for as long as the database is unchanged."""

from fastapi import Request

from vision_api.auth.tokens import AccessTokens
from vision_api.db.session import Database
from vision_api.kit.cached_route import CachedRoute, CachePlace, bearer_of
from vision_api.kit.response_cache import key_of


class ProjectListRoute(CachedRoute):
    """Route that answers from a cache: two statements over threads take twenty times as long as the rest of a request.

    A response is cached by the data version of the database before it was read, and used for the same token while the
    version is the same: without a commit, reading again would find the same sign-in, the same memberships and the same
    projects. It expires with the token.
    """

    def find_place(self, request: Request) -> CachePlace | None:
        """Return the place of the token and the query at the database's present version."""
        database: Database = request.app.state.database
        version, token = database.version(), bearer_of(request)
        if version is None or not token:
            return None
        return CachePlace(request.app.state.project_lists, (version, token, *key_of(request)))

    def expires_at(self, request: Request) -> float:
        """Return the time at which the request's token expires."""
        tokens: AccessTokens = request.app.state.access_tokens
        return tokens.expires_at(bearer_of(request))
