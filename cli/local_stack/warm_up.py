"""Starts every function once, so that the first request is quick and a function that cannot start is known at once."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cli.aws import Connection
from cli.local_stack.ports import LOOPBACK

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_TIMEOUT_SECONDS = 60.0
_REFUSED = frozenset({http.client.UNAUTHORIZED, http.client.FORBIDDEN})


def warm_up(connection: Connection, port: int, outputs: dict[str, str]) -> list[str]:
    """Call each function once.

    Returns:
        The names of those that did not answer as they should.
    """
    api = f"/_aws/execute-api/{outputs['HttpApiId']}"
    client: LambdaClient = connection.client("lambda")
    calls = {
        "http_ingest": lambda: _status(port, "GET", f"{api}/health") == http.client.OK,
        # A key that is none: the authorizer runs and refuses it.
        "http_authorizer": lambda: _status(port, "POST", f"{api}/ingest/datapoints") == http.client.UNAUTHORIZED,
        "classifier": lambda: _answers(client, outputs["ClassifierFunction"]),
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = {name: pool.submit(call) for name, call in calls.items()}
    return [name for name, answer in answers.items() if not answer.result()]


def _status(port: int, method: str, path: str) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, path, headers={"X-API-Key": "none", "Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def _answers(client: "LambdaClient", function: str) -> bool:
    """Whether the classifier takes an empty batch."""
    answer = client.invoke(FunctionName=function, Payload=json.dumps({"Records": []}))
    return "FunctionError" not in answer
