"""Entry points of Lambda functions."""

from collections.abc import Mapping
from typing import Any

import pytest

from afluente.runtime.core.observability import logger
from afluente.runtime.entry_point import entry_point
from tests.unit.functions.conftest import CONTEXT


class Composer:
    def __init__(self) -> None:
        self.composed: list[str] = []

    def __call__(self, environment: Mapping[str, str]) -> str:
        self.composed.append(environment["AFLUENTE_STAGE"])
        return f"function {len(self.composed)}"


def handle(event: dict[str, Any], context: Any, function: str) -> dict[str, Any]:
    return {"event": event, "function": function, "log": logger().get_current_keys().get("function_request_id")}


def test_a_function_is_composed_with_its_first_event_and_once_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = Composer()
    lambda_handler = entry_point(compose, handle)
    monkeypatch.setenv("AFLUENTE_STAGE", "dev")
    assert compose.composed == []

    answers = [lambda_handler({"number": number}, CONTEXT) for number in range(3)]

    assert compose.composed == ["dev"]
    assert [answer["function"] for answer in answers] == ["function 1"] * 3
    assert [answer["event"] for answer in answers] == [{"number": 0}, {"number": 1}, {"number": 2}]


def test_lines_of_the_log_have_the_invocation_of_their_event_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFLUENTE_STAGE", "dev")

    assert entry_point(Composer(), handle)({}, CONTEXT)["log"] == "invocation-1"
    assert "function_request_id" not in logger().get_current_keys()


def test_a_function_that_cannot_be_composed_is_composed_anew_with_the_next_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lambda_handler = entry_point(Composer(), handle)
    monkeypatch.delenv("AFLUENTE_STAGE", raising=False)
    with pytest.raises(KeyError):
        lambda_handler({}, CONTEXT)

    monkeypatch.setenv("AFLUENTE_STAGE", "dev")
    assert lambda_handler({}, CONTEXT)["function"] == "function 1"
