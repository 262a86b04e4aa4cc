"""Transport over HTTP: one request in flight, retried until it is answered."""

import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar

import httpx
import msgspec

from cli.core.api import Api, decode
from cli.core.retry import Retry
from cli.sending.points import Fault, Outcome, Readable, Rejected, SentPoint

PATH = "/ingest/datapoints"

_MIN_GZIP_BYTES = 1024
_WHAT = "take the points"


class _Rejection(msgspec.Struct, frozen=True):
    index: int
    code: str
    field: str
    message: str


class _Omitted(msgspec.Struct, frozen=True):
    points: int


class _Answer(msgspec.Struct, frozen=True):
    inserted: int = 0
    rejected: tuple[_Rejection, ...] = ()
    omitted: _Omitted | None = None


class _Body(msgspec.Struct, frozen=True):
    domain: str
    source_id: str
    datapoints: Sequence[SentPoint | msgspec.Raw]


class _IngestApi(Api):
    timeout = httpx.Timeout(30.0, connect=10.0)
    hints: ClassVar[Mapping[int, str]] = {
        HTTPStatus.UNAUTHORIZED: "give a key with --key or AFLUENTE_API_KEY; 'afluente keys create' makes one",
        HTTPStatus.FORBIDDEN: "the key is unknown, revoked, expired or not for this source; see 'afluente keys list'",
        HTTPStatus.NOT_FOUND: "check that the address is that of the HTTP API",
    }
    give_up_hint = "for the local stack see 'afluente status' and 'afluente logs http_ingest'"


class HttpTransport:
    """Sends points of one source to `POST /ingest/datapoints`.

    A request is retried while the service is busy or out of reach. The service recognises the repetition: it drops
    what it has queued within the last five minutes, and what is still in the window of the stream after that.

    Args:
        api_url: base of the HTTP API.
        key: an API key.
        domain, source: of the points.
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
        self._api = _IngestApi(api_url, key, use_proxies=use_proxies, retry=Retry(on_wait, sleep, load="points"))
        self._domain = domain
        self._source = source

    def close(self) -> None:
        """Close the connection."""
        self._api.close()

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order, and return when the service has them.

        Raises:
            CommandError: the service refuses the request, or does not answer for longer than it is retried.
        """
        body = _Body(self._domain, self._source, [readable.point for readable in points])
        response = self._post(msgspec.json.encode(body))
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return self._send_in_halves(points)
        if response.status_code not in {HTTPStatus.ACCEPTED, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise self._api.refusal(response, _WHAT)
        answer = decode(response, _Answer)
        if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and not answer.rejected:
            raise self._api.refusal(response, _WHAT)
        outcome = _outcome(answer, points)
        if answer.omitted is None:
            return outcome
        # Rejected points beyond those that the answer lists: sent again, they are named; of the others nothing changes.
        unlisted = self.send(points[answer.rejected[-1].index + 1 :])
        return Outcome(answer.inserted, (*outcome.rejected, *unlisted.rejected))

    def _send_in_halves(self, points: Sequence[Readable]) -> Outcome:
        if len(points) == 1:
            fault = Fault("too_long", "point", "is larger than a request may be")
            return Outcome(0, (Rejected(points[0].line, (fault,), points[0].point),))
        middle = len(points) // 2
        return self.send(points[:middle]) + self.send(points[middle:])

    def _post(self, body: bytes) -> httpx.Response:
        if len(body) < _MIN_GZIP_BYTES:
            return self._api.post(PATH, body, _WHAT, {})
        packed = gzip.compress(body, compresslevel=1, mtime=0)
        return self._api.post(PATH, packed, _WHAT, {"Content-Encoding": "gzip"})


def _outcome(answer: _Answer, points: Sequence[Readable]) -> Outcome:
    """The rejected points, each with all its faults together."""
    faults: dict[int, list[Fault]] = {}
    for one in answer.rejected:
        faults.setdefault(one.index, []).append(Fault(one.code, one.field, one.message))
    rejected = (Rejected(points[index].line, tuple(found), points[index].point) for index, found in faults.items())
    return Outcome(answer.inserted, tuple(rejected))
