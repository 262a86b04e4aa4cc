"""Functions are composed from their environment, without a call to AWS."""

from importlib import import_module

import pytest

from afluente.runtime import csv_trigger, http_ingest, ws_ingest
from tests.unit.runtime.environments import ENVIRONMENTS, WS_INGEST


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("function", ENVIRONMENTS)
def test_a_function_is_composed_from_its_environment(function: str) -> None:
    module = import_module(f"afluente.runtime.{function}")

    assert module.compose(ENVIRONMENTS[function]) is not None


def test_what_is_loaded_late_is_made_once() -> None:
    csv = csv_trigger.compose(ENVIRONMENTS["csv_trigger"])
    http = http_ingest.compose(ENVIRONMENTS["http_ingest"])

    assert csv.loader() is csv.loader()
    assert http.sensors() is http.sensors()


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({}, "https://a1b2c3d4.execute-api.us-east-1.amazonaws.com/live"),
        ({"AWS_ENDPOINT_URL": "http://localhost:4566"}, "http://localhost:4566/_aws/execute-api/a1b2c3d4/live"),
    ],
)
def test_connections_are_managed_at_the_api_or_at_the_endpoint_of_all_services(
    endpoint: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    function = ws_ingest.compose(WS_INGEST | endpoint)

    assert function.gateway._client.meta.endpoint_url == expected
