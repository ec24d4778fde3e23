"""A client of the API that shares no code with the backend."""

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx
from httpx_sse import ServerSentEvent, connect_sse

FINAL = ("completed", "failed", "cancelled")


class Client:
    """A signed-in user of the platform."""

    opened: ClassVar[list["Client"]] = []

    def __init__(self, url: str, token: str = "") -> None:
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=30)
        self.url = url
        Client.opened.append(self)

    @classmethod
    def sign_in(cls, url: str, email: str, password: str) -> "Client":
        answer = httpx.post(f"{url}/api/v1/auth/login", json={"email": email, "password": password}, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        return cls(url, answer.json()["access_token"])

    @classmethod
    def register(cls, url: str, email: str, password: str = "a good passphrase") -> "Client":
        answer = httpx.post(f"{url}/api/v1/auth/register", json={"email": email, "password": password}, timeout=30)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return cls.sign_in(url, email, password)

    @classmethod
    def close_all(cls) -> None:
        while cls.opened:
            cls.opened.pop().http.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._ok(self.http.get(path, params=query))

    def follow_link(self, path: str) -> httpx.Response:
        """Get a link of an answer: a path from the API's address."""
        return self.http.get(f"{self.url}{path}")

    def post(self, path: str, body: Any = None) -> Any:
        return self._ok(self.http.post(path, json=body))

    def patch(self, path: str, body: Any) -> Any:
        return self._ok(self.http.patch(path, json=body))

    @staticmethod
    def _ok(answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def wait_for(self, job_id: int, *statuses: str, seconds: float = 150) -> dict[str, Any]:
        """Return the job once it has one of `statuses`; fails at once if it ends with another one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.get(f"/training/jobs/{job_id}")
            if job["status"] in statuses:
                return job
            assert job["status"] not in FINAL, f"{job['status']}: {job['error_message']}\n{self.log_text(job_id)}"
            time.sleep(0.1)
        raise AssertionError(f"job {job_id} is still {job['status']} ({job['status_reason']}), not {statuses}")

    def log_text(self, job_id: int) -> str:
        return self.http.get(f"/training/jobs/{job_id}/logs", headers={"Accept": "text/plain"}).text[-3000:]

    def follow(self, job_id: int, last_event_id: int | None = None) -> Iterator[ServerSentEvent]:
        """Yield the job's events until `end`, as a browser's EventSource would."""
        headers = {"Last-Event-ID": str(last_event_id)} if last_event_id is not None else {}
        path = f"/training/jobs/{job_id}/events"
        with connect_sse(self.http, "GET", path, headers=headers, timeout=httpx.Timeout(30, read=60)) as source:
            for event in source.iter_sse():
                if event.data:  # an event without data sets the retry time only, and a browser dispatches nothing
                    yield event
                if event.event == "end":
                    return
