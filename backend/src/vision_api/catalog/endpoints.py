"""Routes under `/models`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status

from vision_api.catalog import use_cases
from vision_api.catalog.dependencies import CatalogDep, SignedIn
from vision_api.catalog.schemas import ModelCardRead, ModelDetailRead, ModelFilter, ModelSort
from vision_api.errors import NotFound
from vision_api.kit.pagination import PageParams
from vision_contracts import TaskType

LARGEST_COUNT = 2**63 - 1

router = APIRouter(prefix="/models", tags=["models"], dependencies=[SignedIn])


async def _model_filter(
    framework: Annotated[str | None, Query(description="Such as `timm`.")] = None,
    task_type: Annotated[TaskType | None, Query(description="What it shall be trained for.")] = None,
    priority: Annotated[int | None, Query(ge=0, le=2, description="0 best known … 2.")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Words in the name, description or tags.")] = None,
    pretrained: Annotated[bool | None, Query(description="Whether there are pretrained weights.")] = None,
    min_params: Annotated[int | None, Query(ge=0, le=LARGEST_COUNT, description="Parameters, at least.")] = None,
    max_params: Annotated[int | None, Query(ge=0, le=LARGEST_COUNT, description="Parameters, at most.")] = None,
) -> ModelFilter:
    return ModelFilter(framework, task_type, priority, q, pretrained, min_params, max_params)


@router.get("/list", response_model=list[ModelCardRead], responses={304: {"description": "Nothing has changed."}})
async def list_models(
    request: Request,
    catalog: CatalogDep,
    wanted: Annotated[ModelFilter, Depends(_model_filter)],
    page: PageParams,
    sort: Annotated[ModelSort, Query(description="`-` for descending.")] = ModelSort.PRIORITY,
) -> Response:
    """The models of every framework that meet all conditions.

    Frameworks whose service does not answer are named in `X-Unavailable-Frameworks`; their last known models are
    listed all the same.
    """
    found = use_cases.page_models(catalog, wanted=wanted, sort=sort, page=page)
    headers = {"ETag": found.etag, "X-Total-Count": str(found.total), "Cache-Control": "private, no-cache"}
    if unavailable := catalog.unavailable_frameworks:
        headers["X-Unavailable-Frameworks"] = ", ".join(unavailable)
    if found.next_cursor is not None:
        headers["Link"] = f'<{request.url.include_query_params(cursor=found.next_cursor)}>; rel="next"'
    if _is_known(request.headers.get("if-none-match"), found.etag):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


def _is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether a client has this answer already (RFC 9110: weak comparison)."""
    if if_none_match is None:
        return False
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return etag in known or "*" in known


@router.get("/{framework}/{model_name:path}")
async def get_model(catalog: CatalogDep, framework: str, model_name: str) -> ModelDetailRead:
    """One model, with the JSON Schema of its hyper-parameters.

    `x-named-fields` in the schema describes `epochs`, `batch_size`, `learning_rate` and `optimizer` for this model.
    """
    model = use_cases.find_model(catalog, framework, model_name)
    if model is None:
        raise NotFound(f"{framework} has no model {model_name!r}. GET /api/v1/models/list has all of them.")
    return model
