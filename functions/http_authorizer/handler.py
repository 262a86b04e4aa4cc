"""Lambda authorizer of the HTTP API: finds the grant of a caller by the header X-API-Key."""

import time
from typing import Any

from afluente.adapters.http.authorization import authorizer_answer, flooded
from afluente.adapters.http.client_address import client_address
from afluente.application.access.grants import Grant
from afluente.application.access.key_guard import Refusal
from afluente.application.limits.rules import Subject
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.entry_point import entry_point
from afluente.runtime.http_authorizer import HttpAuthorizer, compose


def handle(event: dict[str, Any], _context: Any, function: HttpAuthorizer) -> dict[str, Any]:
    """Authenticate one caller, an event of payload format 2.0; a failure makes API Gateway answer 500."""
    address = client_address(event)
    found = function.authenticate(event["identitySource"][0], address, time.time())
    match found:
        case Grant():
            logger().info("key accepted", code=LogCode.KEY_ACCEPTED, key_id=found.key_id)
            return authorizer_answer(found)
        case Refusal.FLOOD:
            logger().warning("key not looked up", code=LogCode.RATE_LIMITED, subject=f"{Subject.IP}:{address}")
            count({Metric.KEYS_TURNED_AWAY: 1})
            return flooded()
        case Refusal.UNKNOWN:
            logger().warning("key refused", code=LogCode.KEY_REFUSED)
            return authorizer_answer(None)


lambda_handler = entry_point(compose, handle)
