"""Answers of the HTTP API: receipts, and errors as problem details (RFC 9457)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime

import msgspec

from afluente.application.redaction import redacted

PROBLEM_TYPE = "urn:afluente:problem:"
"""Start of the `type` of every problem; the code of the problem follows."""

TITLES = {
    "malformed_json": "The body is not JSON",
    "malformed_gzip": "The body is not gzip",
    "malformed_multipart": "The body is not multipart/form-data",
    "invalid_request": "The request is not of the form",
    "all_points_rejected": "No point of the request can be taken",
    "unauthorized": "The API key is not valid",
    "forbidden": "The API key does not have the scope",
    "around_the_front": "The API is asked through its front",
    "not_found": "There is nothing here",
    "method_not_allowed": "The method is not for this path",
    "gone": "This call is taken no longer",
    "job_has_ended": "The job has ended already",
    "job_has_its_file": "The job awaits no file any more",
    "precondition_failed": "The constraints are others than was expected",
    "version_cannot_hold": "The version cannot be in force again",
    "too_many_entries": "The request has too many entries",
    "body_too_large": "The body is too large",
    "file_too_large": "The file is too large",
    "too_many_points": "The request has too many points",
    "unsupported_media_type": "The content type is not taken",
    "unsupported_content_encoding": "The content coding is not taken",
    "unsupported_file": "The file is no CSV file by its name",
    "empty_file": "The file is empty",
    "over_the_burst": "The request has more points than may come at once",
    "rate_limited": "A limit is over",
    "unavailable": "The service cannot do this at the moment",
}
"""What each problem is called, by its code: the closed set of them."""


class Answer(msgspec.Struct, frozen=True):
    """What goes back to the client.

    Attributes:
        status: the HTTP status.
        body: text, of JSON where the headers say nothing else.
        headers: with a content type only where it is another one.
        is_problem: whether the body is a problem.
        is_base64: whether the body is bytes in base64.
    """

    status: int
    body: str
    headers: dict[str, str] = {}
    is_problem: bool = False
    is_base64: bool = False

    @property
    def content_type(self) -> str:
        """By RFC 9457 for a problem."""
        return "application/problem+json" if self.is_problem else "application/json"


def document(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    """Anything as JSON."""
    return Answer(status, _json(body), headers or {})


def deprecation(deprecated_on: date | None, sunset_on: date | None, links: Mapping[str, str]) -> dict[str, str]:
    """Headers that tell a client that a call is to be replaced: Deprecation (RFC 9745), Sunset (RFC 8594) and Link.

    Args:
        deprecated_on: from when on; without a date the header is left out.
        sunset_on: from when on the call may be taken no longer; likewise.
        links: targets by their relation; an empty target is left out.
    """
    headers = {}
    if deprecated_on is not None:
        headers["deprecation"] = f"@{int(_midnight(deprecated_on).timestamp())}"
    if sunset_on is not None:
        headers["sunset"] = format_datetime(_midnight(sunset_on), usegmt=True)
    told = ", ".join(f'<{target}>; rel="{relation}"' for relation, target in links.items() if target)
    return {**headers, "link": told} if told else headers


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    headers: dict[str, str] | None = None,
    extra: Mapping[str, object] | None = None,
) -> Answer:
    """An error.

    Args:
        status: the HTTP status.
        code: which problem it is; its title belongs to it.
        detail: what is wrong with this request, and the way out.
        request_id: by which the operators find the request.
        headers: more headers.
        extra: more members of the problem.
    """
    body = {
        "type": PROBLEM_TYPE + code,
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **(extra or {}),
    }
    # A fault is told with what the client sent, which may be a key in the wrong place.
    return Answer(status, redacted(_json(body)), headers or {}, is_problem=True)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _json(body: object) -> str:
    return msgspec.json.encode(body).decode()
