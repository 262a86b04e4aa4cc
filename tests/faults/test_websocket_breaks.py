"""A WebSocket that breaks between send and acknowledgement: a client that resumes loses and changes nothing."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from afluente.domain.datapoints import DataPoint
from tests.faults.conftest import NewRun
from tests.faults.faults import RETRY_ATTEMPTS, away, killed
from tests.faults.proxy import Call, FaultProxy
from tests.faults.relay import Relay
from tests.faults.run import Run
from tests.senders import WebSocketSender, authenticate, websocket_url
from tests.stack import PATIENCE_SECONDS, LocalStack, as_sent

pytestmark = pytest.mark.integration


class ResumingClient:
    """Sends one message at a time, through a relay, until it is acknowledged; comes back after every break."""

    def __init__(self, stack: LocalStack, relay: Relay, source: str) -> None:
        self._stack = stack
        self._relay = relay
        self._domain, self._source_id = source.split("/")
        self.breaks = 0
        self.resumes_from: int | None = None
        self._socket = self._connected()

    def send(self, points: list[DataPoint]) -> list[Any]:
        message = json.dumps([as_sent(point) for point in points])
        while True:
            try:
                self._socket.send(message)
                answer = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            except (ConnectionClosed, OSError):
                self.breaks += 1
                self._socket = self._connected()
                continue
            assert isinstance(answer, list), answer
            return answer

    def last_sequence(self) -> int | None:
        """The service's last sequence of the source, from a new connection."""
        self._socket = self._connected()
        return self.resumes_from

    def close(self) -> None:
        self._socket.close()

    def _connected(self) -> ClientConnection:
        url = websocket_url(self._stack).replace(f":{self._stack.port}/", f":{self._relay.port}/")
        while True:
            try:
                socket = connect(url, proxy=None, ping_interval=None, compression=None, legacy=True)
                answer = authenticate(socket, self._stack.api_key, self._domain, self._source_id)
            except (ConnectionClosed, OSError, EOFError):
                self.breaks += 1
                continue
            self.resumes_from = answer["last_sequence"]
            return socket


Break = Callable[[Relay], None]

# A message of a request of a run is some kilobytes; masked, so that every byte of a frame is a place of its own kind.
BREAKS: dict[str, Break] = {
    "in the head of the frame": lambda relay: relay.cut_after(2),
    "in the middle of the frame": lambda relay: relay.cut_after(1_500),
    "in place of the acknowledgement": lambda relay: relay.cut_at_answer(),
}


@pytest.mark.parametrize("place", BREAKS)
def test_a_break_anywhere_loses_and_changes_nothing(local_stack: LocalStack, new_run: NewRun, place: str) -> None:
    run = new_run(streams=2)
    run.begin()
    with Relay(local_stack.port) as relay:
        client = ResumingClient(local_stack, relay, run.source)
        BREAKS[place](relay)
        points = run.request()
        acknowledged = client.send(points)
        client.close()

    assert client.breaks > 0
    assert [one["status"] for one in acknowledged] == ["ok"] * len(points)
    run.expect(points)
    run.end()


def test_the_last_sequence_after_a_break_is_what_was_acknowledged_before(
    local_stack: LocalStack, new_run: NewRun
) -> None:
    run = new_run()
    first, second = numbered(run, 0), numbered(run, 20)
    with Relay(local_stack.port) as relay:
        client = ResumingClient(local_stack, relay, run.source)
        assert client.resumes_from is None
        client.send(first)
        relay.cut_at_answer()
        client.send(second)
        assert client.resumes_from == second[-1].sequence
        # A device that counts anew after a restart is believed: the last, not the largest.
        client.send(numbered(run, 40, sequence=0))
        assert client.last_sequence() == 9
        client.close()

    for points in (first, second, numbered(run, 40, sequence=0)):
        run.expect(points)
    run.end()


def test_while_the_queue_is_away_the_client_waits_and_loses_nothing(
    local_stack: LocalStack, new_run: NewRun, ws_calls: FaultProxy
) -> None:
    run = new_run()
    run.begin()
    points = run.request()
    with WebSocketSender(local_stack, *run.source.split("/")) as sender:
        with ws_calls.injected(away(), "AmazonSQS", "SendMessageBatch", times=RETRY_ATTEMPTS) as injection:
            answer = sender.ask([as_sent(point) for point in points])
        assert injection.strikes == RETRY_ATTEMPTS
        assert (answer["type"], answer["retry_after"]) == ("wait", 2)
        sender.send(points)

    run.expect(points)
    run.end()
    assert run.repeats() == 0


def test_a_function_that_is_killed_once_the_points_are_queued_acknowledges_nothing_and_loses_nothing(
    local_stack: LocalStack, new_run: NewRun, ws_calls: FaultProxy
) -> None:
    run = new_run()
    points = run.request()
    fault = killed(partial(local_stack.kill, "ws_ingest"), after=True)
    with WebSocketSender(local_stack, *run.source.split("/")) as sender:
        with ws_calls.injected(fault, "AmazonSQS", "SendMessageBatch", times=1):
            sender.socket.send(json.dumps([as_sent(point) for point in points]))
            # API Gateway says `{"message": "Internal server error", …}`, the emulator what it knows of the failure.
            assert '"status"' not in str(sender.socket.recv(timeout=PATIENCE_SECONDS))
        sender.send(points)

    run.expect(points)
    run.end()
    assert run.repeats() == 0


def test_points_are_acknowledged_though_their_sequence_cannot_be_kept(
    local_stack: LocalStack, new_run: NewRun, ws_calls: FaultProxy
) -> None:
    run = new_run()
    points = numbered(run, 0)
    with WebSocketSender(local_stack, *run.source.split("/")) as sender:
        with ws_calls.injected(
            away(), "DynamoDB", "PutItem", when=is_of_connections, times=RETRY_ATTEMPTS
        ) as injection:
            sender.send(points)
        assert injection.strikes == RETRY_ATTEMPTS
        assert sender.ask({"action": "auth"})["last_sequence"] is None

    run.expect(points)
    run.end()


def is_of_connections(call: Call) -> bool:
    """True for a call to the table of the sequences; limits have one of their own."""
    return bool(call.document["TableName"].endswith("-ws-connections"))


def numbered(run: Run, begin: int, *, sequence: int | None = None) -> list[DataPoint]:
    """Ten points with sequences."""
    first = begin if sequence is None else sequence
    return [
        point
        for place in range(10)
        for point in run.points(float(begin + place), (20.0 + place,), sequence=first + place)
    ]
