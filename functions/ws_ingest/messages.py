"""Answers to the messages of a connection."""

import time
from typing import Any

from afluente.adapters.codecs.json_documents import MalformedJsonError
from afluente.adapters.http.client_address import client_address
from afluente.adapters.websocket.messages import (
    INVALID,
    RETRY_AFTER_SECONDS,
    Authenticated,
    Authentication,
    ErrorMessage,
    Ping,
    Points,
    Pong,
    Wait,
    acknowledgements,
    contradiction,
    encode,
    points_request,
    read_message,
    refusal,
    throttled_answer,
)
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.limits.decisions import Allowed, Throttled
from afluente.application.limits.rate_limits import Sender
from afluente.application.websocket.connections import Connection
from afluente.application.websocket.registry import RefusedError
from afluente.runtime.core.observability import LogCode, Metric, count, logger, observe
from afluente.runtime.ws_ingest import WsIngest
from ws_ingest.connecting import drop, open_connection

Event = dict[str, Any]

_UNKNOWN = 'the connection is not authenticated; begin with {"action":"auth","domain":…,"source_id":…,"api_key":…}'
_UNAVAILABLE = "no point is taken for certain; send the message again, which is safe"


def answer_message(event: Event, function: WsIngest) -> Event:
    """Answer one message; close the connection where it may not send what it does."""
    try:
        answer = _answer(event, function)
    except RefusedError as error:
        answer = refusal("forbidden" if error.is_known else "unauthorized", str(error))
        try:
            drop(event["requestContext"]["connectionId"], answer, function)
        except UnavailableError as unavailable:
            # The client has it as an answer then, and is refused again if it goes on.
            logger().error("connection not closed", code=LogCode.CONNECTION_REFUSED, cause=str(unavailable))
        else:
            return {"statusCode": 200}
    except UnavailableError as error:
        logger().error("queue unavailable", code=LogCode.QUEUE_UNAVAILABLE, cause=str(error))
        answer = Wait(RETRY_AFTER_SECONDS, _UNAVAILABLE)
    requested_at = event["requestContext"]["requestTimeEpoch"] / 1000
    observe(Metric.REQUEST_TO_ANSWER, [time.time() - requested_at], transport="ws")
    if isinstance(answer, ErrorMessage):
        logger().info("message refused", code=LogCode.REQUEST_REFUSED, problem=answer.reason)
    return {"statusCode": 200, "body": encode(answer)}


def _answer(event: Event, function: WsIngest) -> object:
    message = read_message(event.get("body") or "")
    if isinstance(message, Authentication) and message.api_key is not None:
        return _authenticate(message, event, function)
    connection = function.connections.find(event["requestContext"]["connectionId"], time.time())
    if connection is None:
        raise RefusedError(_UNKNOWN)
    admitted = function.limits.admit_request(_sender(event, connection), time.time())
    if isinstance(admitted, Throttled):
        return throttled_answer(admitted)
    match message:
        case Authentication():
            return _authenticated(connection, function)
        case Points():
            return _ingest(message, event, connection, admitted, function)
        case Ping():
            return Pong()
        case ErrorMessage():
            return message


def _authenticate(message: Authentication, event: Event, function: WsIngest) -> object:
    admitted = function.limits.admit_connection(client_address(event), time.time())
    if isinstance(admitted, Throttled):
        return throttled_answer(admitted)
    connection = open_connection(event["requestContext"]["connectionId"], message, function)
    return _authenticated(connection, function)


def _authenticated(connection: Connection, function: WsIngest) -> Authenticated:
    last = function.connections.last_sequence(connection)
    return Authenticated(connection.domain, connection.source_id, last)


def _ingest(message: Points, event: Event, connection: Connection, admitted: Allowed, function: WsIngest) -> object:
    now = time.time()
    fault = contradiction(message, connection)
    if fault:
        return fault
    try:
        request = points_request(message, connection, request_id=event["requestContext"]["requestId"], now=now)
    except MalformedJsonError as error:
        return ErrorMessage(INVALID, "malformed_json", error.of("message"))
    decision = function.limits.admit_points(_sender(event, connection), request.batches, admitted, now)
    if isinstance(decision, Throttled):
        return throttled_answer(decision)
    quarantined = function.accept(request)
    _record_sequence(connection, request, function)
    _report(request, quarantined=quarantined)
    answers = acknowledgements(message, request.rejected)
    return answers[0] if message.is_single else answers


def _sender(event: Event, connection: Connection) -> Sender:
    return Sender(client_address(event), connection.key_id, connection.limits)


def _record_sequence(connection: Connection, request: PointsRequest, function: WsIngest) -> None:
    try:
        function.connections.acknowledge(connection, request.points, request.received_at)
    except UnavailableError as error:
        # The points are queued all the same; a client that resumes from an earlier one changes nothing.
        logger().warning("sequence not recorded", code=LogCode.SEQUENCE_NOT_RECORDED, cause=str(error))


def _report(request: PointsRequest, *, quarantined: bool) -> None:
    inserted, rejected = len(request.points), len(request.rejected)
    logger().info("message accepted", code=LogCode.MESSAGES_ACCEPTED, messages=1, inserted=inserted, rejected=rejected)
    if not quarantined:
        logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, request_id=request.request_id)
    count({Metric.POINTS_ACCEPTED: inserted, Metric.POINTS_REJECTED: rejected})
