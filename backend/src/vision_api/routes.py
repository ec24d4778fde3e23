"""The router with all routes. FastAPI analyses them at the first request, once for every application of a process."""

from fastapi import APIRouter, Depends

from vision_api.api_description import RESPONSES
from vision_api.auth.endpoints import router as auth_router
from vision_api.catalog.endpoints import router as catalog_router
from vision_api.comparison.endpoints import router as comparison_router
from vision_api.datasets.endpoints import router as datasets_router
from vision_api.datasets.uploads.tus.endpoints import router as tus_router
from vision_api.health.endpoints import router as health_router
from vision_api.kit.methods import refuse_other_methods
from vision_api.kit.query_guard import refuse_unknown_query
from vision_api.model_registry.endpoints import router as model_registry_router
from vision_api.model_registry.hub.endpoints import router as pushes_router
from vision_api.operations.endpoints import router as operations_router
from vision_api.projects.endpoints import router as projects_router
from vision_api.training_jobs.endpoints import router as training_jobs_router
from vision_api.training_jobs.results.endpoints import router as results_router
from vision_api.usage.endpoints import router as usage_router

PREFIX = "/api/v1"

router = APIRouter(
    dependencies=[Depends(refuse_other_methods), Depends(refuse_unknown_query)],
    responses=RESPONSES,
    generate_unique_id_function=lambda route: route.name,
)
# Routes are tried one after the other: the two lists that do next to nothing themselves are the first.
for each in (
    catalog_router, projects_router, auth_router, datasets_router, comparison_router, training_jobs_router,
    results_router, operations_router, model_registry_router, pushes_router, usage_router, tus_router,
):  # fmt: skip
    router.include_router(each, prefix=PREFIX)
router.include_router(health_router)
