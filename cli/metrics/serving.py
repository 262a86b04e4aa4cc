"""An HTTP server that Prometheus scrapes."""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from cli.core.errors import CommandError, explain
from cli.core.output import err
from cli.metrics.exposition import registry_of
from cli.metrics.snapshot import Snapshot


class SharedSnapshots:
    """Snapshots that are taken one at a time, and kept for a while.

    Args:
        take: takes a snapshot.
        keep_seconds: so long a snapshot answers every scrape.
        clock: any that goes on.
    """

    def __init__(self, take: Callable[[], Snapshot], *, keep_seconds: float, clock: Callable[[], float]) -> None:
        self._take = take
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._lock = Lock()
        self._kept: tuple[float, Snapshot] | None = None

    def __call__(self) -> Snapshot:
        """A snapshot."""
        with self._lock:
            now = self._clock()
            if self._kept is None or now - self._kept[0] >= self._keep_seconds:
                self._kept = (now, self._take())
            return self._kept[1]


def server(take: Callable[[], Snapshot], *, bind: str, port: int) -> WSGIServer:
    """A server that is bound, and serves once `serve_forever` is called.

    Args:
        take: takes a snapshot for each scrape; what it raises is answered with 503.
        bind: address to listen at.
        port: to listen at; 0 for any that is free.

    Raises:
        CommandError: the address or the port cannot be had.
    """
    metrics = make_wsgi_app(registry_of(take))

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            answer: list[bytes] = metrics(environ, start_response)
        except Exception as error:
            expected = error if isinstance(error, CommandError) else explain(error)
            if expected is None:
                raise
            err().print(f"a scrape failed: {expected}", markup=False)
            start_response("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{expected}\n".encode()]
        return answer

    try:
        return make_server(bind, port, application, server_class=ThreadingWSGIServer, handler_class=_SilentHandler)
    except (OSError, OverflowError) as error:
        raise CommandError(f"{bind} port {port} cannot be listened at: {error}", hint="choose another port") from error


class _SilentHandler(WSGIRequestHandler):
    """Handler that logs no request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""
