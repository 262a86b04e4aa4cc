"""WebSocket API: a connection a source, messages of points, and an acknowledgement of each."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from afluente.adapters.codecs.json_points import MalformedJsonError
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
    over_a_limit,
    points_request,
    read_message,
    refusal,
)
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.limits.decisions import Allowed, Throttled
from afluente.application.limits.rate_limits import Sender
from afluente.application.websocket.connections import Connection
from afluente.application.websocket.registry import RefusedError
from afluente.runtime.limiting import report
from afluente.runtime.observability import LogCode, Metric, count, invocation, logger
from afluente.runtime.ws_ingest import ws_ingest

Answer = dict[str, Any]
Bring = Callable[[PointsRequest], Wait | ErrorMessage | None]

_TOO_LATE = 'no message came in time; begin with {"action":"auth","domain":…,"source_id":…,"api_key":…}'
_UNKNOWN = 'the connection is not authenticated; begin with {"action":"auth","domain":…,"source_id":…,"api_key":…}'
_UNAVAILABLE = "no point is taken for certain; send the message again, which is safe"


def lambda_handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer one event of a connection, or look at connections that were to authenticate by now."""
    with invocation(context):
        if "Records" in event:
            return _close_unanswered(event["Records"])
        connection_id = event["requestContext"]["connectionId"]
        match event["requestContext"]["eventType"]:
            case "CONNECT":
                return _connect(event, connection_id)
            case "DISCONNECT":
                return _disconnect(connection_id)
            case _:
                return _message(event, connection_id)


def _connect(event: dict[str, Any], connection_id: str) -> Answer:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    query = event.get("queryStringParameters") or {}
    credentials = Authentication(
        query.get("domain", headers.get("x-domain")),
        query.get("source_id", headers.get("x-source-id")),
        query.get("api_key", headers.get("x-api-key")),
    )
    try:
        if _over_connections(event):
            return {"statusCode": 429}
        if credentials.api_key is None:
            ws_ingest().unanswered.put(connection_id)
        else:
            _open(connection_id, credentials)
    except RefusedError as error:
        logger().warning("connection refused", code=LogCode.CONNECTION_REFUSED, cause=str(error))
        return {"statusCode": 403 if error.is_known else 401, "body": str(error)}
    except UnavailableError as error:
        logger().error("connection not opened", code=LogCode.CONNECTION_REFUSED, cause=str(error))
        return {"statusCode": 503}
    return {"statusCode": 200}


def _disconnect(connection_id: str) -> Answer:
    try:
        ws_ingest().connections.close(connection_id)
    except UnavailableError as error:
        # It is forgotten in time by itself.
        logger().warning("connection not forgotten", code=LogCode.CONNECTION_CLOSED, cause=str(error))
    else:
        logger().info("connection closed", code=LogCode.CONNECTION_CLOSED, connection_id=connection_id)
    return {"statusCode": 200}


def _message(event: dict[str, Any], connection_id: str) -> Answer:
    try:
        answer = _answer_to(event, connection_id)
    except RefusedError as error:
        answer = refusal("forbidden" if error.is_known else "unauthorized", str(error))
        try:
            _drop(connection_id, answer)
        except UnavailableError as unavailable:
            # The client has it as an answer then, and is refused again if it goes on.
            logger().error("connection not closed", code=LogCode.CONNECTION_REFUSED, cause=str(unavailable))
        else:
            return {"statusCode": 200}
    except UnavailableError as error:
        logger().error("queue unavailable", code=LogCode.QUEUE_UNAVAILABLE, cause=str(error))
        answer = Wait(RETRY_AFTER_SECONDS, _UNAVAILABLE)
    if isinstance(answer, ErrorMessage):
        logger().info("message refused", code=LogCode.REQUEST_REFUSED, problem=answer.reason)
    return {"statusCode": 200, "body": encode(answer)}


