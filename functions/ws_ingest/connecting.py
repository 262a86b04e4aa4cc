"""Opening and closing of connections."""

import time
from collections.abc import Sequence
from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer
from afluente.adapters.http.client_address import client_address
from afluente.adapters.websocket.messages import Authentication, ErrorMessage, refusal
from afluente.application.errors import UnavailableError
from afluente.application.limits.decisions import Throttled
from afluente.application.websocket.connections import Connection
from afluente.application.websocket.registry import RefusedError
from afluente.runtime.core.observability import LogCode, logger
from afluente.runtime.records import process_each
from afluente.runtime.ws_ingest import WsIngest

Event = dict[str, Any]

_TOO_LATE = 'no message came in time; begin with {"action":"auth","domain":…,"source_id":…,"api_key":…}'


def connect(event: Event, function: WsIngest) -> Event:
    """Open a connection with the key of the request, or look at it again later, where the request has none."""
    connection_id = event["requestContext"]["connectionId"]
    credentials = _credentials(event)
    try:
        if isinstance(function.limits.admit_connection(client_address(event), time.time()), Throttled):
            return {"statusCode": 429}
        if credentials.api_key is None:
            function.unanswered.put(connection_id)
        else:
            open_connection(connection_id, credentials, function)
    except RefusedError as error:
        logger().warning("connection refused", code=LogCode.CONNECTION_REFUSED, cause=str(error))
        return {"statusCode": 403 if error.is_known else 401, "body": str(error)}
    except UnavailableError as error:
        logger().error("connection not opened", code=LogCode.CONNECTION_REFUSED, cause=str(error))
        return {"statusCode": 503}
    return {"statusCode": 200}


def open_connection(connection_id: str, credentials: Authentication, function: WsIngest) -> Connection:
    """Authenticate a connection.

    Raises:
        RefusedError: the key is not good for the source, or the connection is for another one.
        UnavailableError: a store does not answer.
    """
    opened = function.connections.open(
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


def disconnect(event: Event, function: WsIngest) -> Event:
    """Delete the state of a closed connection."""
    connection_id = event["requestContext"]["connectionId"]
    try:
        function.connections.close(connection_id)
    except UnavailableError as error:
        # It expires in time.
        logger().warning("connection not deleted", code=LogCode.CONNECTION_CLOSED, cause=str(error))
    else:
        logger().info("connection closed", code=LogCode.CONNECTION_CLOSED, connection_id=connection_id)
    return {"statusCode": 200}


def close_unanswered(records: Sequence[Event], function: WsIngest) -> Event:
    """Close connections that have not authenticated in time; answers which records are retried."""
    return batch_answer(process_each(records, lambda record: _is_closed(record["body"], function)))


def _is_closed(connection_id: str, function: WsIngest) -> bool:
    """Close a connection that has not authenticated."""
    try:
        if function.connections.find(connection_id, time.time()) is None:
            drop(connection_id, refusal("unauthorized", _TOO_LATE), function)
    except UnavailableError as error:
        logger().warning("connection not closed", code=LogCode.CONNECTION_REFUSED, cause=str(error))
        return False
    return True


def drop(connection_id: str, error: ErrorMessage, function: WsIngest) -> None:
    """Send the reason, then close: API Gateway sends no close code of ours.

    Raises:
        UnavailableError: API Gateway does not answer.
    """
    logger().warning("connection dropped", code=LogCode.CONNECTION_REFUSED, cause=error.message)
    function.gateway.send(connection_id, error)
    function.gateway.close(connection_id)


def _credentials(event: Event) -> Authentication:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    query = event.get("queryStringParameters") or {}
    return Authentication(
        query.get("domain", headers.get("x-domain")),
        query.get("source_id", headers.get("x-source-id")),
        query.get("api_key", headers.get("x-api-key")),
    )
