"""The front of a stage: a request that bypasses it is answered 403, whatever it asks for."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import boto3
import pytest
from moto import mock_aws

from afluente.adapters.http.client_address import FRONT_HEADER
from afluente.runtime.core import clients
from afluente.runtime.front import front
from tests.unit.functions.conftest import CONTEXT
from tests.unit.runtime.environments import ENVIRONMENTS

NEWEST, BEFORE = "the newest secret", "the one before"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    clients._session.cache_clear()
    with mock_aws():
        yield
    clients._session.cache_clear()


@pytest.fixture
def secrets() -> str:
    manager = boto3.client("secretsmanager")
    arns = [
        manager.create_secret(Name=name, SecretString=text)["ARN"]
        for name, text in (("newest", NEWEST), ("before", BEFORE))
    ]
    return ",".join(arns)


def answer_to(function: str, route: str, secrets: str, **headers: str) -> dict[str, Any]:
    """The answer of a function in a stage with a front, whose secrets have these names."""
    handler = import_module(f"{function}.handler")
    method, _, path = route.partition(" ")
    event = {
        "routeKey": route,
        "rawPath": path,
        "headers": headers,
        "requestContext": {"requestId": "request-1", "http": {"method": method, "sourceIp": "192.0.2.7"}},
        "isBase64Encoded": False,
    }
    composed = handler.compose(ENVIRONMENTS[function] | {"AFLUENTE_FRONT_SECRETS": secrets})
    answer: dict[str, Any] = handler.handle(event, CONTEXT, composed)
    return answer


def test_a_stage_without_a_front_answers_everything() -> None:
    assert front(()) is front([""]) is None
    assert answer_to("http_ingest", "GET /health", "")["statusCode"] == 200


@pytest.mark.parametrize("secret", [NEWEST, BEFORE])
def test_a_request_with_the_newest_secret_or_the_one_before_is_answered(secret: str, secrets: str) -> None:
    assert answer_to("http_ingest", "GET /health", secrets, **{FRONT_HEADER: secret})["statusCode"] == 200


@pytest.mark.parametrize(
    ("function", "route"),
    [
        ("http_ingest", "GET /health"),
        ("http_ingest", "POST /ingest/datapoints"),
        ("http_ingest", "$default"),
        ("http_admin", "GET /openapi.json"),
        ("http_admin", "GET /constraints"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {FRONT_HEADER: "a guess"}, {FRONT_HEADER: ""}])
def test_a_request_that_bypasses_the_front_is_refused_on_every_route(
    function: str, route: str, headers: dict[str, str], secrets: str
) -> None:
    answer = answer_to(function, route, secrets, **headers)

    assert answer["statusCode"] == 403
    assert json.loads(answer["body"])["code"] == "around_the_front"
    assert NEWEST not in str(answer)


def test_while_the_secrets_cannot_be_read_nobody_is_let_through() -> None:
    nothing_there = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-there-123456"

    answer = answer_to("http_ingest", "GET /health", nothing_there, **{FRONT_HEADER: NEWEST})

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "2"
