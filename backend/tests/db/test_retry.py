import pytest

from vision_api.db import retry
from vision_api.db.retry import retry_until_available
from vision_api.errors import DatabaseUnavailable


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)


class Flaky:
    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable
        return "done"


async def test_a_database_that_comes_in_time_is_waited_for() -> None:
    assert await retry_until_available(Flaky(3), within_seconds=60) == "done"


async def test_a_database_that_does_not_come_is_an_error() -> None:
    with pytest.raises(DatabaseUnavailable):
        await retry_until_available(Flaky(1), within_seconds=0)


async def test_another_error_is_not_waited_out() -> None:
    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await retry_until_available(fail, within_seconds=60)
