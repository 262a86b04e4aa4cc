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
"""Titles of the problems, by their codes: the closed set of them."""


class Answer(msgspec.Struct, frozen=True):
    """An answer to the client.

    Attributes:
        status: the HTTP status.
        body: text, which is JSON unless the headers name another content type.
        headers: by lower-case name.
        is_problem: true for a problem (RFC 9457).
        is_base64: true for a body of bytes in base64.
    """

    status: int
    body: str
    headers: dict[str, str] = {}
    is_problem: bool = False
    is_base64: bool = False

    @property
    def content_type(self) -> str:
        """The content type of JSON, or of a problem."""
        return "application/problem+json" if self.is_problem else "application/json"


def document(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    """An answer of JSON."""
    return Answer(status, _json(body), headers or {})


def deprecation(deprecated_on: date | None, sunset_on: date | None, links: Mapping[str, str]) -> dict[str, str]:
    """Headers of a deprecated call: Deprecation (RFC 9745), Sunset (RFC 8594) and Link.

    Args:
        deprecated_on: the first day of the deprecation; without it the header is left out.
        sunset_on: the first day on which the call may be gone; likewise.
        links: targets by their relation; an empty target is left out.
    """
    headers = {}
    if deprecated_on is not None:
        headers["deprecation"] = f"@{int(_midnight(deprecated_on).timestamp())}"
    if sunset_on is not None:
        headers["sunset"] = format_datetime(_midnight(sunset_on), usegmt=True)
    link = ", ".join(f'<{target}>; rel="{relation}"' for relation, target in links.items() if target)
    return {**headers, "link": link} if link else headers


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
        code: of the problem; its title follows from it.
        detail: the fault of this request, and a hint.
        request_id: the id by which the operators find the request.
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
    # A fault repeats a part of the request, which may be a key in the wrong place.
    return Answer(status, redacted(_json(body)), headers or {}, is_problem=True)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _json(body: object) -> str:
    return msgspec.json.encode(body).decode()
