"""What the service does to open WebSockets: tell them something, close them, look at them again after a while."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from afluente.adapters.aws.api_gateway_connections import UnansweredQueue, WebSocketConnections
from afluente.adapters.websocket.messages import refusal
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, drain, fail, record_calls

USES = [
    ("PostToConnection", lambda gateway: gateway.say("connection-1", refusal("unauthorized", "no key"))),
    ("DeleteConnection", lambda gateway: gateway.close("connection-1")),
]


def test_a_connection_to_look_at_again_is_a_message_with_its_id(aws: LocalAws) -> None:
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


def test_what_is_said_to_a_connection_is_json(aws: LocalAws) -> None:
    client = aws.client("apigatewaymanagementapi")
    said = record_calls(client, "PostToConnection")
    # The connection is gone: what is asked of API Gateway counts here.
    fail(client, "PostToConnection", code="GoneException")

    WebSocketConnections(client).say("connection-1", refusal("unauthorized", "no key"))

    (call,) = said
    assert call["ConnectionId"] == "connection-1"
    assert json.loads(call["Data"]) == {
        "type": "error",
        "code": 1008,
        "reason": "unauthorized",
        "message": "no key",
    }


@pytest.mark.parametrize(("operation", "use"), USES)
@pytest.mark.parametrize("code", ["GoneException", "410"])
def test_to_a_connection_that_is_gone_nothing_is_done(
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
