"""Lambda authorizer of the HTTP API: who is calling, by the header X-API-Key."""

import time
from typing import Any

from afluente.adapters.http_authorization import authorizer_answer
from afluente.runtime.composition import http_authorizer
from afluente.runtime.observability import LogCode, invocation, logger


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Authenticate one caller, an event of payload format 2.0; a failure makes API Gateway answer 500."""
    with invocation(context):
        grant = http_authorizer().authenticate(event["identitySource"][0], time.time())
        if grant is None:
            logger().warning("key refused", code=LogCode.KEY_REFUSED)
            return authorizer_answer(None)
        logger().info("key accepted", code=LogCode.KEY_ACCEPTED, key_id=grant.key_id)
        return authorizer_answer(grant)
