"""Use cases of throttles. Counts are rows, so that all backends of a database share them and a restart forgets none.

An attempt is committed before what it asks for begins: guesses that are sent at once count too, and a backend that is
killed in between leaves one attempt too many until the window ends. A refused one does not count: it is rolled back.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.auth.throttles import repository
from vision_api.auth.throttles.limits import (
    ACCOUNT,
    ACCOUNT_IN_NETWORK,
    ADDRESS,
    KNOWN_FOR,
    MOST_NETWORKS,
    WINDOW,
    Limit,
)
from vision_api.errors import RateLimited
from vision_api.kit.networks import network_of, peer_of


async def count_sign_in(session: AsyncSession, *, email: str, address: str, now: datetime) -> None:
    """Count an attempt to sign in, before the password is compared. Raises RateLimited after too many.

    It takes the same for an e-mail without an account.
    """
    network = network_of(address)
    await count_request(session, limit=ACCOUNT_IN_NETWORK, client=(email, network), now=now)
    failures, account_until = await repository.count_up(session, key=ACCOUNT.key(email), now=now, window=WINDOW)
    at_address, address_until = await repository.count_up(
        session, key=ADDRESS.key(peer_of(address)), now=now, window=WINDOW
    )
    is_account_over = failures > ACCOUNT.most
    is_address_over = at_address > ADDRESS.most and failures > 1
    if not is_account_over and not is_address_over:
        return
    if not await repository.is_known_network(session, email=email, network=network, since=now - KNOWN_FOR):
        raise _refused(ACCOUNT, account_until, now) if is_account_over else _refused(ADDRESS, address_until, now)


async def forgive_sign_in(session: AsyncSession, *, user_id: int, email: str, address: str, now: datetime) -> None:
    """Take back what an account failed from this network, since its password was right; remember the network."""
    network = network_of(address)
    attempts = await repository.take_all_back(session, key=ACCOUNT_IN_NETWORK.key(email, network))
    await repository.take_back(session, key=ACCOUNT.key(email), attempts=attempts)
    await repository.take_back(session, key=ADDRESS.key(peer_of(address)))
    await repository.remember_network(
        session, user_id=user_id, network=network, now=now, forget_before=now - KNOWN_FOR, most=MOST_NETWORKS
    )


async def count_request(session: AsyncSession, *, limit: Limit, client: tuple[str, ...], now: datetime) -> None:
    """Count an attempt of a kind. Raises RateLimited after too many."""
    count, until = await repository.count_up(session, key=limit.key(*client), now=now, window=WINDOW)
    if count > limit.most:
        raise _refused(limit, until, now)


async def delete_expired_counts(session: AsyncSession, *, now: datetime) -> None:
    """Delete some counts whose window is over, at the end of a transaction."""
    await repository.delete_expired_counts(session, now=now)


def _refused(limit: Limit, until: datetime, now: datetime) -> RateLimited:
    seconds = int((until - now).total_seconds()) + 1
    return RateLimited(f"Too many {limit.attempts}. Try again in {seconds} s.", retry_after_seconds=seconds)
