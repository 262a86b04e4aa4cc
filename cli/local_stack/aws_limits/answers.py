"""Answers of the emulator's services, as AWS's JSON protocol has them."""

import json
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

BAD_REQUEST = 400


def answer(document: dict[str, Any]) -> Answer:
    """A request that succeeded."""
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()


def refusal(code: str, message: str, status: int = BAD_REQUEST, **members: Any) -> Answer:
    """A request that was refused, with the error's code in the body and in the header."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
    return status, headers, json.dumps({"__type": code, "message": message, **members}).encode()
