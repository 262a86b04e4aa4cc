"""The answer of the Lambda authorizer, and the grant that it hands to the function behind it.

API Gateway answers itself where an authorizer refuses, in a form that cannot be set. So the authorizer lets everybody
through, with a grant or without one, and the function refuses a caller without a grant.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from afluente.application.access.grants import Grant

_decoder = msgspec.json.Decoder(Grant)


def authorizer_answer(grant: Grant | None) -> dict[str, Any]:
    """The authorizer's answer, in the simple form of payload 2.0; API Gateway caches it by key."""
    context = {"grant": msgspec.json.encode(grant).decode()} if grant else {}
    return {"isAuthorized": True, "context": context}


def turned_away() -> dict[str, Any]:
    """The authorizer's answer to a flood, or to a bypassed front: API Gateway answers 403 itself, and no function is
    called.
    """
    return {"isAuthorized": False}


def grant_of(event: Mapping[str, Any]) -> Grant | None:
    """The grant in an event of an HTTP API; None where the authorizer found none."""
    authorizer = event["requestContext"].get("authorizer", {})
    grant = (authorizer.get("lambda") or {}).get("grant")
    return _decoder.decode(grant) if grant else None
