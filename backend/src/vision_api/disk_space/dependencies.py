"""Dependency of routes that take room."""

from fastapi import Depends, Request

from vision_api.auth.dependencies import CurrentUser
from vision_api.dependencies import PlatformDep
from vision_api.kit.body_limit import announced_bytes, check_while_receiving


async def _require_room(request: Request, _user: CurrentUser, platform: PlatformDep) -> None:
    """Refuse a request that is not to begin on a full disk, before its upload is read, and while it is."""
    platform.disks.require_room(announced_bytes(request))
    check_while_receiving(request, platform.disks.require_room)


RoomNeeded = Depends(_require_room)
"""Element of a route's `dependencies`: 507 `storage_full` below the reserve, after the token is checked."""
