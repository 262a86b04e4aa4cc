"""Takes points to the service over HTTP: one request in flight, repeated until it is answered."""

import gzip
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

import httpx
import msgspec

from cli.core.errors import CommandError, ExitCode
from cli.sending.http_answers import AGAIN, retry_after, told
from cli.sending.patience import MAX_ATTEMPTS, check_wait, delay
from cli.sending.points import Fault, Outcome, Readable, Rejected, SentPoint

PATH = "/ingest/datapoints"

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_MIN_GZIP_BYTES = 1024
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "give a key with --key or AFLUENTE_API_KEY; 'afluente keys create' makes one",
    HTTPStatus.FORBIDDEN: "the key is unknown, revoked, expired or not for this source; see 'afluente keys list'",
    HTTPStatus.NOT_FOUND: "check that the address is that of the HTTP API",
}


class _Rejection(msgspec.Struct, frozen=True):
    index: int
    code: str
    field: str
    message: str


class _Answer(msgspec.Struct, frozen=True):
    inserted: int = 0
    rejected: tuple[_Rejection, ...] = ()


class _Problem(msgspec.Struct, frozen=True):
    title: str = ""
    detail: str = ""
    message: str = ""


class _Body(msgspec.Struct, frozen=True):
    domain: str
    source_id: str
    datapoints: Sequence[SentPoint | msgspec.Raw]


class HttpTransport:
    """Sends points of one source to `POST /ingest/datapoints`.

    A request is repeated while the service is busy or out of reach. The service recognises the repetition: it drops
    what it has queued within the last five minutes, and what is still in the window of the stream after that.

    Args:
        api_url: base of the HTTP API.
        key: an API key.
        domain, source: whose points they are.
        use_proxies: whether the user's proxy settings count; not for the local stack.
        on_wait: called with seconds and the reason before each wait.
        sleep: waits.
    """

    def __init__(
        self,
        api_url: str,
        key: str,
        *,
        domain: str,
        source: str,
        use_proxies: bool,
        on_wait: Callable[[float, str], None] = lambda _seconds, _reason: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"X-API-Key": key, "Content-Type": "application/json", "User-Agent": "afluente-cli"}
        self._client = httpx.Client(base_url=api_url, headers=headers, timeout=_TIMEOUT, trust_env=use_proxies)
        self._domain = domain
        self._source = source
        self._on_wait = on_wait
        self._sleep = sleep

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order, and return when the service has them.

        Raises:
            CommandError: the service refuses the request, or is not there for longer than the sender waits.
        """
        body = _Body(self._domain, self._source, [readable.point for readable in points])
        response = self._post(msgspec.json.encode(body))
        if response.status_code in {HTTPStatus.ACCEPTED, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return _outcome(response, points)
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return self._send_in_halves(points)
        raise _refusal(response)

    def _send_in_halves(self, points: Sequence[Readable]) -> Outcome:
        if len(points) == 1:
            fault = Fault("too_long", "point", "is larger than a request may be")
            return Outcome(0, (Rejected(points[0].line, (fault,), points[0].point),))
        middle = len(points) // 2
        return self.send(points[:middle]) + self.send(points[middle:])

    def _post(self, body: bytes) -> httpx.Response:
        headers = {}
        if len(body) >= _MIN_GZIP_BYTES:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        reason = ""
        for attempt in range(MAX_ATTEMPTS):
            asked_for: float | None = None
            try:
                response = self._client.post(PATH, content=body, headers=headers)
            except httpx.RequestError as error:
                reason = told(error)
            else:
                if response.status_code not in AGAIN:
                    return response
                reason = _problem(response)
                asked_for = retry_after(response)
                check_wait(asked_for, reason)
            if attempt + 1 < MAX_ATTEMPTS:
                self._wait(delay(attempt) if asked_for is None else asked_for, reason)
        raise CommandError(
            f"the service did not take the points after {MAX_ATTEMPTS} attempts: {reason}",
            hint="for the local stack see 'afluente status' and 'afluente logs http_ingest'",
            code=ExitCode.UNREACHABLE,
        )

    def _wait(self, seconds: float, reason: str) -> None:
        self._on_wait(seconds, reason)
        self._sleep(seconds)


def _outcome(response: httpx.Response, points: Sequence[Readable]) -> Outcome:
    """What an answer says of each point; all faults of one point together."""
    try:
        answer = msgspec.json.decode(response.content, type=_Answer)
    except msgspec.DecodeError as error:
        raise CommandError(f"the service answered {response.status_code} with something unreadable: {error}") from None
    if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and not answer.rejected:
        raise _refusal(response)
    faults: dict[int, list[Fault]] = {}
    for one in answer.rejected:
        faults.setdefault(one.index, []).append(Fault(one.code, one.field, one.message))
    rejected = (Rejected(points[index].line, tuple(found), points[index].point) for index, found in faults.items())
    return Outcome(answer.inserted, tuple(rejected))


def _refusal(response: httpx.Response) -> CommandError:
    hint = _HINTS.get(response.status_code, "")
    return CommandError(f"the service refused the points: {_problem(response)}", hint=hint)


def _problem(response: httpx.Response) -> str:
    """An error answer as a sentence; API Gateway's own errors have a `message` alone."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    said = problem.detail or problem.title or problem.message
    return f"{response.status_code} {response.reason_phrase}{f': {said}' if said else ''}"
