"""Messages of the WebSocket API, both ways; docs/reference/websocket.md is the protocol."""

from collections.abc import Sequence
from typing import Any

import msgspec

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.codecs.json_points import JsonPoint, partition_points
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.rejection import RejectedPoint
from afluente.application.limits.decisions import Throttled
from afluente.application.limits.explanation import explain
from afluente.application.redaction import redacted
from afluente.application.websocket.connections import Connection
from afluente.domain.datapoints import MAX_SEQUENCE
from afluente.domain.stream_keys import json_type

MAX_POINTS = 1_000
"""Points of one message."""

MAX_ANSWER_BYTES = 120_000
"""A little under the 128 KB of a message of API Gateway ("WebSocket message payload size")."""

MAX_SHOWN = 200
"""Characters of a value that an error repeats."""

RETRY_AFTER_SECONDS = 2
"""Seconds that a client waits while the queue is unavailable."""

INVALID = 1007
REFUSED = 1008
TOO_BIG = 1009
"""Codes of errors: those of RFC 6455, section 7.4.1."""


class Authentication(msgspec.Struct, frozen=True):
    """`{"action": "auth"}`: credentials. Without a key, a query for the last acknowledged sequence."""

    domain: object = None
    source_id: object = None
    api_key: object = None


class Ping(msgspec.Struct, frozen=True):
    """`{"action": "ping"}`: keeps the connection alive."""


class Points(msgspec.Struct, frozen=True):
    """Points of a message.

    Attributes:
        items: `JsonPoint`s, or JSON values of any kind.
        is_single: true for one point without an array; its acknowledgement is one without an array, too.
        origin: domain and source of the points, as far as the message names them.
    """

    items: Sequence[object]
    is_single: bool = False
    origin: dict[str, object] = {}


