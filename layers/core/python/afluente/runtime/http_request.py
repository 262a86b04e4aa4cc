"""Request over HTTP, as the handlers of routes with a key have it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from afluente.adapters.http.rate_limits import rate_limit_headers, rate_limited
from afluente.adapters.http.requests import read_body
from afluente.application.access.grants import Grant
from afluente.application.limits.decisions import Allowed, Batch, Throttled
from afluente.application.limits.rate_limits import RateLimits, Sender

Event = dict[str, Any]


class Request:
    """Request of a caller with a grant, within the rate limits of its address and its key.

    Args:
        event: of API Gateway, in payload format 2.0.
        grant: of the caller.
        address: of the caller; empty where it is unknown.
        limits: of the stage.

    Raises:
        RequestError: 429, the address or the key is throttled.
        UnavailableError: the request cannot be counted, and the limits fail shut.
    """

    def __init__(self, event: Event, grant: Grant, *, address: str, limits: RateLimits) -> None:
        self.event = event
        self.grant = grant
        self._limits = limits
        self._sender = Sender(address, grant.key_id, grant.limits)
        self._allowed = _allowed_or_raise(limits.admit_request(self._sender, time.time()))

    @property
    def id(self) -> str:
        """API Gateway's id of the request."""
        return str(self.event["requestContext"]["requestId"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by lower-case name."""
        headers: Mapping[str, str] = self.event["headers"]
        return headers

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query, by name."""
        return self.event.get("queryStringParameters") or {}

    def body(self) -> bytes:
        """Read the body of JSON, unpacked.

        Raises:
            RequestError: see `read_body`.
        """
        return read_body(self.event.get("body"), is_base64=self.event["isBase64Encoded"], headers=self.headers)

    def admit_points(self, batches: Sequence[Batch]) -> None:
        """Admit the points of the request.

        Raises:
            RequestError: 429, the caller or a source is throttled; 413, so many points are never allowed at once.
            UnavailableError: the points cannot be counted, and the limits fail shut.
        """
        self._allowed = _allowed_or_raise(self._limits.admit_points(self._sender, batches, self._allowed, time.time()))

    def admit_file(self, size: int) -> None:
        """Admit the bytes of a CSV file.

        Raises:
            RequestError: 429, the key has sent too many today; 413, so many are never allowed.
            UnavailableError: they cannot be counted, and the limits fail shut.
        """
        self._allowed = _allowed_or_raise(self._limits.admit_file(self._sender, size, self._allowed, time.time()))

    def limit_headers(self) -> dict[str, str]:
        """Header fields of the answer with the standing of each limit."""
        return rate_limit_headers(self._allowed.standings)


def _allowed_or_raise(answer: Allowed | Throttled) -> Allowed:
    if isinstance(answer, Throttled):
        raise rate_limited(answer)
    return answer
