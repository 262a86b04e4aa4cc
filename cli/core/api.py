"""The HTTP API of a deployment, called with an API key."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import httpx
import msgspec

from cli.core.errors import CommandError, ExitCode
from cli.core.http import Problem, describe, problem_of, request_until_answered
from cli.core.retry import Retry
from cli.core.target import Target

Answered = TypeVar("Answered")


class RefusedError(CommandError):
    """A request that the service refuses.

    Attributes:
        status: HTTP status of the answer.
        problem: body of the answer.
    """

    def __init__(self, status: int, problem: Problem, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Query:
    """Query, body and headers of a request.

    Attributes:
        fields: of the query; those that are None are left out.
        body: is sent as JSON; None for no body.
        headers: in addition to the key.
    """

    fields: Mapping[str, str | float | None] | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None


_EMPTY_QUERY = Query()
_JSON = {"Content-Type": "application/json"}


class Api:
    """Client of the HTTP API; open for a block.

    Args:
        api_url: base of the API.
        key: an API key.
        use_proxies: whether the user's proxy settings count; not for the local stack.
        retry: how often a request is tried, and with which pauses.

    Attributes:
        timeout: of one request.
        hints: what to do about a refusal, by its status.
        give_up_hint: what to do where there is no answer.
        max_shown_faults: of one request; None for all of them.
    """

    timeout: ClassVar[httpx.Timeout] = httpx.Timeout(35.0, connect=10.0)
    hints: ClassVar[Mapping[int, str]] = {
        HTTPStatus.UNAUTHORIZED: "put a key into AFLUENTE_API_KEY; 'afluente keys create' makes one",
        HTTPStatus.FORBIDDEN: (
            "ask the operators for a key that has the scope; 'afluente keys list' shows what each has"
        ),
    }
    give_up_hint: ClassVar[str] = ""
    max_shown_faults: ClassVar[int | None] = 20

    def __init__(self, api_url: str, key: str, *, use_proxies: bool, retry: Retry | None = None) -> None:
        headers = {"X-API-Key": key, "User-Agent": "afluente-cli"}
        self._client = httpx.Client(base_url=api_url, headers=headers, timeout=self.timeout, trust_env=use_proxies)
        self._retry = retry or Retry()

    @classmethod
    def of(cls, target: Target, key: str, *, retry: Retry | None = None) -> Self:
        """The API of a deployment."""
        if not target.api_url:
            raise CommandError("the address of the HTTP API is needed", hint="give it with --url", code=ExitCode.USAGE)
        return cls(target.api_url, key, use_proxies=target.uses_proxies, retry=retry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        what: str,
        kind: type[Answered],
        query: Query = _EMPTY_QUERY,
        *,
        retry: Retry | None = None,
    ) -> Answered:
        """Make a request, and decode the answer.

        Args:
            method: of HTTP; the request has to be one that may be repeated.
            path: below the API's base, its parts quoted.
            what: the request in messages: `the service did not {what}`.
            kind: of the document that is answered; `None` of an answer without one.
            query: query, body and headers.
            retry: in place of the client's own.

        Raises:
            RefusedError: the service refuses the request.
            CommandError: there is no answer, or none that can be decoded.
        """
        content = None if query.body is None else msgspec.json.encode(query.body)
        headers = {**({} if content is None else _JSON), **(query.headers or {})}
        fields = {name: str(value) for name, value in (query.fields or {}).items() if value is not None}
        response = request_until_answered(
            retry or self._retry,
            lambda: self._client.request(method, path, params=fields, content=content, headers=headers),
            what,
            hint=self.give_up_hint,
        )
        if not response.is_success:
            raise self.refusal(response, what)
        return decode(response, kind)

    def post(self, path: str, content: bytes, what: str, headers: Mapping[str, str]) -> httpx.Response:
        """Send a JSON document as it is; returns the answer, whatever its status.

        Raises:
            CommandError: there is no answer.
        """
        return request_until_answered(
            self._retry,
            lambda: self._client.post(path, content=content, headers={**_JSON, **headers}),
            what,
            hint=self.give_up_hint,
        )

    def refusal(self, response: httpx.Response, what: str) -> RefusedError:
        """The error of an answer that is none: its status, problem and faults, and a hint."""
        problem = problem_of(response)
        lines = [f"the service did not {what}: {describe(response)}"]
        for error in problem.errors[: self.max_shown_faults]:
            where = " ".join(str(error[name]) for name in ("name", "field") if error.get(name))
            code = f" ({error['code']})" if error.get("code") else ""
            lines.append(f"  {where}{': ' if where else ''}{error.get('message', '')}{code}")
        return RefusedError(response.status_code, problem, "\n".join(lines), self.hints.get(response.status_code, ""))


def decode(response: httpx.Response, kind: type[Answered]) -> Answered:
    """The document of an answer.

    Raises:
        CommandError: it cannot be decoded.
    """
    try:
        return msgspec.json.decode(response.content or b"null", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"the service answered {response.status_code} with something unreadable: {error}"
        raise CommandError(message) from None
