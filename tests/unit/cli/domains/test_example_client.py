"""The example client of a domain: its points arrive over HTTP despite transient failures."""

import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType

import pytest

from cli.core.local_stack import LOOPBACK
from cli.core.state import CHECKOUT

POINTS = [{"source_id": "pump-1", "stream_id": "flow", "value": 4.1, "timestamp": 1795492666.0, "becomes": "normal"}]
BROKEN = None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("domain_client", CHECKOUT / "examples" / "domain_client.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int | None]]:
    """The API's answers in turn: a status each, or None for a connection that breaks."""
    to_come: list[int | None] = []

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status = to_come.pop(0)
            if status is BROKEN:
                self.close_connection = True
                return
            body = b'{"inserted": 1, "rejected": []}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((LOOPBACK, 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("NO_PROXY", LOOPBACK)
        monkeypatch.setenv("AFLUENTE_API_URL", f"http://{LOOPBACK}:{server.server_port}")
        monkeypatch.setenv("AFLUENTE_API_KEY", "a key")
        yield to_come
        server.shutdown()
        thread.join()


def test_what_passes_is_waited_for(client: ModuleType, answers: list[int | None]) -> None:
    answers += [BROKEN, 429, 500, 502, 504, 202]

    client.over_http("water", POINTS)

    assert answers == []


@pytest.mark.parametrize(("to_come", "message"), [([403], "403"), ([503] * 8, "503"), ([BROKEN] * 8, "no answer")])
def test_what_does_not_pass_ends_the_client(
    client: ModuleType, answers: list[int | None], to_come: list[int | None], message: str
) -> None:
    answers += to_come

    with pytest.raises(SystemExit, match=message):
        client.over_http("water", POINTS)

    assert answers == []
