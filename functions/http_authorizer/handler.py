"""Lambda authorizer of the HTTP API: finds the grant of a caller by the header X-API-Key."""

import time
from typing import Any

from afluente.adapters.http.authorization import authorizer_answer, turned_away
from afluente.adapters.http.client_address import client_address
from afluente.application.access.grants import Grant
from afluente.application.access.key_guard import Refusal
from afluente.application.limits.rules import Subject
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.entry_point import entry_point
from afluente.runtime.http_authorizer import HttpAuthorizer, compose


def handle(event: dict[str, Any], _context: Any, function: HttpAuthorizer) -> dict[str, Any]:
    """Authenticate one caller, an event of payload format 2.0; a failure makes API Gateway answer 500.

    In a stage with a front, the address is the one that the front saw, and a request that bypassed it is turned away:
    API Gateway caches that by the key and what was shown in place of the front's secret.
    """
    if function.front is not None and not function.front.has_passed(event):
        logger().warning("front bypassed", code=LogCode.REQUEST_REFUSED, problem="around_the_front")
        return turned_away()
    address = client_address(event, function.front)
    found = function.authenticate(event["identitySource"][0], address, time.time())
    match found:
        case Grant():
            logger().info("key accepted", code=LogCode.KEY_ACCEPTED, key_id=found.key_id)
            return authorizer_answer(found)
        case Refusal.FLOOD:
            logger().warning("key not looked up", code=LogCode.RATE_LIMITED, subject=f"{Subject.IP}:{address}")
            count({Metric.KEYS_TURNED_AWAY: 1})
            return turned_away()
        case Refusal.UNKNOWN:
            logger().warning("key refused", code=LogCode.KEY_REFUSED)
            return authorizer_answer(None)


lambda_handler = entry_point(compose, handle)
