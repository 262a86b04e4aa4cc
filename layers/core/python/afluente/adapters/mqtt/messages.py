"""Messages of the MQTT inbox, as the topic rules of AWS IoT Core write them, and the points in their payloads."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.codecs.json_points import decode_point
from afluente.adapters.codecs.senml import SenmlError, is_senml, resolve
from afluente.adapters.mqtt.counting import count_points
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.ingest.rejection import RejectedPoint
from afluente.application.limits.decisions import Batch
from afluente.domain.datapoints import DataPoint
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import StreamKey, json_type

# The client id of a message that was published over HTTP, in the error action.
_NO_CLIENT = "N/A"


class MqttMessage(msgspec.Struct, frozen=True):
    """A message as a topic rule writes it.

    Attributes:
        payload: as the device sent it, in base64.
        topic: of the publication.
        arrived_at: its arrival at the broker, in Unix milliseconds.
        client_id: of the device.
    """

    payload: str
    topic: str
    arrived_at: float
    client_id: str = ""


class _UndeliveredMessage(msgspec.Struct, frozen=True):
    """A message as the error action of a topic rule writes it, without the time of its arrival."""

    payload: str = msgspec.field(name="base64OriginalPayload")
    topic: str
    client_id: str = msgspec.field(name="clientId", default=_NO_CLIENT)


class UnusableMessageError(Exception):
    """A message without any point; its text is the cause, for people."""


_decoder = msgspec.json.Decoder(MqttMessage)
_undelivered_decoder = msgspec.json.Decoder(_UndeliveredMessage)


def read_message(body: str, *, sent_at: float) -> MqttMessage:
    """Read a message of the inbox: of a rule's action, or of its error action after a redrive.

    Args:
        body: of the message.
        sent_at: the time of the inbox, in Unix seconds; it stands for the arrival of a message of an error action.

    Raises:
        UnusableMessageError: no topic rule of ours wrote it.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        undelivered = _undelivered(body)
        if undelivered is None:
            raise UnusableMessageError(f"the message is none of a topic rule: {error}") from error
    client_id = "" if undelivered.client_id == _NO_CLIENT else undelivered.client_id
    return MqttMessage(undelivered.payload, undelivered.topic, sent_at * 1000, client_id)


def count_message(message: MqttMessage, *, domains: Collection[str], max_points: int) -> Batch:
    """The points of a message that are charged to its source, before any is decoded.

    Args:
        message: its topic names domain and source.
        domains: the domains that are open.
        max_points: of a message; one with more is charged as many, and `decode_message` refuses it.

    Raises:
        UnusableMessageError: the topic is not `domain/source/stream`, or the payload is no base64.
    """
    key = _key(message.topic, domains)
    return Batch(key.source, min(count_points(_payload(message.payload)), max_points))


def decode_message(
    message: MqttMessage, *, domains: Collection[str], request_id: str, max_points: int
) -> PointsRequest:
    """Partition the points of a message into sound and rejected ones.

    Args:
        message: its topic names domain, source and stream; SenML names its streams itself.
        domains: the domains that are open.
        request_id: the inbox's id of the message.
        max_points: of a message.

    Raises:
        UnusableMessageError: the topic is not `domain/source/stream`, or the payload is no JSON, of no known shape, or
            has too many points.
    """
    key = _key(message.topic, domains)
    arrived_at = message.arrived_at / 1000
    document = payload_document(message.payload)
    names_streams = is_senml(document)
    check_number(document if names_streams else _listed(document), max_points)
    items = _resolved(document, key, arrived_at) if names_streams else _listed(document)
    points: list[DataPoint] = []
    rejected: list[RejectedPoint] = []
    for index, raw in enumerate(items):
        point = _point(raw, key, arrived_at, names_streams=names_streams)
        if isinstance(point, DataPoint):
            points.append(point)
        else:
            rejected.append(RejectedPoint(index, point, raw))
    origin = {"topic": message.topic, "client_id": message.client_id}
    return PointsRequest(request_id, "mqtt", key.domain, key.source_id, arrived_at, points, rejected, origin)


def check_number(items: Sequence[object], max_points: int) -> None:
    """Refuse a message with too many points.

    Raises:
        UnusableMessageError: it has more than `max_points`.
    """
    if len(items) > max_points:
        detail = f"the payload has {len(items)} points, and {max_points} are allowed; send them in several messages"
        raise UnusableMessageError(detail)


