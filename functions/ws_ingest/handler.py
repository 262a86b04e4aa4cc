"""WebSocket API: a connection a source, messages of points, and an acknowledgement of each."""

from typing import Any

from afluente.runtime.entry_point import entry_point
from afluente.runtime.ws_ingest import WsIngest, compose
from ws_ingest.connecting import close_unanswered, connect, disconnect
from ws_ingest.messages import answer_message


def handle(event: dict[str, Any], _context: Any, function: WsIngest) -> dict[str, Any]:
    """Answer one event of a connection, or close connections that have not authenticated in time."""
    if "Records" in event:
        return close_unanswered(event["Records"], function)
    match event["requestContext"]["eventType"]:
        case "CONNECT":
            return connect(event, function)
        case "DISCONNECT":
            return disconnect(event, function)
        case _:
            return answer_message(event, function)


lambda_handler = entry_point(compose, handle)
