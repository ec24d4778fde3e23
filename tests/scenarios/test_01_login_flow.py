"""Scenario 1: e-mail and password become a JWT that opens the rest (docs/scenarios/01-login-flow.md)."""

import httpx
import pytest
from client import Client
from conftest import Platform, problem_of
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD


def test_json_and_form_sign_in_to_the_same_account(platform: Platform) -> None:
    by_json = httpx.post(
        f"{platform.url}/api/v1/auth/login", json={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}, timeout=30
    ).json()
    by_form = httpx.post(
        f"{platform.url}/api/v1/auth/login", data={"username": ADMIN_EMAIL, "password": ADMIN_PASSWORD}, timeout=30
    ).json()

    for answer in (by_json, by_form):
        assert answer["token_type"] == "bearer"
        assert answer["expires_in"] > 0
        assert answer["user"]["role"] == "admin"
        assert Client(platform.url, answer["access_token"]).get("/auth/me")["email"] == ADMIN_EMAIL
    assert by_json["user"] == by_form["user"]


@pytest.mark.parametrize("email", [ADMIN_EMAIL, "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_account_look_the_same(platform: Platform, email: str) -> None:
    answer = httpx.post(f"{platform.url}/api/v1/auth/login", json={"email": email, "password": "wrong"}, timeout=30)

    assert problem_of(answer) == (401, "invalid_credentials")


def test_without_a_token_or_with_a_forged_one_nothing_opens(platform: Platform, user: Client) -> None:
    token = user.http.headers["Authorization"].removeprefix("Bearer ")
    head, payload, _ = token.split(".")
    forged = f"{head}.{payload}.{'A' * 43}"

    assert problem_of(Client(platform.url).http.get("/projects")) == (401, "token_invalid")
    assert problem_of(Client(platform.url, forged).http.get("/projects")) == (401, "token_invalid")
    assert problem_of(Client(platform.url, "nonsense").http.get("/projects")) == (401, "token_invalid")


def test_a_refresh_rotates_and_a_stolen_old_token_ends_the_family(platform: Platform) -> None:
    Client.register(platform.url, "refresh@example.com")
    http = Client(platform.url).http
    first = http.post("/auth/login", json={"email": "refresh@example.com", "password": "a good passphrase"}).json()

    second = http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
    assert second["refresh_token"] != first["refresh_token"]

    assert http.post("/auth/logout", json={"refresh_token": second["refresh_token"]}).status_code == 204
    refused = http.post("/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert problem_of(refused)[0] == 401


def test_the_docs_page_signs_in_with_the_login_route(platform: Platform) -> None:
    schemes = httpx.get(f"{platform.url}/openapi.json", timeout=30).json()["components"]["securitySchemes"]

    token_urls = [scheme["flows"]["password"]["tokenUrl"] for scheme in schemes.values() if scheme["type"] == "oauth2"]
    assert [url.removeprefix("/") for url in token_urls] == ["api/v1/auth/login"]
