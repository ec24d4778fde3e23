"""The HTTP interface of a training service, seen from the backend."""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from typing import Any, NoReturn, Self
from uuid import UUID

import httpx
from pydantic import TypeAdapter, ValidationError

from vision_api.db.network_guard import forbid_in_session
from vision_api.kit.logging import request_id_var
from vision_api.kit.tracing import inject_trace
from vision_api.training_services.errors import ServiceRejected, ServiceSilent, ServiceUnavailable
from vision_api.training_services.lines import LineTooLong, split_lines
from vision_contracts import (
    SILENCE_SECONDS,
    HeldJob,
    JobEvent,
    JobSpec,
    ModelList,
    Problem,
    ServiceReady,
    StopRequest,
)

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 15.0
READY_SECONDS = 3.0

_held_jobs = TypeAdapter(list[HeldJob])


class ConnectionPools:
    """The connection pools that all clients share.

    An event stream is held open for as long as its job runs. Such streams have a pool without a limit, so that a
    hundred running jobs cannot keep a start or a stop waiting for a free connection.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, silence_seconds: float = SILENCE_SECONDS) -> None:
        tls = tls or _default_tls()
        hooks = {"request": [_before_request]}
        self.requests = httpx.AsyncClient(
            verify=tls,
            trust_env=False,
            event_hooks=hooks,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )
        self.streams = httpx.AsyncClient(
            verify=tls,
            trust_env=False,
            event_hooks=hooks,
            timeout=httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; streams that are being read end with ServiceUnavailable."""
        await self.requests.aclose()
        await self.streams.aclose()


@cache
def _default_tls() -> ssl.SSLContext:
    """Return a context with the machine's certificates, which take 20 ms to read."""
    return ssl.create_default_context()


async def _before_request(_request: httpx.Request) -> None:
    forbid_in_session("a training service")


class ServiceClient:
    """Calls to one instance. Every method raises ServiceUnavailable or ServiceRejected, and nothing else."""

    def __init__(self, base_url: str, token: str, *, connections: ConnectionPools, host: str | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._name = f"the service at {base_url}" if host is None else f"the service at {base_url} ({host})"
        self._connections = connections
        self._headers = {"Authorization": f"Bearer {token}"} | ({"Host": host} if host else {})
        self._extensions = {"sni_hostname": host.rpartition(":")[0] or host} if host else {}

    async def ready(self) -> ServiceReady:
        """Return the identity of the instance and its free slots."""
        response = await self._call("GET", "/ready", within_seconds=READY_SECONDS)
        with self._parsing():
            return ServiceReady.model_validate_json(response.content)

    async def model_list(self, etag: str | None = None) -> tuple[ModelList | None, str | None]:
        """Return the whole catalogue and its etag, or None if it is still the one of `etag`."""
        response = await self._call("GET", "/models/list", headers={"If-None-Match": etag} if etag else {})
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return None, etag
        with self._parsing():
            return ModelList.model_validate_json(response.content), response.headers.get("ETag")

    async def start(self, spec: JobSpec) -> None:
        """Start one attempt. The same attempt sent again is no error."""
        await self._call("POST", "/training/start", json=spec.model_dump(mode="json"))

    async def stop(self, job_uid: UUID, request: StopRequest) -> None:
        """Ask an attempt to end; its event stream reports when it has."""
        await self._call("POST", f"/training/stop/{job_uid}", json=request.model_dump(mode="json"))

    async def held_jobs(self) -> list[HeldJob]:
        """Return the attempts that this instance holds, running or ended."""
        response = await self._call("GET", "/training/jobs")
        with self._parsing():
            return _held_jobs.validate_json(response.content)

    async def delete(self, job_uid: UUID) -> None:
        """Delete what the instance keeps of a job; an unknown job is no error."""
        try:
            await self._call("DELETE", f"/training/jobs/{job_uid}")
        except ServiceRejected as rejection:
            if rejection.status != HTTPStatus.NOT_FOUND:
                raise

    async def events(self, job_uid: UUID, attempt: int, after: int) -> AsyncGenerator[JobEvent | None]:
        """Follow an attempt's events from `after` on, up to its terminal one. None is a heartbeat.

        Close it when you leave it early (`contextlib.aclosing`).

        Raises ServiceUnavailable when the stream is cut, or silent for 12 s.
        """
        query = {"attempt": attempt, "after": after, "follow": "true"}
        request = self._request(self._connections.streams, "GET", f"/training/jobs/{job_uid}/events", params=query)
        request.headers["Accept-Encoding"] = "identity"  # a compressing proxy would hold lines back
        with self._translating():
            response = await self._connections.streams.send(request, stream=True)
            try:
                if not response.is_success:
                    await response.aread()
                    self._refuse(response)
                async for line in split_lines(response.aiter_bytes()):
                    event = self._event(line) if line else None
                    if event is None and line:
                        continue
                    yield event
                    if event is not None and event.is_terminal:
                        return
            finally:
                await response.aclose()
        raise ServiceUnavailable(f"{self._name} closed the event stream before the end of the job")

    def _event(self, line: bytes) -> JobEvent | None:
        try:
            return JobEvent.from_line(line)
        except ValidationError:
            logger.warning("skipping a line of %s that is no event known here: %.200r", self._name, line)
            return None

    def _request(self, client: httpx.AsyncClient, method: str, path: str, **content: Any) -> httpx.Request:
        headers = self._headers | content.pop("headers", {})
        if request_id := request_id_var.get():
            headers["X-Request-ID"] = request_id
        inject_trace(headers)
        return client.build_request(
            method, self._base_url + path, headers=headers, extensions=self._extensions, **content
        )

    async def _call(
        self, method: str, path: str, *, within_seconds: float = ANSWER_SECONDS, **content: Any
    ) -> httpx.Response:
        request = self._request(self._connections.requests, method, path, **content)
        with self._translating():
            async with asyncio.timeout(within_seconds):
                response = await self._connections.requests.send(request)
        if not response.is_success and response.status_code != HTTPStatus.NOT_MODIFIED:
            self._refuse(response)
        return response

    def _refuse(self, response: httpx.Response) -> NoReturn:
        """Raise the error that a response other than success means."""
        if response.is_server_error:
            raise ServiceUnavailable(f"{self._name} answered {response.status_code} {response.reason_phrase}")
        raise ServiceRejected(_problem(response))

    @contextmanager
    def _translating(self) -> Generator[None]:
        """Translate httpx's errors into ours."""
        try:
            yield
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ServiceSilent(f"{self._name} did not answer in time") from error
        except (httpx.HTTPError, LineTooLong) as error:
            raise ServiceUnavailable(f"{self._name} does not answer: {str(error) or type(error).__name__}") from error

    @contextmanager
    def _parsing(self) -> Generator[None]:
        """Translate validation errors: a response of another form comes from something that is no training service."""
        try:
            yield
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "body"
            raise ServiceUnavailable(
                f"{self._name} does not follow our contract ({place}: {first['msg']}); is it a training service?"
            ) from error


def _problem(response: httpx.Response) -> Problem:
    """Return the problem that a response carries, or one made from its status."""
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return Problem(
            title=response.reason_phrase,
            status=response.status_code,
            detail=f"The training service answered {response.status_code} {response.reason_phrase}.",
            code=f"http_{response.status_code}",
        )
