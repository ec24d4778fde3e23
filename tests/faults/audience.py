"""Those who use the platform meanwhile: somebody who asks until it is done, and followers who never look away."""

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

PATIENCE_SECONDS = 90.0
RETRY_SECONDS = 0.2
TRY_AGAIN = {502, 503, 504}


@dataclass(frozen=True)
class Told:
    """One event as it arrived."""

    id: int
    event: str
    data: dict[str, Any]
    at: float


class Person:
    """Asks one backend after the other until one answers. What is asked twice is done once."""

    def __init__(self, urls: list[str], chance: random.Random) -> None:
        self.urls = urls
        self._chance = chance
        self._http = httpx.Client(timeout=10)
        body = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        self.token = self._ask("POST", "/auth/login", json=body).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", path, params=query).json()

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """With a key, so that a lost answer does not make two of it."""
        return self._ask("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}).json()

    def start(self, job_id: int) -> None:
        """Refused the second time if only the answer was lost."""
        self._ask("POST", f"/training/jobs/{job_id}/start", also_fine=httpx.codes.CONFLICT)

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, *, also_fine: int | None = None, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            url = f"{self._chance.choice(self.urls)}/api/v1{path}"
            try:
                answer = self._http.request(method, url, **request)
            except httpx.TransportError as error:
                trouble = repr(error)
            else:
                if answer.is_success or answer.status_code == also_fine:
                    return answer
                trouble = f"{answer.status_code} {answer.text}"
                assert answer.status_code in TRY_AGAIN, f"{method} {path}: {trouble}"
            assert time.monotonic() < deadline, f"{method} {path}: no answer for {PATIENCE_SECONDS} s: {trouble}"
            time.sleep(RETRY_SECONDS)


@dataclass(eq=False)
class Follower:
    """A browser's EventSource: it reconnects with the last id that it has seen, to whichever backend."""

    job_id: int
    token: str
    choose_url: Callable[[], str]
    told: list[Told] = field(default_factory=list)
    reconnects: int = 0
    _is_closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._follow, name=f"follower-{self.job_id}", daemon=True)
        self._thread.start()

    @property
    def has_seen_the_end(self) -> bool:
        return bool(self.told) and self.told[-1].event == "end"

    def last_status(self) -> dict[str, Any]:
        return next((each.data for each in reversed(self.told) if each.event == "status"), {})

    def metrics(self) -> dict[tuple[str, int], float | None]:
        """The curves as somebody has them who has only listened."""
        points: dict[tuple[str, int], float | None] = {}
        for each in self.told:
            if each.event == "rewind":
                points = {key: value for key, value in points.items() if key[1] <= each.data["step"]}
            elif each.event == "metrics":
                points |= {(name, each.data["step"]): value for name, value in each.data["values"].items()}
        return points

    def close(self) -> None:
        self._is_closing.set()
        self._thread.join(30)

    def _follow(self) -> None:
        timeout = httpx.Timeout(10, read=20)  # a ping comes every 15 s
        with httpx.Client(headers={"Authorization": f"Bearer {self.token}"}, timeout=timeout) as http:
            while not self._is_closing.is_set() and not self.has_seen_the_end:
                try:
                    self._listen(http)
                except (httpx.HTTPError, SSEError):
                    self.reconnects += 1
                self._is_closing.wait(RETRY_SECONDS)

    def _listen(self, http: httpx.Client) -> None:
        url = f"{self.choose_url()}/api/v1/training/jobs/{self.job_id}/events"
        headers = {"Last-Event-ID": str(self.told[-1].id)} if self.told else {}
        with connect_sse(http, "GET", url, headers=headers) as source:
            for event in source.iter_sse():
                if event.data:
                    self.told.append(Told(int(event.id), event.event, json.loads(event.data), time.monotonic()))
                if self._is_closing.is_set() or event.event == "end":
                    return
