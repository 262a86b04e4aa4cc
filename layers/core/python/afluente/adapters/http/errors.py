"""Errors of requests over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

from afluente.adapters.codecs.json_documents import MalformedJsonError
from afluente.domain.faults import Fault

MAX_FAULTS = 100
"""Faults that an answer names; a sender of more has one mistake many times."""

MAX_TEXT = 1_000
"""Characters of a text in an answer that may repeat parts of the request."""


class RequestError(Exception):
    """The request as a whole is rejected.

    Attributes:
        status: the HTTP status of the answer.
        code: of the problem, one of a closed set; see docs/reference/http.md.
        detail: the fault and a hint.
        headers: more headers of the answer.
        extra: more members of the problem, by name.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


def invalid_request(faults: Sequence[Fault]) -> RequestError:
    """The error of a request that as a whole is not of the form, with its first faults."""
    shown = [Fault(its.code, printable(its.field), printable(its.message)) for its in faults[:MAX_FAULTS]]
    return RequestError(400, "invalid_request", sentence(shown), errors=shown)


def sentence(faults: Sequence[Fault]) -> str:
    """Faults as a sentence."""
    return "; ".join(f"{fault.field} {fault.message}" for fault in faults)


def printable(text: str) -> str:
    """A text that may repeat parts of a request, cut, and such that it can be written as JSON."""
    return text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()


def malformed_json(error: MalformedJsonError) -> RequestError:
    """The error of a body that is no JSON."""
    extra: dict[str, Any] = {} if error.offset is None else {"offset": error.offset}
    return RequestError(400, "malformed_json", error.of("body"), **extra)