def _answer_to(event: dict[str, Any], connection_id: str) -> object:
    message = read_message(event.get("body") or "")
    if isinstance(message, Authentication) and message.api_key is not None:
        over = _over_connections(event)
        return over_a_limit(over) if over else _authenticated(_open(connection_id, message))
    connection = ws_ingest().connections.find(connection_id, time.time())
    if connection is None:
        raise RefusedError(_UNKNOWN)
    sender = Sender(client_address(event), connection.key_id, connection.limits)
    entered = ws_ingest().limits.admit_request(sender, time.time())
    report([entered])
    if isinstance(entered, Throttled):
        return over_a_limit(entered)
    match message:
        case Authentication():
            return _authenticated(connection)
        case Points():
            return _take(message, connection, event["requestContext"]["requestId"], partial(_bring, sender, entered))
        case Ping():
            return Pong()
        case ErrorMessage():
            return message


def _open(connection_id: str, credentials: Authentication) -> Connection:
    opened = ws_ingest().connections.open(
        connection_id,
        domain=credentials.domain,
        source_id=credentials.source_id,
        api_key=credentials.api_key,
        now=time.time(),
    )
    logger().info(
        "connection opened", code=LogCode.CONNECTION_OPENED, connection_id=connection_id, domain=opened.domain
    )
    return opened


def _authenticated(connection: Connection) -> Authenticated:
    last = ws_ingest().connections.last_sequence(connection)
    return Authenticated(connection.domain, connection.source_id, last)


def _over_connections(event: dict[str, Any]) -> Throttled | None:
    """The limit of connections that an address is over; None where it may open another."""
    entered = ws_ingest().limits.admit_connection(client_address(event), time.time())
    report([entered])
    return entered if isinstance(entered, Throttled) else None


def _bring(sender: Sender, entered: Allowed, request: PointsRequest) -> Wait | ErrorMessage | None:
    """Take the points of a message; gives the answer where a limit is over."""
    brought = ws_ingest().limits.admit_points(sender, request.batches, entered, time.time())
    report([brought])
    return over_a_limit(brought) if isinstance(brought, Throttled) else None


def _take(message: Points, connection: Connection, request_id: str, bring: Bring) -> object:
    now = time.time()
    fault = contradiction(message, connection)
    if fault:
        return fault
    try:
        request = points_request(message, connection, request_id=request_id, now=now)
    except MalformedJsonError as error:
        return ErrorMessage(INVALID, "malformed_json", error.of("message"))
    over = bring(request)
    if over:
        return over
    function = ws_ingest()
    if not function.accept(request):
        logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, request_id=request_id)
    try:
        function.connections.acknowledge(connection, request.points, now)
    except UnavailableError as error:
        # The points are queued all the same; a client that resumes from an earlier one changes nothing.
        logger().warning("sequence not recorded", code=LogCode.SEQUENCE_NOT_RECORDED, cause=str(error))
    _report(request)
    told = acknowledgements(message, request.rejected)
    return told[0] if message.is_one else told


def _report(request: PointsRequest) -> None:
    inserted, rejected = len(request.points), len(request.rejected)
    logger().info("message accepted", code=LogCode.MESSAGES_ACCEPTED, messages=1, inserted=inserted, rejected=rejected)
    count({Metric.POINTS_ACCEPTED: inserted, Metric.POINTS_REJECTED: rejected})


def _drop(connection_id: str, error: ErrorMessage) -> None:
    """Say why, then close: API Gateway can send no close code of ours."""
    logger().warning("connection dropped", code=LogCode.CONNECTION_REFUSED, cause=error.message)
    gateway = ws_ingest().gateway
    gateway.send(connection_id, error)
    gateway.close(connection_id)


def _close_unanswered(records: list[dict[str, Any]]) -> Answer:
    failed = []
    for record in records:
        connection_id = record["body"]
        try:
            if ws_ingest().connections.find(connection_id, time.time()) is None:
                _drop(connection_id, refusal("unauthorized", _TOO_LATE))
        except UnavailableError as error:
            logger().warning("connection not closed", code=LogCode.CONNECTION_REFUSED, cause=str(error))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
