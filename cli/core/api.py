"""The HTTP API of a deployment, asked with a key: errors are told as the service tells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import httpx
import msgspec

from cli.core.errors import CommandError, ExitCode
from cli.core.local_key import key_for
from cli.core.retry import Patience
from cli.core.target import Target

Answered = TypeVar("Answered")


class Problem(msgspec.Struct, frozen=True):
    """A problem of RFC 9457; API Gateway's own errors have a `message` alone.

    Attributes:
        code: which one it is.
        title, detail, message: what it is, for people.
        errors: the faults of the request, each an object.
    """

    code: str = ""
    title: str = ""
    detail: str = ""
    message: str = ""
    errors: tuple[dict[str, Any], ...] = ()

    @property
    def said(self) -> str:
        """What it says."""
        return self.detail or self.title or self.message


class Refused(CommandError):  # noqa: N818 - a command error like the others, that can be told from them
    """The service does not do what it was asked.

    Attributes:
        status: its HTTP status.
        problem: what it says.
    """

    def __init__(self, status: int, problem: Problem, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Query:
    """What a request has beside its method and path.

    Attributes:
        fields: of the query; None leaves one out.
        body: is sent as JSON; None for no body.
        headers: more of them.
    """

    fields: Mapping[str, str | float | None] | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None


_NOTHING_MORE = Query()


class Api:
    """An HTTP API; open for a block.

    Args:
        api_url: its base.
        key: an API key.
        use_proxies: whether the user's proxy settings count; not for the local stack.
        patience: how long to try.

    Attributes:
        timeout: of one request.
        hints: what to do about a refusal, by its status.
        told_faults: how many faults of a request are told; None for all of them.
    """

    timeout: ClassVar[httpx.Timeout] = httpx.Timeout(35.0, connect=10.0)
    hints: ClassVar[Mapping[int, str]] = {
        HTTPStatus.UNAUTHORIZED: "put a key into AFLUENTE_API_KEY; 'afluente keys create' makes one",
        HTTPStatus.FORBIDDEN: (
            "ask the operators for a key that has the scope; 'afluente keys list' shows what each has"
        ),
    }
    told_faults: ClassVar[int | None] = 20

    def __init__(self, api_url: str, key: str, *, use_proxies: bool, patience: Patience | None = None) -> None:
        headers = {"X-API-Key": key, "User-Agent": "afluente-cli"}
        self._client = httpx.Client(base_url=api_url, headers=headers, timeout=self.timeout, trust_env=use_proxies)
        self._patience = patience or Patience()

    @classmethod
    def of(cls, target: Target, key: str | None) -> Self:
        """The API of a deployment.

        Args:
            target: the deployment.
            key: that the user gave; for the local stack one is made where none was.
        """
        if not target.api_url:
            raise CommandError("the address of the HTTP API is needed", hint="give it with --url", code=ExitCode.USAGE)
        return cls(target.api_url, key_for(target, key), use_proxies=target.uses_proxies)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        what: str,
        kind: type[Answered],
        query: Query = _NOTHING_MORE,
        *,
        patience: Patience | None = None,
    ) -> Answered:
        """Ask, again and again while the service is busy or out of reach, and read what is answered.

        Args:
            method: of HTTP; the request has to be one that may be repeated.
            path: below the API's base, its parts quoted.
            what: is asked, for people: `the service did not {what}`.
            kind: of the document that is answered; `None` of an answer without one.
            query: what else is asked with.
            patience: how long to try, if not as long as usual.

        Raises:
            Refused: the service says no.
            CommandError: there is no answer for longer than this waits, or none that can be read.
        """
        content = None if query.body is None else msgspec.json.encode(query.body)
        headers = {**({} if content is None else {"Content-Type": "application/json"}), **(query.headers or {})}
        fields = {name: str(value) for name, value in (query.fields or {}).items() if value is not None}
        response = (patience or self._patience).answer(
            lambda: self._client.request(method, path, params=fields, content=content, headers=headers), what
        )
        if not response.is_success:
            raise self._refusal(response, what)
        try:
            return msgspec.json.decode(response.content or b"null", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"the service answered {response.status_code} with something unreadable: {error}"
            raise CommandError(message) from None

    def _refusal(self, response: httpx.Response, what: str) -> Refused:
        try:
            problem = msgspec.json.decode(response.content, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = Problem()
        status = f"{response.status_code} {response.reason_phrase}"
        lines = [f"the service did not {what}: {status}{f': {problem.said}' if problem.said else ''}"]
        for error in problem.errors[: self.told_faults]:
            where = " ".join(str(error[name]) for name in ("name", "field") if error.get(name))
            code = f" ({error['code']})" if error.get("code") else ""
            lines.append(f"  {where}{': ' if where else ''}{error.get('message', '')}{code}")
        hint = self.hints.get(response.status_code, "")
        return Refused(response.status_code, problem, "\n".join(lines), hint)
