"""Messages of the WebSocket API, both ways; docs/reference/websocket.md is the protocol."""

from collections.abc import Sequence
from typing import Any

import msgspec

from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.codecs.json_points import JsonPoint, partition_points
from afluente.application.ingest.accept_points import PointsRequest, RejectedPoint
from afluente.application.limits.decisions import Throttled
from afluente.application.limits.explanation import explain
from afluente.application.redaction import redacted
from afluente.application.websocket.connections import Connection
from afluente.domain.datapoints import MAX_SEQUENCE
from afluente.domain.stream_keys import json_type

MAX_POINTS = 1_000
"""Of one message."""

MAX_ANSWER_BYTES = 120_000
"""A little under the 128 KB of a message of API Gateway ("WebSocket message payload size")."""

RETRY_AFTER_SECONDS = 2
"""How long a client is told to wait while the queue does not take points."""

INVALID = 1007
REFUSED = 1008
TOO_BIG = 1009
"""What errors are numbered by: RFC 6455, section 7.4.1."""


class Authentication(msgspec.Struct, frozen=True):
    """`{"action": "auth"}`: who sends. Without a key, the question how far the source is acknowledged."""

    domain: object = None
    source_id: object = None
    api_key: object = None


class Ping(msgspec.Struct, frozen=True):
    """`{"action": "ping"}`: keeps the connection alive."""


class Points(msgspec.Struct, frozen=True):
    """Points to be taken.

    Attributes:
        items: `JsonPoint`s, or JSON values of any kind.
        is_one: whether it was a point of its own and no array; its acknowledgement is one then, too.
        said: what the message itself says of the domain and the source of its points.
    """

    items: Sequence[object]
    is_one: bool = False
    said: dict[str, object] = {}


class ErrorMessage(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """A message that cannot be taken as a whole; with the code 1008 the connection ends."""

    code: int
    reason: str
    message: str


class Authenticated(msgspec.Struct, frozen=True, tag_field="type", tag="authenticated"):
    """The answer to `auth`: how far the source is acknowledged."""

    domain: str
    source_id: str
    last_sequence: int | None


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to `ping`."""


class LimitTold(msgspec.Struct, frozen=True):
    """A limit that is over.

    Attributes:
        subject: what it is for: `ip`, `key` or `source`.
        name: which one.
        dimension: what is counted: `requests`, `points` or `points_per_day`.
        limit: how many may come at once, or on one day.
        per_second: the steady rate; None of a day.
        needed: by the message.
    """

    subject: str
    name: str
    dimension: str
    limit: int
    per_second: float | None
    needed: int


class Wait(msgspec.Struct, frozen=True, tag_field="type", tag="wait", omit_defaults=True):
    """Nothing of the message is taken for certain; it is to be sent again after so many seconds.

    Attributes:
        retry_after: seconds.
        message: why, for a person.
        limit: the one that is over, where that is why.
    """

    retry_after: int
    message: str
    limit: LimitTold | None = None


class Acknowledgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one point."""

    sequence: int | None
    status: str
    code: str | None = None
    message: str | None = None


Incoming = Authentication | Ping | Points | ErrorMessage

_points_decoder = msgspec.json.Decoder(list[JsonPoint])
_encoder = msgspec.json.Encoder()


def read_message(body: str) -> Incoming:
    """What a client says, or what is wrong with it."""
    try:
        # The quick way, for an array of sound points.
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
    """Sort the points of a message into those that can be taken and those that cannot.

    Raises:
        MalformedJsonError: a point that has a fault nests too deeply to be kept.
    """
    domain, source_id = connection.domain, connection.source_id
    points, rejected = partition_points(message.items, domain=domain, source_id=source_id, now=now)
    return PointsRequest(
        request_id, "ws", connection.domain, connection.source_id, now, points, rejected,
        {"connection_id": connection.connection_id},
    )  # fmt: skip


def contradiction(message: Points, connection: Connection) -> ErrorMessage | None:
    """What a message says of its source against what its connection is for."""
    for name, said in message.said.items():
        bound = getattr(connection, name)
        if said != bound:
            return _invalid(f"{name} is {said!a}, but the connection is for '{bound}'; leave it out, or connect anew")
    return None


def acknowledgements(message: Points, rejected: Sequence[RejectedPoint]) -> list[Acknowledgement]:
    """An acknowledgement a point, in their order; without messages where the answer would be too large with them."""
    faulty = {point.index: point for point in rejected}
    told = []
    for index, item in enumerate(message.items):
        sequence = _sequence(item)
        if index not in faulty:
            told.append(Acknowledgement(sequence, "ok"))
            continue
        faults = faulty[index].faults
        text = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        told.append(Acknowledgement(sequence, "error", faults[0].code, text))
    if len(_encoder.encode(told)) > MAX_ANSWER_BYTES:
        # The client has to have the acknowledgements; what is wrong it can look up by the codes, or in quarantine.
        return [msgspec.structs.replace(one, message=None) for one in told]
    return told


def encode(answer: object) -> str:
    """An answer as a client gets it; a fault is told with what the client sent, but for a key in it."""
    return redacted(_encoder.encode(answer).decode())


def throttled_answer(throttled: Throttled) -> Wait | ErrorMessage:
    """The answer to a throttled message: when to retry it, or that it would never be allowed."""
    if throttled.retry_after is None:
        return ErrorMessage(TOO_BIG, "over_the_burst", explain(throttled))
    rule, demand = throttled.rule, throttled.demand
    limit = LimitTold(demand.kind, demand.name, rule.dimension, int(rule.size), rule.rate or None, throttled.needed)
    return Wait(throttled.retry_after, f"{explain(throttled)}; nothing of the message is taken", limit)


def refusal(reason: str, message: str) -> ErrorMessage:
    """The error with which a connection ends."""
    return ErrorMessage(REFUSED, reason, message)


def _object(document: dict[str, Any]) -> Points | ErrorMessage:
    said = {name: document[name] for name in ("domain", "source_id") if document.get(name) is not None}
    if "datapoints" not in document:
        return Points([document], is_one=True, said=said)
    items = document["datapoints"]
    if not isinstance(items, list):
        return _invalid(f"datapoints must be an array, not {json_type(items)}")
    return _points(items, said)


def _action(document: dict[str, Any]) -> Incoming:
    match document["action"]:
        case "auth":
            return Authentication(document.get("domain"), document.get("source_id"), document.get("api_key"))
        case "ping":
            return Ping()
        case action:
            return _invalid(f"the action {action!a} is unknown; there are auth and ping, and points have none")


def _points(items: Sequence[object], said: dict[str, object] | None = None) -> Points | ErrorMessage:
    if not items:
        return _invalid(f"an array must have 1 to {MAX_POINTS} points")
    if len(items) > MAX_POINTS:
        told = f"{len(items)} points are more than {MAX_POINTS}; send them in several messages"
        return ErrorMessage(TOO_BIG, "too_many_points", told)
    return Points(items, said=said or {})


def _invalid(message: str) -> ErrorMessage:
    return ErrorMessage(INVALID, "invalid_message", message)


def _sequence(item: object) -> int | None:
    sequence = (
        item.sequence if isinstance(item, JsonPoint) else item.get("sequence") if isinstance(item, dict) else None
    )
    return sequence if type(sequence) is int and 0 <= sequence <= MAX_SEQUENCE else None