class ErrorMessage(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """The answer to a message that is rejected as a whole; with the code 1008 the connection ends."""

    code: int
    reason: str
    message: str


class Authenticated(msgspec.Struct, frozen=True, tag_field="type", tag="authenticated"):
    """The answer to `auth`, with the last acknowledged sequence of the source."""

    domain: str
    source_id: str
    last_sequence: int | None


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to `ping`."""


class ExceededLimit(msgspec.Struct, frozen=True):
    """A limit that a message exceeds.

    Attributes:
        subject: the kind of its subject: `ip`, `key` or `source`.
        name: the subject.
        dimension: `requests`, `points` or `points_per_day`.
        limit: the most that may come at once, or on one day.
        per_second: the steady rate; null for a day.
        needed: by the message.
    """

    subject: str
    name: str
    dimension: str
    limit: int
    per_second: float | None
    needed: int


class Wait(msgspec.Struct, frozen=True, tag_field="type", tag="wait", omit_defaults=True):
    """The answer to a message of which nothing is accepted for certain, and which the client is to send again.

    Attributes:
        retry_after: seconds.
        message: the cause, for a person.
        limit: the exceeded one, if that is the cause.
    """

    retry_after: int
    message: str
    limit: ExceededLimit | None = None


class Acknowledgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """The acknowledgement of one point."""

    sequence: int | None
    status: str
    code: str | None = None
    message: str | None = None


Incoming = Authentication | Ping | Points | ErrorMessage

_points_decoder = msgspec.json.Decoder(list[JsonPoint])
_encoder = msgspec.json.Encoder()


def read_message(body: str) -> Incoming:
    """Read a message of a client, or the error in it."""
    try:
        # The fast path, for an array of sound points.
        return _points(_points_decoder.decode(body))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        document = parse_json(body.encode("utf-8", "surrogatepass"))
    except MalformedJsonError as error:
        return ErrorMessage(INVALID, "malformed_json", error.of("message"))
    if isinstance(document, list):
        return _points(document)
    if isinstance(document, dict):
        return _action(document) if "action" in document else _object(document)
    return _invalid(f"the message must be an object or an array of points, not {json_type(document)}")


def points_request(message: Points, connection: Connection, *, request_id: str, now: float) -> PointsRequest:
    """Partition the points of a message into sound and rejected ones.

    Raises:
        MalformedJsonError: a rejected point nests too deeply to be quarantined.
    """
    domain, source_id = connection.domain, connection.source_id
    points, rejected = partition_points(message.items, domain=domain, source_id=source_id, now=now)
    return PointsRequest(
        request_id, "ws", connection.domain, connection.source_id, now, points, rejected,
        {"connection_id": connection.connection_id},
    )  # fmt: skip


def contradiction(message: Points, connection: Connection) -> ErrorMessage | None:
    """The error of a message that names another domain or source than its connection."""
    for name, value in message.origin.items():
        bound = getattr(connection, name)
        if value != bound:
            return _invalid(
                f"{name} is {_shown(value)}, but the connection is for '{bound}'; leave it out, or connect anew"
            )
    return None


def acknowledgements(message: Points, rejected: Sequence[RejectedPoint]) -> list[Acknowledgement]:
    """An acknowledgement for each point, in their order; without messages if they made the answer too large."""
    faulty = {point.index: point for point in rejected}
    answers = []
    for index, item in enumerate(message.items):
        sequence = _sequence(item)
        if index not in faulty:
            answers.append(Acknowledgement(sequence, "ok"))
            continue
        faults = faulty[index].faults
        text = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        answers.append(Acknowledgement(sequence, "error", faults[0].code, text))
    if len(_encoder.encode(answers)) > MAX_ANSWER_BYTES:
        # The client needs the acknowledgements; the codes and the quarantine tell the faults as well.
        return [msgspec.structs.replace(one, message=None) for one in answers]
    return answers


def encode(answer: object) -> str:
    """Encode an answer; a fault repeats a part of the message, in which a key is masked."""
    return redacted(_encoder.encode(answer).decode())


def throttled_answer(throttled: Throttled) -> Wait | ErrorMessage:
    """The answer to a throttled message: when to retry it, or that it would never be allowed."""
    if throttled.retry_after is None:
        return ErrorMessage(TOO_BIG, "over_the_burst", explain(throttled))
    rule, demand = throttled.rule, throttled.demand
    limit = ExceededLimit(demand.kind, demand.name, rule.dimension, int(rule.size), rule.rate or None, throttled.needed)
    return Wait(throttled.retry_after, f"{explain(throttled)}; nothing of the message is taken", limit)


def refusal(reason: str, message: str) -> ErrorMessage:
    """The error that ends a connection."""
    return ErrorMessage(REFUSED, reason, message)


def _object(document: dict[str, Any]) -> Points | ErrorMessage:
    origin = {name: document[name] for name in ("domain", "source_id") if document.get(name) is not None}
    if "datapoints" not in document:
        return Points([document], is_single=True, origin=origin)
    items = document["datapoints"]
    if not isinstance(items, list):
        return _invalid(f"datapoints must be an array, not {json_type(items)}")
    return _points(items, origin)


def _action(document: dict[str, Any]) -> Incoming:
    match document["action"]:
        case "auth":
            return Authentication(document.get("domain"), document.get("source_id"), document.get("api_key"))
        case "ping":
            return Ping()
        case action:
            return _invalid(f"the action {_shown(action)} is unknown; there are auth and ping, and points have none")


def _points(items: Sequence[object], origin: dict[str, object] | None = None) -> Points | ErrorMessage:
    if not items:
        return _invalid(f"an array must have 1 to {MAX_POINTS} points")
    if len(items) > MAX_POINTS:
        detail = f"{len(items)} points are more than {MAX_POINTS}; send them in several messages"
        return ErrorMessage(TOO_BIG, "too_many_points", detail)
    return Points(items, origin=origin or {})


def _invalid(message: str) -> ErrorMessage:
    return ErrorMessage(INVALID, "invalid_message", message)


def _shown(value: object) -> str:
    """A value of a message for people, of a long one the beginning."""
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _sequence(item: object) -> int | None:
    sequence = (
        item.sequence if isinstance(item, JsonPoint) else item.get("sequence") if isinstance(item, dict) else None
    )
    return sequence if type(sequence) is int and 0 <= sequence <= MAX_SEQUENCE else None
