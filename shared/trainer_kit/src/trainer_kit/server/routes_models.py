"""Routes of the catalogue of models."""

import re

from fastapi import APIRouter, HTTPException, Request, Response

from trainer_kit.server.service import CurrentService
from vision_contracts import ModelDetail

router = APIRouter(prefix="/models")

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
"""A tag in quotation marks, which may hold commas; the mark of weak ones is left out."""


@router.get("/list")
async def list_models(request: Request, service: CurrentService) -> Response:
    """Return the whole catalogue; 304 if the client has it already."""
    catalog = service.catalog
    headers = {"ETag": catalog.etag}
    if _matches(",".join(request.headers.getlist("If-None-Match")), catalog.etag):
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
    """Compare weakly, as RFC 9110 says (13.1.2): a tag in a list, weak or strong, or `*`."""
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
