"""Open WebSockets in API Gateway: messages to them, their end, and the queue of those yet to authenticate."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from afluente.adapters.aws.api_gateway_connections import UnansweredQueue, WebSocketConnections
from afluente.adapters.websocket.messages import refusal
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, drain, fail, record_calls

USES = [
    ("PostToConnection", lambda gateway: gateway.send("connection-1", refusal("unauthorized", "no key"))),
    ("DeleteConnection", lambda gateway: gateway.close("connection-1")),
]


def test_a_connection_to_check_is_a_message_with_its_id(aws: LocalAws) -> None:
    client = aws.client("sqs")
    url = client.create_queue(QueueName=f"unanswered-{aws.name}")["QueueUrl"]
    queue = UnansweredQueue(client, url)

    queue.put("L0SM9cOFvHcCIhw=")
    queue.put("L0SM8cfFPHcCJYg=")

    assert sorted(message["Body"] for message in drain(client, url)) == ["L0SM8cfFPHcCJYg=", "L0SM9cOFvHcCIhw="]


def test_a_queue_that_does_not_answer_is_unavailable(aws: LocalAws) -> None:
    client = aws.client("sqs")
    fail(client, "SendMessage")

    with pytest.raises(UnavailableError, match="SQS"):
        UnansweredQueue(client, "http://127.0.0.1/queue").put("connection-1")


def test_messages_to_a_connection_are_json(aws: LocalAws) -> None:
    client = aws.client("apigatewaymanagementapi")
    calls = record_calls(client, "PostToConnection")
    # The connection is closed: the test is about the call alone.
    fail(client, "PostToConnection", code="GoneException")

    WebSocketConnections(client).send("connection-1", refusal("unauthorized", "no key"))

    (call,) = calls
    assert call["ConnectionId"] == "connection-1"
    assert json.loads(call["Data"]) == {
        "type": "error",
        "code": 1008,
        "reason": "unauthorized",
        "message": "no key",
    }


@pytest.mark.parametrize(("operation", "use"), USES)
@pytest.mark.parametrize("code", ["GoneException", "410"])
def test_nothing_is_done_to_a_closed_connection(
    aws: LocalAws, operation: str, use: Callable[[WebSocketConnections], Any], code: str
) -> None:
    client = aws.client("apigatewaymanagementapi")
    fail(client, operation, code=code)

    use(WebSocketConnections(client))


@pytest.mark.parametrize(("operation", "use"), USES)
def test_api_gateway_that_does_not_answer_is_unavailable(
    aws: LocalAws, operation: str, use: Callable[[WebSocketConnections], Any]
) -> None:
    client = aws.client("apigatewaymanagementapi")
    fail(client, operation, code="LimitExceededException")

    with pytest.raises(UnavailableError, match="API Gateway"):
        use(WebSocketConnections(client))
