"""Takes points to the service over MQTT, as a device does: to the topic of each stream, with QoS 1."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

import msgspec
from awscrt import mqtt5
from awsiot import mqtt5_client_builder

from afluente.domain.faults import FaultCode
from afluente.domain.stream_keys import part_faults
from cli.core.errors import CommandError, ExitCode
from cli.devices.connection import DeviceConnection, read_connection
from cli.sending.points import Fault, Outcome, Readable, Rejected

_MAX_MESSAGE_BYTES = 120_000
"""A little under the 128 KiB of a message of AWS IoT Core ("Message size"), with its topic."""

_MAX_TOPIC_BYTES = 256
"""IoT Core, "Topic size"."""

_CONNECT_SECONDS = 30.0
_SILENCE_SECONDS = 120.0
"""Longest absence of the broker before the sender gives up."""

_POLL_SECONDS = 5.0
_LONGEST_DELAY_MS = 10_000

# A connection that broke without being closed shows by a ping alone. Its messages are sent again over the next one, so
# none of them is given up before the sender gives up itself.
_KEEP_ALIVE_SECONDS = 30
_PING_TIMEOUT_MS = 10_000
_ACK_SECONDS = int(2 * _SILENCE_SECONDS)


class _Stream(msgspec.Struct, frozen=True):
    stream_id: object = msgspec.UNSET
    stream_type: object = msgspec.UNSET


class MqttTransport:
    """Publishes points of one source as arrays, one message of a stream in flight.

    The SDK's client keeps what is not acknowledged while the broker is away, reconnects with growing pauses and sends
    it again. Acknowledged points may still have faults: those show only in quarantine. Points that name no stream type
    get that of the device's folder.

    Args:
        device: the folder of a device.
        domain, source: of the points.
        topic: of a point, with `{stream_id}` for its stream; that of afluente if None.
        basic_ingest: publish past the broker, where no message is billed.
        on_wait: called with seconds and the reason while nothing moves.
    """

    def __init__(
        self,
        device: Path,
        *,
        domain: str,
        source: str,
        topic: str | None = None,
        basic_ingest: bool = False,
        on_wait: Callable[[float, str], None] = lambda _seconds, _reason: None,
    ) -> None:
        connection = read_connection(device)
        if (connection.domain, connection.source_id) != (domain, source):
            raise CommandError(
                f"the device publishes for {connection.domain}/{connection.source_id}, not {domain}/{source}",
                code=ExitCode.USAGE,
            )
        if basic_ingest:
            topic = _direct_topic(connection)
        self._topic, _, self._topic_end = (topic or f"{domain}/{source}/{{stream_id}}").partition("{stream_id}")
        self._on_wait = on_wait
        self._stream_type = connection.stream_type
        self._connected: Future[None] = Future()
        self._failure = "no answer"
        self._client: mqtt5.Client = mqtt5_client_builder.mtls_from_path(
            endpoint=connection.endpoint,
            port=connection.port,
            cert_filepath=str(device / connection.certificate),
            pri_key_filepath=str(device / connection.private_key),
            ca_filepath=str(device / connection.ca) if connection.ca else None,
            client_id=connection.client_id,
            keep_alive_interval_sec=_KEEP_ALIVE_SECONDS,
            ping_timeout_ms=_PING_TIMEOUT_MS,
            ack_timeout_sec=_ACK_SECONDS,
            max_reconnect_delay_ms=_LONGEST_DELAY_MS,
            on_lifecycle_connection_success=self._on_success,
            on_lifecycle_connection_failure=self._on_failure,
        )
        self._is_started = False

    def close(self) -> None:
        """End the connection."""
        if self._is_started:
            self._client.stop()

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, those of each stream in this order, and return when the broker has them.

        Raises:
            CommandError: the broker refuses them, or is not there for longer than the sender waits.
        """
        self._start()
        by_stream, unaddressed = _by_stream(points, self._topic)
        outcome = Outcome(0, tuple(unaddressed))
        streams: dict[str, deque[tuple[bytes, int]]] = {}
        for stream_id, its in by_stream.items():
            messages, rejected = _messages(its, self._stream_type)
            streams[stream_id] = deque(messages)
            outcome += Outcome(sum(count for _, count in messages), tuple(rejected))
        self._publish({stream_id: its for stream_id, its in streams.items() if its})
        return outcome

    def _publish(self, streams: dict[str, deque[tuple[bytes, int]]]) -> None:
        """Publish the messages, one of each stream in flight."""
        flying = {self._publish_one(stream_id, its): stream_id for stream_id, its in streams.items()}
        last_moved = time.monotonic()
        while flying:
            done, _ = wait(flying, _POLL_SECONDS, FIRST_COMPLETED)
            if not done:
                self._wait_or_give_up(time.monotonic() - last_moved)
                continue
            last_moved = time.monotonic()
            for one in done:
                stream_id = flying.pop(one)
                self._raise_unless_accepted(one, stream_id)
                if streams[stream_id]:
                    flying[self._publish_one(stream_id, streams[stream_id])] = stream_id

    def _publish_one(self, stream_id: str, waiting: deque[tuple[bytes, int]]) -> "Future[Any]":
        payload, _ = waiting.popleft()
        topic = f"{self._topic}{stream_id}{self._topic_end}"
        packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
        published: Future[Any] = self._client.publish(packet)
        return published

    def _start(self) -> None:
        if self._is_started:
            return
        self._is_started = True
        self._client.start()
        try:
            self._connected.result(_CONNECT_SECONDS)
        except TimeoutError:
            raise CommandError(
                f"the broker does not let the device in: {self._failure}",
                hint="see 'afluente devices list' for its certificate; an open connection of the same name is ended",
                code=ExitCode.UNREACHABLE,
            ) from None

    def _wait_or_give_up(self, seconds: float) -> None:
        if seconds > _SILENCE_SECONDS:
            raise CommandError(
                f"the broker acknowledged nothing for {seconds:.0f} s: {self._failure}", code=ExitCode.UNREACHABLE
            )
        self._on_wait(_POLL_SECONDS, "the broker is away")

    def _raise_unless_accepted(self, published: "Future[Any]", stream_id: str) -> None:
        try:
            code = published.result().puback.reason_code
        except Exception as error:
            raise CommandError(f"the broker did not take a message: {error}") from error
        if code not in {mqtt5.PubackReasonCode.SUCCESS, mqtt5.PubackReasonCode.NO_MATCHING_SUBSCRIBERS}:
            raise CommandError(
                f"the broker refused a message to {self._topic}{stream_id}: {code.name} ({code.value:#04x})",
                hint="a device may publish under its own domain and name alone; see 'afluente devices list'",
            )

    def _on_success(self, _: object) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def _on_failure(self, data: Any) -> None:
        self._failure = str(data.exception)


