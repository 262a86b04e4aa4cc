"""Requests over HTTP: answers that are retried, and problems as sentences."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from cli.core.retry import Busy, Retry

RETRIED = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses after which a request is retried. It may have been carried out: only requests that may be repeated are."""


class Problem(msgspec.Struct, frozen=True):
    """A problem of RFC 9457; API Gateway's own errors have a `message` alone.

    Attributes:
        code: of the closed set of problems.
        title, detail, message: for people.
        errors: the faults of the request, each an object.
    """

    code: str = ""
    title: str = ""
    detail: str = ""
    message: str = ""
    errors: tuple[dict[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """The most specific of its texts."""
        return self.detail or self.title or self.message


def request_until_answered(
    retry: Retry,
    request: Callable[[], httpx.Response],
    what: str,
    *,
    is_busy: Callable[[httpx.Response], bool] = lambda response: response.status_code in RETRIED,
    hint: str = "",
) -> httpx.Response:
    """Make a request until it is answered, whatever the answer.

    Args:
        retry: how often, and with which pauses.
        request: makes it once.
        what: the request in messages: `the service did not {what}`.
        is_busy: whether an answer asks for another attempt.
        hint: where to look if there is no answer.

    Raises:
        CommandError: there is none.
    """

    def attempt() -> httpx.Response | Busy:
        try:
            response = request()
        except httpx.RequestError as error:
            return Busy(describe_error(error))
        return Busy(describe(response), retry_after(response)) if is_busy(response) else response

    return retry.until_answered(attempt, what, hint=hint)


def problem_of(response: httpx.Response) -> Problem:
    """The problem of an error answer; an empty one of an answer that is no problem document."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()


def describe(response: httpx.Response) -> str:
    """An error answer as a phrase: its status, and its problem if it has one."""
    text = problem_of(response).text
    return f"{response.status_code} {response.reason_phrase}{f': {text}' if text else ''}"


def describe_error(error: httpx.RequestError) -> str:
    """The reason why a request was not answered."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of the header Retry-After: a number or an HTTP date (RFC 9110, section 10.2.3); None without one."""
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
