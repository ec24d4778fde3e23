"""Lists in pages: `limit` and an opaque keyset `cursor`, so that no page gets slower than the first."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from vision_api.errors import Invalid

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200
COUNTED_AT_MOST = 10_000

_cursor_values: TypeAdapter[list[Any]] = TypeAdapter(list[Any])

Rows = Select[*tuple[Any, ...]]
"""A statement of any columns."""

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class PageRequest:
    """Limit and cursor of the requested page."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


async def _page_request(
    limit: Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="How many at most.")] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=1000, description='From the `Link: <…>; rel="next"` of the page before.')
    ] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)


PageParams = Annotated[PageRequest, Depends(_page_request)]


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list. `total` counts all of it, up to `COUNTED_AT_MOST`."""

    items: Sequence[T]
    total: int
    is_capped: bool = False
    next_cursor: str | None = None

    def map(self, function: Callable[[T], S]) -> "Page[S]":
        """Return the page with `function` applied to its items."""
        return Page([function(item) for item in self.items], self.total, self.is_capped, self.next_cursor)


def encode_cursor(values: Sequence[Any]) -> str:
    """Return the cursor of the last item of a page, as text that fits into a URL."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, types: Sequence[type]) -> list[Any]:
    """Return the values of a cursor. Raises Invalid for a text that `encode_cursor` did not make."""
    try:
        values = _cursor_values.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [_restore(value, kind) for value, kind in zip(values, types, strict=True)]
    except (ValueError, TypeError) as error:
        raise Invalid("This cursor is not one of ours: start again without it.", field="cursor") from error


def _restore(value: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if type(value) is not kind or (kind is int and abs(value) >= 2**63):
        raise ValueError
    return value


async def paginate(
    session: AsyncSession,
    statement: Rows,
    params: PageRequest,
    *,
    keys: Sequence[InstrumentedAttribute[Any]],
    descending: bool = True,
    beside: Callable[[Any], ColumnElement[Any]] | None = None,
) -> Page[Any]:
    """Return one page of `statement`, which has no order of its own, in one SQL statement together with the total.

    `keys` are columns of the statement's first entity, unique together. An item is what the statement selects: the
    entity itself if that is all, else the row. `beside` makes a column from the statement's only entity that is
    computed for the rows of the page alone: an item is then the row of both.
    """
    after = decode_cursor(params.cursor, [key.type.python_type for key in keys]) if params.cursor else None
    only_one = len(statement.column_descriptions) == 1 and beside is None
    page = _page_statement(statement, params, keys, after, descending)
    if beside is not None:
        page = _with_column(page, keys, descending, beside)
    rows = (await session.execute(page)).all()
    total = rows[0][-1] if rows else await _total(session, statement, after)
    shown = rows[: params.limit]
    next_cursor = None
    if len(rows) > params.limit:
        next_cursor = encode_cursor([getattr(shown[-1][0], key.key) for key in keys])
    items = [row[0] if only_one else row[:-1] for row in shown]
    return Page(items, min(total, COUNTED_AT_MOST), total > COUNTED_AT_MOST, next_cursor)


def _page_statement(
    statement: Rows,
    params: PageRequest,
    keys: Sequence[InstrumentedAttribute[Any]],
    after: Sequence[Any] | None,
    descending: bool,
) -> Rows:
    page = statement.add_columns(_count(statement).label("total")).limit(params.limit + 1)
    page = page.order_by(*_order(keys, descending))
    if after is None:
        return page
    position = tuple_(*keys)
    bound = tuple_(*(literal(value, key.type) for value, key in zip(after, keys, strict=True)))
    return page.where(position < bound if descending else position > bound)


def _order(keys: Iterable[InstrumentedAttribute[Any]], descending: bool) -> list[ColumnElement[Any]]:
    return [key.desc() if descending else key.asc() for key in keys]


def _with_column(
    page: Rows,
    keys: Sequence[InstrumentedAttribute[Any]],
    descending: bool,
    beside: Callable[[Any], ColumnElement[Any]],
) -> Rows:
    """Add a column around the page: a database may compute what it selects before it sorts and limits."""
    rows = page.subquery()
    entity: Any = aliased(page.column_descriptions[0]["entity"], rows)
    outer = select(entity, beside(entity), rows.c.total)
    return outer.order_by(*_order((getattr(entity, key.key) for key in keys), descending))


def _count(statement: Rows) -> ColumnElement[int]:
    """Return the number of rows, counted no further than needed."""
    rows = statement.with_only_columns(literal(1)).order_by(None).limit(COUNTED_AT_MOST + 1).subquery()
    return select(func.count()).select_from(rows).scalar_subquery()


async def _total(session: AsyncSession, statement: Rows, after: Sequence[Any] | None) -> int:
    """Return the total if the page has no row that carries it: the list is empty, or ends before the cursor."""
    return 0 if after is None else (await session.execute(select(_count(statement)))).scalar_one()


def set_page_headers(request: Request, response: Response, page: Page[Any]) -> None:
    """Set `X-Total-Count`, and the path of the next page in `Link`: never a host, which the client may have forged."""
    response.headers["X-Total-Count"] = str(page.total)
    if page.is_capped:
        response.headers["X-Total-Count-Capped"] = "true"
    if page.next_cursor is not None:
        query = request.url.include_query_params(cursor=page.next_cursor).query
        response.headers["Link"] = f'<{quote(request.scope["path"])}?{query}>; rel="next"'
