"""A proxy between a function and the emulator, which makes calls to AWS fail as a test needs it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from cli.core.local_stack import LOOPBACK

_TIMEOUT_SECONDS = 60.0
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class Call(NamedTuple):
    """A call of a function to AWS.

    Attributes:
        service: the service as its API calls itself: `DynamoDB`, `Kinesis`, `AmazonSQS`, `AWSEvents`, `Logs`, `S3`.
        operation: `PutRecords`, …; for S3 the HTTP method.
        document: its arguments as the API has them; nothing for S3.
    """

    service: str
    operation: str
    document: dict[str, Any]
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """The answer to a call."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, document: dict[str, Any], status: int = 200) -> Self:
        """An answer in the JSON protocol of AWS."""
        return cls(status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode())

    @property
    def document(self) -> dict[str, Any]:
        """The body, decoded."""
        document: dict[str, Any] = json.loads(self.body)
        return document


class ConnectionLostError(Exception):
    """Raised by a fault: the caller gets no answer, but a broken connection."""


Forward = Callable[[Call], Answer]
"""Has the emulator do a call."""

Fault = Callable[[Call, Forward], Answer]
"""Answers a call in place of the emulator, or after it."""


class Injection:
    """A fault that is at work.

    Attributes:
        strikes: how many calls it has struck.
    """

    def __init__(self, fault: Fault, matches: Callable[[Call], bool], *, times: float) -> None:
        self.fault = fault
        self.strikes = 0
        self._matches = matches
        self._times = times

    def strikes_at(self, call: Call) -> bool:
        """True, and counted, if it strikes this call."""
        if self.strikes >= self._times or not self._matches(call):
            return False
        self.strikes += 1
        return True


class FaultProxy:
    """A proxy on the loopback interface; without a fault at work it passes everything on as it is.

    Args:
        port: of the emulator.
    """

    def __init__(self, port: int) -> None:
        self._emulator_port = port
        self._injections: list[Injection] = []
        self._choosing = threading.Lock()
        self._unexpected: list[BaseException] = []
        self._server = _Server((LOOPBACK, 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """The AWS_ENDPOINT_URL with which a function goes through the proxy."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    @contextmanager
    def injected(
        self,
        fault: Fault,
        service: str,
        operation: str | None = None,
        *,
        when: Callable[[Call], bool] = lambda _: True,
        times: float = float("inf"),
    ) -> Iterator[Injection]:
        """Let calls fail for the block.

        Args:
            fault: what happens to the calls it strikes.
            service: whose calls it strikes; see `Call`.
            operation: which of them; None for all.
            when: which of these.
            times: how many at the most.
        """

        def matches(call: Call) -> bool:
            return call.service == service and operation in (None, call.operation) and when(call)

        injection = Injection(fault, matches, times=times)
        self._injections.append(injection)
        try:
            yield injection
        finally:
            self._injections.remove(injection)
        # A fault that is itself at fault has failed in a thread, where no test sees it.
        assert self._unexpected == []

    def answer(self, call: Call) -> Answer:
        """Answer a call: by the first fault that strikes it, or else by the emulator.

        Raises:
            ConnectionLostError: the caller is to get no answer.
        """
        with self._choosing:
            injection = next((one for one in self._injections if one.strikes_at(call)), None)
        if injection is None:
            return self._forward(call)
        try:
            return injection.fault(call, self._forward)
        except ConnectionLostError:
            raise
        except BaseException as error:
            self._unexpected.append(error)
            raise

    def _forward(self, call: Call) -> Answer:
        # A connection of its own: one that was kept may be closed by the emulator at any moment.
        emulator = http.client.HTTPConnection(LOOPBACK, self._emulator_port, timeout=_TIMEOUT_SECONDS)
        try:
            headers = {name: value for name, value in call.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            emulator.request(call.method, call.path, call.body, headers)
            response = emulator.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            emulator.close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore that a killed function reads no answer; the proxy keeps every other failure."""


def _handler_of(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer in one piece: a function waits for the end of it.
        wbufsize = -1
        disable_nagle_algorithm = True
        timeout = _TIMEOUT_SECONDS

        def do_POST(self) -> None:
            try:
                answer = proxy.answer(self._call())
            except ConnectionLostError:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _OF_ONE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()

        do_GET = do_PUT = do_HEAD = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def _call(self) -> Call:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target, _, operation = self.headers.get("X-Amz-Target", "").rpartition(".")
            headers = dict(self.headers.items())
            if not target:
                return Call("S3", self.command, {}, self.command, self.path, headers, body)
            service = target.partition("_")[0]
            return Call(service, operation, json.loads(body), self.command, self.path, headers, body)

    return Handler
