"""Problem answers, byte for byte."""

import json
from typing import Any

import pytest

from http_kit.problems import field_path, field_problems, make_problem, problem_response

ERROR: dict[str, Any] = {"loc": ("body", "params", 0), "type": "missing", "msg": "Field required"}


def test_a_problem_is_answered_with_its_status_and_headers() -> None:
    response = problem_response(make_problem(401, "Sign in."), {"WWW-Authenticate": "Bearer"})

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.body == (
        b'{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Sign in.","code":"token_invalid"}'
    )


def test_the_errors_of_fields_are_listed() -> None:
    response = problem_response(make_problem(409, "Wrong.", code="own", errors=field_problems([ERROR])))

    assert response.body == (
        b'{"type":"about:blank","title":"Conflict","status":409,"detail":"Wrong.","code":"own",'
        b'"errors":[{"field":"params.0","code":"missing","message":"Field required"}]}'
    )


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (422, "validation_failed"), (418, "error")])
def test_the_code_of_a_problem_follows_its_status(status: int, code: str) -> None:
    assert make_problem(status, "…").code == code


def test_the_message_of_a_field_can_be_replaced() -> None:
    [problem] = field_problems([ERROR], lambda error: f"{error['type']}!")

    assert problem.message == "missing!"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("body", "params", "epochs"), "params.epochs"),
        (("query", "limit"), "limit"),
        (("hyperparameters", "lr0"), "hyperparameters.lr0"),
        (("body",), ""),
        ((), ""),
    ],
)
def test_a_path_leaves_out_the_part_of_the_request(location: tuple[str, ...], path: str) -> None:
    assert field_path(location) == path


def many(count: int, text: str = "x") -> list[dict[str, Any]]:
    return [{"loc": ("body", f"{number}{text}"), "type": "extra_forbidden", "msg": text} for number in range(count)]


def test_of_many_errors_the_first_are_listed_and_the_others_counted() -> None:
    errors = many(100_000)
    listed = field_problems(errors)
    problem = make_problem(422, "Wrong.", errors=listed, errors_omitted=len(errors) - len(listed))
    answer = json.loads(bytes(problem_response(problem).body))

    assert len(answer["errors"]) == 20
    assert answer["errors_omitted"] == 99_980


@pytest.mark.parametrize("text", ["x" * 5000, "가" * 5000, "\x01" * 5000, '"' * 5000])
def test_a_problem_has_at_most_16_kib_whatever_it_quotes(text: str) -> None:
    response = problem_response(make_problem(422, text, errors=field_problems(many(30, text)), errors_omitted=10))
    answer = json.loads(bytes(response.body))

    assert len(bytes(response.body)) <= 16 * 1024
    assert len(answer["errors"]) + answer["errors_omitted"] == 30
    assert all(len(error["message"]) == 300 and len(error["field"]) == 300 for error in answer["errors"])
