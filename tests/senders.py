"""Senders: each takes points of one source to the running stack over another transport, in order."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from awscrt import mqtt5
from awsiot import mqtt5_client_builder
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from afluente.domain.datapoints import DataPoint
from cli.devices.connection import read_connection
from cli.devices.devices import device_for
from tests.stack import PATIENCE_SECONDS, LocalStack, as_sent

ACCEPTED = mqtt5.PubackReasonCode.SUCCESS
REFUSED = mqtt5.PubackReasonCode.NOT_AUTHORIZED

FlowControl = mqtt5.ExtendedValidationAndFlowControlOptions


class Sender(Protocol):
    """Takes points of one source to the stack; each call returns when the stack has acknowledged all of them."""

    def send(self, points: Sequence[DataPoint]) -> None: ...

    def close(self) -> None: ...


class HttpSender:
    """A request a call."""

    def __init__(self, stack: LocalStack, domain: str, source_id: str) -> None:
        self._stack = stack

    def send(self, points: Sequence[DataPoint]) -> None:
        self._stack.send(points)

    def close(self) -> None:
        """Nothing is open."""


class WebSocketSender:
    """A message a call, over one connection; of at most 1,000 points."""

    def __init__(self, stack: LocalStack, domain: str, source_id: str) -> None:
        self.socket = open_websocket(stack)
        authenticate(self.socket, stack.api_key, domain, source_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def send(self, points: Sequence[DataPoint]) -> None:
        answer = self.ask([as_sent(point) for point in points])
        assert answer == [{"sequence": point.sequence, "status": "ok"} for point in points], answer

    def ask(self, message: object) -> Any:
        """Send a message and return the answer to it."""
        self.socket.send(_fragments(json.dumps(message)))
        return json.loads(self.socket.recv(timeout=PATIENCE_SECONDS))

    def close(self) -> None:
        self.socket.close()


class MqttSender:
    """A message a stream and call, as a device does that has gathered points; returns with the last PUBACK."""

    def __init__(self, stack: LocalStack, domain: str, source_id: str, *, port: int | None = None) -> None:
        self._prefix = f"{domain}/{source_id}"
        self.client = device_client(device_for(stack.target, domain, source_id), port=port)

    def send(self, points: Sequence[DataPoint]) -> None:
        streams: dict[str, list[dict[str, Any]]] = {}
        for point in points:
            streams.setdefault(point.stream_id, []).append(as_sent(point))
        sent = [
            self.publish(f"{self._prefix}/{stream_id}", message)
            for stream_id, its in streams.items()
            for message in (its[start : start + 500] for start in range(0, len(its), 500))
        ]
        assert [one.result(PATIENCE_SECONDS).puback.reason_code for one in sent] == [ACCEPTED] * len(sent)

    def publish(self, topic: str, message: object) -> "Future[mqtt5.PublishCompletionData]":
        """Publish a message, JSON unless it is bytes, with QoS 1."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        done: Future[mqtt5.PublishCompletionData] = self.client.publish(
            mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
        )
        return done

    def close(self) -> None:
        self.client.stop()


def device_client(
    folder: Path, *, port: int | None = None, client_id: str | None = None, is_paced: bool = True
) -> mqtt5.Client:
    """The SDK's client of a device, connected.

    Args:
        folder: of the device.
        port: of loopback, if the broker is not reached directly.
        client_id: another than the name of the device.
        is_paced: False to publish as fast as it can, and not only as fast as AWS IoT Core takes it.
    """
    connected: Future[object] = Future()

    def settle(outcome: Future[object]) -> Callable[[Any], None]:
        def on_event(data: Any) -> None:
            if outcome.done():
                return
            error = getattr(data, "exception", None)
            outcome.set_exception(error) if error else outcome.set_result(data)

        return on_event

    connection = read_connection(folder)
    client: mqtt5.Client = mqtt5_client_builder.mtls_from_path(
        endpoint=connection.endpoint,
        port=port or connection.port,
        cert_filepath=str(folder / connection.certificate),
        pri_key_filepath=str(folder / connection.private_key),
        ca_filepath=str(folder / str(connection.ca)),
        client_id=client_id or connection.client_id,
        min_reconnect_delay_ms=50,
        max_reconnect_delay_ms=500,
        extended_validation_and_flow_control_options=FlowControl.AWS_IOT_CORE_DEFAULTS
        if is_paced
        else FlowControl.NONE,
        on_lifecycle_connection_success=settle(connected),
        on_lifecycle_connection_failure=settle(connected),
    )
    client.start()
    try:
        connected.result(PATIENCE_SECONDS)
    except BaseException:
        client.stop()
        raise
    return client


def websocket_url(stack: LocalStack) -> str:
    return f"ws://127.0.0.1:{stack.port}/_aws/execute-api/{stack.target['WebSocketApiId']}/live"


def open_websocket(stack: LocalStack, *, headers: dict[str, str] | None = None, query: str = "") -> ClientConnection:
    """A connection to the WebSocket API of the stack."""
    return connect(
        websocket_url(stack) + query,
        additional_headers=headers,
        proxy=None,
        open_timeout=PATIENCE_SECONDS,
        ping_interval=None,
        compression=None,
        legacy=True,
    )


def authenticate(socket: ClientConnection, key: str, domain: str, source_id: str) -> dict[str, Any]:
    """Send the first message, which names the sender, and return the answer."""
    who = {"action": "auth", "domain": domain, "source_id": source_id, "api_key": key}
    socket.send(json.dumps(who))
    answer: dict[str, Any] = json.loads(socket.recv(timeout=PATIENCE_SECONDS))
    assert answer["type"] == "authenticated", answer
    return answer


def is_closed(socket: ClientConnection) -> bool:
    """True if the next thing that comes is the end of the connection."""
    try:
        socket.recv(timeout=PATIENCE_SECONDS)
    except ConnectionClosed:
        return True
    return False


def _fragments(text: str) -> list[str]:
    """A message in frames of at most 32 KB, the limit of API Gateway."""
    return [text[start : start + 32_000] for start in range(0, len(text), 32_000)]
