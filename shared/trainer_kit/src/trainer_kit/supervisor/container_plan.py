"""The plan of attempts' containers: the service's own image and its own named volumes."""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from trainer_kit.runner.inputs import local_path
from trainer_kit.settings import ServiceSettings

log = logging.getLogger(__name__)


class ContainersImpossible(Exception):
    """TRAINER_LAUNCHER=container cannot work here. The message says what to change."""


@dataclass(frozen=True)
class Volume:
    """A named volume at a path."""

    volume: str
    path: str
    is_read_only: bool = False


@dataclass(frozen=True)
class ContainerPlan:
    """Image, volumes, network and limits."""

    image: str
    volumes: tuple[Volume, ...]
    network: str
    owner: str
    """The volume of the data directory: distinguishes this service's containers from those of its replicas."""
    cpus: float = 0.0
    memory_bytes: int = 0
    shm_bytes: int = 1024**3
    processes: int = 4096


def make_plan(settings: ServiceSettings, environ: Mapping[str, str] = os.environ) -> ContainerPlan:
    """Make the plan. Raises ContainersImpossible."""
    if any(name.startswith("RAILWAY_") for name in environ):
        raise ContainersImpossible("Railway has no container engine for its services. Unset TRAINER_LAUNCHER.")
    log.warning(
        "TRAINER_LAUNCHER=container: this service has the engine's socket, which is root on the host. Control of "
        "the service is control of the host; keep it off networks that you do not trust."
    )
    own = _own_container(settings)
    volumes = settings.trainer_volumes or _named_volumes(own.get("Mounts", []))
    parsed = tuple(_parse(volume) for volume in volumes)
    for folder in (settings.data_dir, *settings.dataset_roots, local_path(settings.storage_url)):
        if folder is not None and not any(folder.is_relative_to(one.path) for one in parsed):
            raise ContainersImpossible(
                f"{folder} is on no named volume, so a job's container could not see it. Mount one there "
                "(docker-compose.container.yml does), or name it in TRAINER_VOLUMES."
            )
    networks = list(own.get("NetworkSettings", {}).get("Networks", {}))
    return ContainerPlan(
        image=settings.trainer_image or own["Image"],
        volumes=parsed,
        network=settings.trainer_network or (networks[0] if networks else "none"),
        owner=next(one.volume for one in parsed if settings.data_dir.is_relative_to(one.path)),
        cpus=settings.trainer_cpus,
        memory_bytes=settings.trainer_memory_bytes,
        shm_bytes=settings.trainer_shm_bytes,
    )


def _own_container(settings: ServiceSettings) -> Mapping[str, Any]:
    """Return the engine's description of this process's container; empty if it runs in none."""
    try:
        with closing(docker.from_env()) as client:
            engine: Any = client
            return engine.containers.get(socket.gethostname()).attrs
    except NotFound:
        if settings.trainer_image and settings.trainer_volumes:
            return {}
        raise ContainersImpossible(
            "This service runs in no container: name TRAINER_IMAGE and TRAINER_VOLUMES, or unset TRAINER_LAUNCHER."
        ) from None
    except (DockerException, RequestException) as error:
        raise ContainersImpossible(
            f"TRAINER_LAUNCHER=container needs the socket of a container engine, and it does not answer ({error})."
        ) from error


def _named_volumes(mounts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return `name:/path` or `name:/path:ro` of each volume; folders of the host are left out."""
    return tuple(
        f"{mount['Name']}:{mount['Destination']}" + ("" if mount["RW"] else ":ro")
        for mount in mounts
        if mount["Type"] == "volume"
    )


def _parse(text: str) -> Volume:
    name, _, rest = text.partition(":")
    path, _, mode = rest.partition(":")
    if not name or "/" in name or not Path(path).is_absolute() or mode not in ("", "ro"):
        raise ContainersImpossible(f"TRAINER_VOLUMES: {text!r} is not name:/path or name:/path:ro of a named volume.")
    return Volume(name, path, mode == "ro")