def quarantined_message(
    message: MqttMessage, cause: str, *, message_id: str, failed_at: float, reason: QuarantineReason
) -> QuarantinedRecord:
    """The quarantined record of a message.

    Args:
        message: as `read_message` gives it.
        cause: why it is quarantined, for a person.
        message_id: the inbox's id of the message.
        failed_at: in Unix seconds.
        reason: the kind of the cause.
    """
    origin = {"topic": message.topic, "client_id": message.client_id}
    return _record(message.payload, cause, origin, message_id=message_id, failed_at=failed_at, reason=reason)


def quarantined_body(body: str, cause: str, *, message_id: str, failed_at: float) -> QuarantinedRecord:
    """The quarantined record of a message of the inbox that no topic rule wrote.

    Args:
        body: of the message.
        cause: why it is quarantined, for a person.
        message_id: the inbox's id of the message.
        failed_at: in Unix seconds.
    """
    payload = b64encode(body.encode("utf-8", "surrogatepass")).decode()
    reason = QuarantineReason.UNUSABLE_MESSAGE
    return _record(payload, cause, {}, message_id=message_id, failed_at=failed_at, reason=reason)


def _record(
    payload: str, cause: str, origin: dict[str, str], *, message_id: str, failed_at: float, reason: QuarantineReason
) -> QuarantinedRecord:
    return QuarantinedRecord(
        record_id=message_id,
        reason=reason,
        transport="mqtt",
        failed_at=failed_at,
        message=cause,
        origin=origin,
        payload=payload,
        payload_encoding="base64",
    )


def _undelivered(body: str) -> _UndeliveredMessage | None:
    try:
        return _undelivered_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return None


def _key(topic: str, domains: Collection[str]) -> StreamKey:
    try:
        key = StreamKey.parse(topic)
    except FaultyError as error:
        faults = "; ".join(f"{fault.field} {fault.message}" for fault in error.faults)
        raise UnusableMessageError(f"the topic is not domain/source/stream: {faults}") from error
    if key.domain not in domains:
        raise UnusableMessageError(f"the domain '{key.domain}' is not open; open are {', '.join(sorted(domains))}")
    return key


def payload_document(payload: str) -> Any:
    """The JSON of a payload.

    Raises:
        UnusableMessageError: the payload is no base64, empty, or no JSON.
    """
    raw = _payload(payload)
    if not raw:
        raise UnusableMessageError("the payload is empty; send a point, an array of points or SenML")
    try:
        return parse_json(raw)
    except MalformedJsonError as error:
        raise UnusableMessageError(error.of("payload")) from error


def _payload(payload: str) -> bytes:
    try:
        return b64decode(payload, validate=True)
    except ValueError as error:
        raise UnusableMessageError("the message is none of a topic rule: its payload is no base64") from error


def _resolved(pack: Any, key: StreamKey, arrived_at: float) -> Sequence[object]:
    try:
        return resolve(pack, stream_id=key.stream_id, arrived_at=arrived_at)
    except SenmlError as error:
        raise UnusableMessageError(f"the payload {error}") from error


def _listed(document: Any) -> Sequence[object]:
    if isinstance(document, dict):
        document = document.get("datapoints", [document])
    if not isinstance(document, list) or not document:
        found = "an empty array" if document == [] else json_type(document)
        raise UnusableMessageError(f"the payload must be a point, an array of points or SenML, not {found}")
    return document


def _point(raw: object, key: StreamKey, arrived_at: float, *, names_streams: bool) -> DataPoint | tuple[Fault, ...]:
    """A point with the stream of the topic and the time of the broker where it has none, or its faults."""
    if isinstance(raw, dict):
        own = raw.get("stream_id")
        if own is None:
            raw = {**raw, "stream_id": key.stream_id}
        elif own != key.stream_id and not names_streams:
            message = f"is {own!a}, but '{key.stream_id}' in the topic; leave it out, or publish to its own topic"
            return (Fault(FaultCode.CONTRADICTION, "stream_id", message),)
        raw = _with_timestamp(raw, arrived_at)
    return decode_point(raw, domain=key.domain, source_id=key.source_id, now=arrived_at)


def _with_timestamp(raw: dict[str, Any], arrived_at: float) -> dict[str, Any]:
    """The point with the time of its arrival, where it has none, and a note of that in its metadata."""
    if raw.get("timestamp") is not None:
        return raw
    metadata = {} if raw.get("metadata") is None else raw["metadata"]
    if isinstance(metadata, dict):
        metadata = {**metadata, "timestamp_source": "arrival"}
    return {**raw, "timestamp": arrived_at, "metadata": metadata}
