import pytest

from vision_api.auth import passwords


async def test_a_password_costs_a_thief_a_fifth_of_a_second_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the other tests' cheap hashes

    hashed = await passwords.hash_password("correct horse battery")

    assert hashed.startswith("$2b$12$")
    assert passwords.DUMMY_HASH.startswith("$2b$12$")
    assert await passwords.verify_password("correct horse battery", hashed)
    assert not await passwords.verify_password("correct horse battery", None)
