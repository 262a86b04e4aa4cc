"""Where a stage has a front, what comes around it is answered 403, whatever it asks for."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import http_admin.handler
import http_ingest.handler
from afluente.adapters.http.client_address import FRONT_HEADER
from afluente.runtime import clients
from afluente.runtime.front import SECRETS, bypassed_front, front
from tests.unit.functions.conftest import CONTEXT

NEWEST, BEFORE = "the newest secret", "the one before"
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(SECRETS, raising=False)
    front.cache_clear()
    clients._session.cache_clear()
    with mock_aws():
        yield
    front.cache_clear()
    clients._session.cache_clear()


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = boto3.client("secretsmanager")
    arns = [
        manager.create_secret(Name=name, SecretString=text)["ARN"]
        for name, text in (("newest", NEWEST), ("before", BEFORE))
    ]
    monkeypatch.setenv(SECRETS, ",".join(arns))


def request(route: str, **headers: str) -> dict[str, Any]:
    method, _, path = route.partition(" ")
    return {
        "routeKey": route,
        "rawPath": path,
        "headers": headers,
        "requestContext": {"requestId": "request-1", "http": {"method": method, "sourceIp": "192.0.2.7"}},
        "isBase64Encoded": False,
    }


def test_without_a_front_everything_is_answered() -> None:
    assert bypassed_front(request("GET /health"), "request-1") is None


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("secret", [NEWEST, BEFORE])
def test_what_brings_the_newest_secret_or_the_one_before_is_answered(secret: str) -> None:
    event = request("GET /health", **{FRONT_HEADER: secret})

    assert http_ingest.handler.lambda_handler(event, CONTEXT)["statusCode"] == 200


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("handler", "route"),
    [
        (http_ingest.handler.lambda_handler, "GET /health"),
        (http_ingest.handler.lambda_handler, "POST /ingest/datapoints"),
        (http_ingest.handler.lambda_handler, "$default"),
        (http_admin.handler.lambda_handler, "GET /openapi.json"),
        (http_admin.handler.lambda_handler, "GET /constraints"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {FRONT_HEADER: "a guess"}, {FRONT_HEADER: ""}])
def test_what_comes_around_the_front_is_refused_on_every_route(
    handler: Handler, route: str, headers: dict[str, str]
) -> None:
    answer = handler(request(route, **headers), CONTEXT)

    assert answer["statusCode"] == 403
    assert json.loads(answer["body"])["code"] == "around_the_front"
    assert NEWEST not in str(answer)


def test_while_the_secrets_cannot_be_read_nobody_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRETS, "arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-there-123456")

    answer = http_ingest.handler.lambda_handler(request("GET /health", **{FRONT_HEADER: NEWEST}), CONTEXT)

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "2"
