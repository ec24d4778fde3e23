"""Queries of the catalogue: list models, and find one. It is in memory: they need no session, and do not wait."""

from difflib import get_close_matches

from vision_api.catalog.catalog import Catalog
from vision_api.catalog.index import Entry, entries_after, position
from vision_api.catalog.schemas import ModelDetailRead, ModelFilter, ModelSort
from vision_api.errors import Invalid
from vision_api.kit.pagination import Page, PageRequest, decode_cursor, encode_cursor

LONGEST_NAME = 200


def page_models(catalog: Catalog, *, model_filter: ModelFilter, sort: ModelSort, page: PageRequest) -> Page[Entry]:
    """Return a page of the cards that meet every condition. Raises Invalid for a cursor that is not of this order."""
    found = catalog.index.find(model_filter, sort)
    rest = entries_after(found, sort, _decode(page.cursor, sort)) if page.cursor else found
    shown = rest[: page.limit]
    next_cursor = encode_cursor([sort, *position(shown[-1].card, sort)]) if len(rest) > page.limit else None
    return Page(shown, len(found), next_cursor=next_cursor)


def _decode(cursor: str, sort: ModelSort) -> tuple[int | str, ...]:
    is_by_name = sort.removeprefix("-") == ModelSort.NAME
    made_for, *last = decode_cursor(cursor, (str, str, str) if is_by_name else (str, int, str, str))
    if made_for != sort:
        raise Invalid(f"This cursor belongs to sort={made_for}: start again without it.", field="cursor")
    return tuple(last)


def find_model(catalog: Catalog, framework: str, model_name: str) -> ModelDetailRead | None:
    """Return the card with its schema, if there is one."""
    return catalog.index.detail(framework, model_name)


def get_model(catalog: Catalog, framework: str, model_name: str) -> ModelDetailRead:
    """Return the card that a job names. Raises Invalid `model_unknown`, with names that look alike."""
    model = find_model(catalog, framework, model_name)
    if model is not None:
        return model
    if framework not in catalog.index.frameworks:
        known = ", ".join(sorted(catalog.index.frameworks)) or "none yet: their services have not answered so far"
        raise Invalid(
            f"There is no catalogue of the framework {framework[:LONGEST_NAME]!r}. Known frameworks: {known}.",
            code="model_unknown",
            field="framework",
        )
    raise Invalid(_unknown_model(catalog, framework, model_name), code="model_unknown", field="model_name")


def _unknown_model(catalog: Catalog, framework: str, model_name: str) -> str:
    name = model_name[:LONGEST_NAME]
    alike = get_close_matches(name, catalog.index.model_names(framework), n=3)
    hint = f"Did you mean {' or '.join(alike)}?" if alike else "GET /api/v1/models/list has all of them."
    return f"{framework} has no model {name!r}. {hint}"
