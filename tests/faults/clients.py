"""Clients that use the platform while it is hurt: one that retries requests, and readers of event streams."""

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from httpx_sse import SSEError, connect_sse
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD

ANSWER_TIMEOUT_SECONDS = 90.0
RETRY_SECONDS = 0.2
RETRIED_STATUSES = {502, 503, 504}


@dataclass(frozen=True)
class ReceivedEvent:
    """An event of a stream, and when it arrived."""

    id: int
    event: str
    data: dict[str, Any]
    at: float


class ApiClient:
    """Client that retries each request at any of the backends until one answers it. Requests are idempotent."""

    def __init__(self, urls: list[str], rng: random.Random) -> None:
        self.urls = urls
        self._rng = rng
        self._http = httpx.Client(timeout=10)
        body = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        self.token = self._request("POST", "/auth/login", json=body).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def get(self, path: str, **query: Any) -> Any:
        return self._request("GET", path, params=query).json()

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create with an idempotency key, so that a retry after a lost answer creates nothing twice."""
        return self._request("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}).json()

    def start(self, job_id: int) -> None:
        """Start a job. A conflict is accepted: it answers the retry of a start whose answer was lost."""
        self._request("POST", f"/training/jobs/{job_id}/start", accepted_status=httpx.codes.CONFLICT)

    def close(self) -> None:
        self._http.close()

    def _request(self, method: str, path: str, *, accepted_status: int | None = None, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        while True:
            url = f"{self._rng.choice(self.urls)}/api/v1{path}"
            try:
                answer = self._http.request(method, url, **request)
            except httpx.TransportError as error:
                failure = repr(error)
            else:
                if answer.is_success or answer.status_code == accepted_status:
                    return answer
                failure = f"{answer.status_code} {answer.text}"
                assert answer.status_code in RETRIED_STATUSES, f"{method} {path}: {failure}"
            assert time.monotonic() < deadline, f"{method} {path}: no answer for {ANSWER_TIMEOUT_SECONDS} s: {failure}"
            time.sleep(RETRY_SECONDS)


@dataclass(eq=False)
class StreamClient:
    """Reader of a job's events as a browser's EventSource: it reconnects with the last id, at any of the backends."""

    job_id: int
    token: str
    choose_url: Callable[[], str]
    events: list[ReceivedEvent] = field(default_factory=list)
    reconnects: int = 0
    _is_closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"stream-{self.job_id}", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        return bool(self.events) and self.events[-1].event == "end"

    def last_status(self) -> dict[str, Any]:
        return next((each.data for each in reversed(self.events) if each.event == "status"), {})

    def metrics(self) -> dict[tuple[str, int], float | None]:
        """Return the metric points as a client builds them from the events alone."""
        points: dict[tuple[str, int], float | None] = {}
        for each in self.events:
            if each.event == "rewind":
                points = {key: value for key, value in points.items() if key[1] <= each.data["step"]}
            elif each.event == "metrics":
                points |= {(name, each.data["step"]): value for name, value in each.data["values"].items()}
        return points

    def close(self) -> None:
        self._is_closing.set()
        self._thread.join(30)

    def _run(self) -> None:
        timeout = httpx.Timeout(10, read=20)  # a ping comes every 15 s
        with httpx.Client(headers={"Authorization": f"Bearer {self.token}"}, timeout=timeout) as http:
            while not self._is_closing.is_set() and not self.has_ended:
                try:
                    self._read_stream(http)
                except (httpx.HTTPError, SSEError):
                    self.reconnects += 1
                self._is_closing.wait(RETRY_SECONDS)

    def _read_stream(self, http: httpx.Client) -> None:
        url = f"{self.choose_url()}/api/v1/training/jobs/{self.job_id}/events"
        headers = {"Last-Event-ID": str(self.events[-1].id)} if self.events else {}
        with connect_sse(http, "GET", url, headers=headers) as source:
            for event in source.iter_sse():
                if event.data:
                    data = json.loads(event.data)
                    self.events.append(ReceivedEvent(int(event.id), event.event, data, time.monotonic()))
                if self._is_closing.is_set() or event.event == "end":
                    return
