"""What the Lambda authorizer tells the function behind it.

API Gateway answers for an authorizer that says no, in a form that cannot be set. So the authorizer says who is calling,
also when it is nobody, and the function answers; a function that finds no grant refuses.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from afluente.application.access.grants import Grant

_decoder = msgspec.json.Decoder(Grant)


def authorizer_answer(grant: Grant | None) -> dict[str, Any]:
    """The authorizer's answer, in the simple form of payload 2.0; API Gateway keeps it for the same key."""
    context = {"grant": msgspec.json.encode(grant).decode()} if grant else {}
    return {"isAuthorized": True, "context": context}


def turned_away() -> dict[str, Any]:
    """The authorizer's answer to a flood: API Gateway answers 403 by itself, and no function is asked."""
    return {"isAuthorized": False}


def grant_of(event: Mapping[str, Any]) -> Grant | None:
    """What the caller behind an event of an HTTP API may do; None where the authorizer let nobody in."""
    authorizer = event["requestContext"].get("authorizer", {})
    grant = (authorizer.get("lambda") or {}).get("grant")
    return _decoder.decode(grant) if grant else None
