"""The header `Idempotency-Key`: a client without a response may safely send its request again."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Conflict, Invalid, NotFound
from vision_api.kit.clock import utc_now
from vision_api.models.idempotency_record import IdempotencyRecord

KEPT = timedelta(hours=24)

Result = TypeVar("Result", bound=BaseModel)


@dataclass(frozen=True)
class Idempotency:
    """The key of one request, if it has one."""

    path: str
    key: str | None

    async def once(
        self,
        session: AsyncSession,
        *,
        user_id: int,
        body: BaseModel | Mapping[str, Any] | None,
        result_type: type[Result],
        create: Callable[[], Awaitable[Result]],
        find: Callable[[Result], Awaitable[object]],
    ) -> Result:
        """Return what `create` makes, or what it made the first time.

        The record is written in the same transaction as the row. A second request that comes while the first is
        still at work waits for it. `find` looks for what was made, and raises NotFound if it is deleted.
        Raises Invalid(idempotency_mismatch) if the key came with another body, Conflict if the row is deleted.
        """
        if self.key is None:
            return await create()
        body_hash = _hash(body)
        record = await self._claim(session, user_id, body_hash)
        if record is None:
            result = await create()
            await self._remember(session, user_id, result)
            return result
        if record.body_hash != body_hash:
            raise Invalid(
                "This Idempotency-Key came before with another body. Use a new key for a new request.",
                code="idempotency_mismatch",
            )
        if record.result is None:
            raise Conflict("The request with this Idempotency-Key is still at work.")
        result = result_type.model_validate_json(record.result)
        try:
            await find(result)
        except NotFound as error:
            raise Conflict(
                "What the request with this Idempotency-Key created is deleted. Use a new key to create it again."
            ) from error
        return result

    async def _claim(self, session: AsyncSession, user_id: int, body_hash: str) -> IdempotencyRecord | None:
        """Claim the key: None if it was free, else the record of the request that had it first."""
        expired = IdempotencyRecord.created_at < utc_now() - KEPT
        await session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.user_id == user_id, expired))
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        claim = dialect.insert(IdempotencyRecord).values(
            user_id=user_id, path=self.path, key=self.key, body_hash=body_hash, created_at=utc_now()
        )
        claimed = await session.execute(claim.on_conflict_do_nothing().returning(IdempotencyRecord.key))
        if claimed.first() is not None:
            return None
        return await session.get(IdempotencyRecord, (user_id, self.path, self.key))

    async def _remember(self, session: AsyncSession, user_id: int, result: BaseModel) -> None:
        record = await session.get_one(IdempotencyRecord, (user_id, self.path, self.key))
        record.result = result.model_dump_json()


def _hash(body: BaseModel | Mapping[str, Any] | None) -> str:
    plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else dict(body or {})
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _idempotency(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Any unique text. The same key within 24 h gives the same answer and creates nothing twice.",
        ),
    ] = None,
) -> Idempotency:
    return Idempotency(request.url.path, idempotency_key)


IdempotencyKey = Annotated[Idempotency, Depends(_idempotency)]
