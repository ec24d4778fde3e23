"""Routes under `/models`."""

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status

from vision_api.catalog import queries
from vision_api.catalog.dependencies import SignedIn
from vision_api.catalog.list_route import ModelListRoute
from vision_api.catalog.schemas import ModelCardRead, ModelDetailRead, ModelFilter, ModelSort
from vision_api.dependencies import CatalogDep
from vision_api.errors import NotFound
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_contracts import TaskType

LARGEST_COUNT = 2**63 - 1

router = APIRouter(prefix="/models", tags=["models"], dependencies=[SignedIn])


async def _model_filter(
    framework: Annotated[str | None, Query(description="Such as `timm`.", examples=["timm"])] = None,
    task_type: Annotated[TaskType | None, Query(description="Task to train it for.")] = None,
    priority: Annotated[int | None, Query(ge=0, le=2, description="0 best known … 2.")] = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Words in the name, description or tags.", examples=["resnet"])
    ] = None,
    pretrained: Annotated[bool | None, Query(description="Whether there are pretrained weights.")] = None,
    min_params: Annotated[int | None, Query(ge=0, le=LARGEST_COUNT, description="Parameters, at least.")] = None,
    max_params: Annotated[int | None, Query(ge=0, le=LARGEST_COUNT, description="Parameters, at most.")] = None,
) -> ModelFilter:
    return ModelFilter(framework, task_type, priority, q, pretrained, min_params, max_params)


async def list_models(
    request: Request,
    catalog: CatalogDep,
    model_filter: Annotated[ModelFilter, Depends(_model_filter)],
    page: PageParams,
    sort: Annotated[ModelSort, Query(description="`-` for descending.")] = ModelSort.PRIORITY,
) -> Response:
    """List the models of every framework that meet all conditions.

    Frameworks whose service does not answer are named in `X-Unavailable-Frameworks`; their last known models are
    listed all the same.
    """
    found = queries.page_models(catalog, model_filter=model_filter, sort=sort, page=page)
    body = b"[" + b",".join(entry.body for entry in found.items) + b"]"
    answer = Response(body, media_type="application/json")
    answer.headers["ETag"] = f'"{sha256(body).hexdigest()[:32]}"'
    answer.headers["Cache-Control"] = "private, no-cache"
    if unavailable := catalog.unavailable_frameworks:
        answer.headers["X-Unavailable-Frameworks"] = ", ".join(unavailable)
    set_page_headers(request, answer, found)
    return answer


router.add_api_route(
    "/list",
    list_models,
    response_model=list[ModelCardRead],
    responses={status.HTTP_304_NOT_MODIFIED: {"description": "Nothing has changed since `If-None-Match`."}},
    route_class_override=ModelListRoute,
)


@router.get("/{framework}/{model_name:path}")
async def get_model(catalog: CatalogDep, framework: str, model_name: str) -> ModelDetailRead:
    """Return one model, with the JSON Schema of its hyper-parameters.

    `x-named-fields` in the schema describes the settings beside them (`epochs`, `batch_size`, …) for this model;
    `x-presets` has values of both to start from: `quick`, `balanced` and `best`.
    """
    model = queries.find_model(catalog, framework, model_name)
    if model is None:
        raise NotFound(f"{framework} has no model {model_name!r}. GET /api/v1/models/list has all of them.")
    return model
