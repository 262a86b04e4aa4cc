"""Starts every function once, so that the first request is quick and a function that cannot start is known at once."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from cli.core.aws import Connection
from cli.core.local_stack import LOOPBACK

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.2


def warm_up(connection: Connection, port: int, outputs: dict[str, str]) -> list[str]:
    """Call each function once.

    Returns:
        The names of those that did not answer as they should.
    """
    client: LambdaClient = connection.client("lambda")
    calls = {
        "http_ingest": lambda: _is_healthy(port, f"/_aws/execute-api/{outputs['HttpApiId']}/health"),
        "http_authorizer": lambda: _answers(client, outputs["HttpAuthorizerFunction"], {"identitySource": ["no key"]}),
        "iot_rule_handler": lambda: _answers(client, outputs["IotRuleHandlerFunction"], {"Records": []}),
        "csv_trigger": lambda: _answers(client, outputs["CsvTriggerFunction"], {"Records": []}),
        "classifier": lambda: _answers(client, outputs["ClassifierFunction"], {"Records": []}),
    }
    if "WsIngestFunction" in outputs:
        calls["ws_ingest"] = lambda: _answers(client, outputs["WsIngestFunction"], {"Records": []})
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = {name: pool.submit(call) for name, call in calls.items()}
    return [name for name, answer in answers.items() if not answer.result()]


def _is_healthy(port: int, path: str) -> bool:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while (status := _status(port, path)) == http.client.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
        # On a busy machine a function may start for longer than API Gateway waits for it.
        time.sleep(_POLL_SECONDS)
    return status == http.client.OK


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _answers(client: "LambdaClient", function: str, event: dict[str, Any]) -> bool:
    """True if the function accepts an event without work."""
    return "FunctionError" not in client.invoke(FunctionName=function, Payload=json.dumps(event))
