"""The example clients of the WebSocket API, run as their users run them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.node import node_executable
from tests.faults.relay import Relay
from tests.outbox import Outbox
from tests.senders import websocket_url
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {
    "python": [sys.executable, str(EXAMPLES / "ws_client.py")],
    "javascript": [str(node_executable()), str(EXAMPLES / "ws_client.mjs")],
}

BREAKS: dict[str, Callable[[Relay], None]] = {
    "in the message": lambda relay: relay.cut_after(20),
    "in place of the acknowledgement": lambda relay: relay.cut_at_answer(),
    "between messages": lambda relay: relay.cut(),
}

Document = dict[str, Any]


class Example:
    """An example client of a source of the domain iot."""

    def __init__(self, program: list[str], stack: LocalStack, source_id: str) -> None:
        self._command = [*program, "iot", source_id]
        self.stack = stack
        self.source_id = source_id
        self._url = websocket_url(stack)

    @contextmanager
    def started(self, port: int | None = None, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        """The running client, for the block; it connects to `port`, if given."""
        url = self._url.replace(f":{self.stack.port}/", f":{port}/") if port else self._url
        settings = {"AFLUENTE_WS_URL": url, "AFLUENTE_API_KEY": self.stack.api_key, "NO_PROXY": "127.0.0.1"}
        pipe, environment = subprocess.PIPE, os.environ | settings | variables
        with subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
        ) as client:
            try:
                yield client
            finally:
                client.kill()

    def acknowledged(self, points: list[Document]) -> list[Document]:
        """The output of the client in one run over these points."""
        with self.started() as client:
            printed, errors = client.communicate(ndjson(points), timeout=PATIENCE_SECONDS)
        assert client.returncode == 0, errors
        return [json.loads(line) for line in printed.splitlines()]


@pytest.fixture(params=PROGRAMS)
def example(request: pytest.FixtureRequest, local_stack: LocalStack, source_id: str) -> Example:
    return Example(PROGRAMS[request.param], local_stack, source_id)


@pytest.fixture
def points() -> list[Document]:
    """Points of one stream, a second apart, with sequences from 0."""
    now = time.time()
    return [
        {"stream_id": "s", "value": place, "timestamp": now - 100 + place, "sequence": place} for place in range(20)
    ]


def test_each_point_is_acknowledged_and_comes_out(example: Example, outbox: Outbox, points: list[Document]) -> None:
    assert example.acknowledged(points) == [ok(place) for place in range(20)]

    example.stack.drained()
    assert sequences(outbox, example.source_id) == list(range(20))


def test_a_second_run_goes_on_where_the_first_ended(example: Example, outbox: Outbox, points: list[Document]) -> None:
    example.acknowledged(points[:15])

    assert example.acknowledged(points) == [ok(place) for place in range(15, 20)]
    assert example.acknowledged(points) == []

    example.stack.drained()
    assert [line["sequence"] for line in outbox.lines(f"iot/{example.source_id}")] == list(range(20))


def test_a_point_with_a_fault_is_reported_and_the_others_go_on(
    example: Example, outbox: Outbox, points: list[Document]
) -> None:
    points[3]["value"] = "hot"

    codes = {one["sequence"]: one.get("code") for one in example.acknowledged(points)}

    assert codes == dict.fromkeys(range(20)) | {3: "wrong_type"}
    example.stack.drained()
    assert sequences(outbox, example.source_id) == [place for place in range(20) if place != 3]


@pytest.mark.parametrize("place", BREAKS)
def test_a_break_loses_nothing(example: Example, outbox: Outbox, points: list[Document], place: str) -> None:
    with Relay(example.stack.port) as relay, example.started(relay.port) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(ndjson(points[:10]))
        client.stdin.flush()
        for _ in range(10):
            client.stdout.readline()
        BREAKS[place](relay)
        client.communicate(ndjson(points[10:]), timeout=PATIENCE_SECONDS)
        connections = relay.connections

    assert client.returncode == 0
    assert connections > 1
    example.stack.drained()
    assert sequences(outbox, example.source_id) == list(range(20))


def test_a_refusal_is_reported_and_ends_it(example: Example, points: list[Document]) -> None:
    with example.started(AFLUENTE_API_KEY="afl_nobody_knows-it") as client:
        acknowledged, errors = client.communicate(ndjson(points), timeout=PATIENCE_SECONDS)

    assert (client.returncode, acknowledged) == (1, "")
    assert "unknown, expired or revoked" in errors


def ndjson(points: list[Document]) -> str:
    return "".join(f"{json.dumps(point)}\n" for point in points)


def ok(sequence: int) -> Document:
    return {"sequence": sequence, "status": "ok"}


def sequences(outbox: Outbox, source_id: str) -> list[int]:
    """The points of a source as they came out, without repeats."""
    return [point["sequence"] for point in outbox.points(f"iot/{source_id}")]