def _direct_topic(connection: DeviceConnection) -> str:
    if connection.basic_ingest_topic is None:
        raise CommandError(
            "the device cannot publish past the broker",
            hint="its stage has enable_basic_ingest = true, its domain no dash; devices made before need a new folder",
            code=ExitCode.USAGE,
        )
    return connection.basic_ingest_topic


def _by_stream(points: Sequence[Readable], prefix: str) -> tuple[dict[str, list[Readable]], list[Rejected]]:
    """Points by stream, and the points that cannot be published since their stream makes no topic."""
    streams: dict[str, list[Readable]] = {}
    rejected: list[Rejected] = []
    for readable in points:
        stream_id = _stream_id(readable)
        faults = _topic_faults(prefix, stream_id)
        if faults:
            rejected.append(Rejected(readable.line, faults, readable.point))
        else:
            streams.setdefault(str(stream_id), []).append(readable)
    return streams, rejected


def _stream_id(readable: Readable) -> object:
    """The stream id of a point, not validated."""
    point = readable.point
    return msgspec.json.decode(point, type=_Stream).stream_id if isinstance(point, msgspec.Raw) else point.stream_id


def _topic_faults(prefix: str, stream_id: object) -> tuple[Fault, ...]:
    if stream_id is msgspec.UNSET:
        return (Fault(FaultCode.MISSING, "stream_id", "is required: it is the end of the topic"),)
    faults = tuple(Fault(fault.code, fault.field, fault.message) for fault in part_faults("stream_id", stream_id))
    size = len(f"{prefix}{stream_id}".encode(errors="replace"))
    if not faults and size > _MAX_TOPIC_BYTES:
        message = f"makes a topic of {size} bytes; {_MAX_TOPIC_BYTES} are allowed"
        return (Fault(FaultCode.TOO_LONG, "stream_id", message),)
    return faults


def with_stream_type(point: Readable, stream_type: str | None) -> bytes:
    """The JSON of a point, with the type where it names none."""
    its = point.point
    if stream_type is None:
        return msgspec.json.encode(its)
    if not isinstance(its, msgspec.Raw):
        return msgspec.json.encode(msgspec.structs.replace(its, stream_type=its.stream_type or stream_type))
    text = bytes(its)
    if msgspec.json.decode(text, type=_Stream).stream_type is not msgspec.UNSET:
        return text
    # As it is: decoding it would change what JSON can hold and a program cannot, such as long numbers.
    return b'{"stream_type":' + msgspec.json.encode(stream_type) + b"," + text.lstrip()[1:]


def _messages(
    points: Sequence[Readable], stream_type: str | None = None
) -> tuple[list[tuple[bytes, int]], list[Rejected]]:
    """The points of one stream in as few messages as possible, with their counts; and the points too large for one."""
    messages: list[tuple[bytes, int]] = []
    rejected: list[Rejected] = []
    texts: list[bytes] = []
    size = 0
    for readable in points:
        text = with_stream_type(readable, stream_type)
        if len(text) > _MAX_MESSAGE_BYTES:
            fault = Fault("too_long", "point", "is larger than a message may be")
            rejected.append(Rejected(readable.line, (fault,), readable.point))
            continue
        if texts and size + len(text) + 1 >= _MAX_MESSAGE_BYTES:
            messages.append((_array(texts), len(texts)))
            texts, size = [], 0
        texts.append(text)
        size += len(text) + 1
    if texts:
        messages.append((_array(texts), len(texts)))
    return messages, rejected


def _array(texts: Sequence[bytes]) -> bytes:
    return texts[0] if len(texts) == 1 else b"[" + b",".join(texts) + b"]"
