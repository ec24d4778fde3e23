"""Routes of the catalogue of models."""

from fastapi import APIRouter, HTTPException, Request, Response

from trainer_kit.server.service import CurrentService
from vision_contracts import ModelDetail

router = APIRouter(prefix="/models")


@router.get("/list")
async def list_models(request: Request, service: CurrentService) -> Response:
    """Return the whole catalogue; 304 if the client has it already."""
    catalog = service.catalog
    headers = {"ETag": catalog.etag}
    if _matches(request.headers.get("If-None-Match", ""), catalog.etag):
        return Response(status_code=304, headers=headers)
    return Response(catalog.body, media_type="application/json", headers=headers)


@router.get("/{model_name:path}")
async def get_model(model_name: str, service: CurrentService) -> ModelDetail:
    """Return a card with the JSON Schema of its hyperparameters."""
    card = service.catalog.cards.get(model_name)
    if card is None:
        raise HTTPException(404, f"There is no model {model_name!r} in the catalogue.")
    return service.catalog.models.detail(card)


def _matches(if_none_match: str, etag: str) -> bool:
    given = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in given or "*" in given
