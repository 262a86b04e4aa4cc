"""Transport over WebSocket: one message in flight, sent again until it is acknowledged."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from typing import Literal, NamedTuple

import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from cli.core.errors import CommandError
from cli.core.retry import Busy, Retry
from cli.sending.points import Fault, Outcome, Readable, Rejected

MAX_POINTS = 1_000
"""Most points of one message."""

_MAX_MESSAGE_BYTES = 120_000
"""A little under the 128 KB that API Gateway accepts ("WebSocket message payload size")."""

_FRAME_BYTES = 32_000
"""A little under its 32 KB ("WebSocket frame size")."""

_CONNECT_SECONDS = 10.0
# API Gateway itself gives a function 29 s.
_ANSWER_SECONDS = 35.0
_HINTS = {
    "unauthorized": "give a key with --key or AFLUENTE_API_KEY; 'afluente keys create' makes one",
    "forbidden": "the key is not for this source, or the domain is not open; see 'afluente keys list'",
}


class _Acknowledgement(msgspec.Struct, frozen=True):
    status: str
    code: str = ""
    message: str = ""


class _Notice(msgspec.Struct, frozen=True):
    """A message that is no acknowledgement: of the service, with a type, or of API Gateway, without one."""

    type: str = ""
    reason: str = ""
    message: str = ""
    retry_after: float | None = None


class _Message(NamedTuple):
    points: Sequence[Readable]
    text: bytes


_encoder = msgspec.json.Encoder()
_Received = list[_Acknowledgement] | _Notice

_decoder: msgspec.json.Decoder[_Received] = msgspec.json.Decoder(_Received)


class WsTransport:
    """Sends points of one source over a WebSocket.

    A message that was not acknowledged is sent again as it was, over a new connection if need be. The service knows the
    repetition: it drops what it has queued within the last five minutes, and what it gets after that has the same ids.
    So points need no sequence, and the sequence that the service acknowledged last plays no part.

    Args:
        url: of the WebSocket API.
        key: an API key.
        domain, source: of the points.
        use_proxies: whether the user's proxy settings count; not for the local stack.
        on_wait: called with seconds and the reason before each wait.
        sleep: waits.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        domain: str,
        source: str,
        use_proxies: bool,
        on_wait: Callable[[float, str], None] = lambda _seconds, _reason: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._who = _encoder.encode({"action": "auth", "domain": domain, "source_id": source, "api_key": key}).decode()
        self._use_proxies = use_proxies
        self._retry = Retry(on_wait, sleep, load="points")
        self._open = ExitStack()
        self._socket: ClientConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        self._socket = None
        self._open.close()

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order, and return when the service has them.

        Raises:
            CommandError: the service refuses the connection or a message, or does not answer for longer than it is
                retried.
        """
        outcome = Outcome()
        for message in _messages(points):
            if len(message.text) > _MAX_MESSAGE_BYTES:
                # It is a point alone: a message of more is cut.
                fault = Fault("too_long", "point", "is larger than a message may be")
                outcome += Outcome(0, (Rejected(message.points[0].line, (fault,), message.points[0].point),))
            else:
                outcome += _outcome(message.points, self._acknowledged(message.text))
        return outcome

    def _acknowledged(self, message: bytes) -> list[_Acknowledgement]:
        return self._retry.until_answered(
            lambda: self._attempt(message),
            "take the points",
            hint="for the local stack see 'afluente status' and 'afluente logs ws_ingest'",
        )

    def _attempt(self, message: bytes) -> list[_Acknowledgement] | Busy:
        try:
            answer = self._exchange(message)
        except (OSError, EOFError, WebSocketException) as error:
            # A late answer must not be mistaken for that to another message.
            self.close()
            _raise_if_final(error)
            return Busy(f"{type(error).__name__}: {error}")
        if isinstance(answer, list):
            return answer
        if answer.type == "error":
            raise _refusal(answer)
        return Busy(answer.message, answer.retry_after)

    def _exchange(self, message: bytes) -> _Received:
        if self._socket is None:
            answer = self._connect()
            if answer.type != "authenticated":
                self.close()
                return answer
        if self._socket is None:
            raise EOFError("the connection is closed")
        self._socket.send((message[at : at + _FRAME_BYTES] for at in range(0, len(message), _FRAME_BYTES)), text=True)
        return _answer(self._socket.recv(timeout=_ANSWER_SECONDS))

    def _connect(self) -> _Notice:
        proxy: Literal[True] | None = True if self._use_proxies else None
        # API Gateway has no compression; nor is it to hide locally how large frames are.
        self._socket = self._open.enter_context(
            connect(self._url, proxy=proxy, open_timeout=_CONNECT_SECONDS, compression=None)
        )
        self._socket.send(self._who)
        match _answer(self._socket.recv(timeout=_ANSWER_SECONDS)):
            case _Notice() as notice:
                return notice
            case _:
                raise EOFError("the service acknowledges points that it was not sent")


def _messages(points: Sequence[Readable]) -> Iterator[_Message]:
    """As few messages as hold the points."""
    batch: list[Readable] = []
    texts: list[bytes] = []
    size = 0
    for readable in points:
        text = _encoder.encode(readable.point)
        if texts and (len(texts) == MAX_POINTS or size + len(text) + 1 >= _MAX_MESSAGE_BYTES):
            yield _Message(batch, b"[" + b",".join(texts) + b"]")
            batch, texts, size = [], [], 0
        batch.append(readable)
        texts.append(text)
        size += len(text) + 1
    if texts:
        yield _Message(batch, b"[" + b",".join(texts) + b"]")


def _outcome(points: Sequence[Readable], acknowledged: Sequence[_Acknowledgement]) -> Outcome:
    if len(acknowledged) != len(points):
        raise CommandError(f"the service acknowledged {len(acknowledged)} of {len(points)} points")
    rejected = tuple(
        Rejected(readable.line, (_fault(one),), readable.point)
        for readable, one in zip(points, acknowledged, strict=True)
        if one.status != "ok"
    )
    return Outcome(len(points) - len(rejected), rejected)


def _fault(acknowledgement: _Acknowledgement) -> Fault:
    field, _, message = acknowledgement.message.partition(": ")
    return Fault(acknowledgement.code, field, message)


def _answer(text: str | bytes) -> _Received:
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        # The emulator answers so when the function failed.
        return _Notice(message=str(text)[:200])


def _refusal(notice: _Notice) -> CommandError:
    return CommandError(f"the service refused the points: {notice.message}", hint=_HINTS.get(notice.reason, ""))


def _raise_if_final(error: Exception) -> None:
    """Raise the refusal of a handshake that would be refused again."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
            raise CommandError(
                f"the service refused the connection: {status} {error.response.reason_phrase}",
                hint="check that WebSocket is switched on for this stage",
            ) from None
