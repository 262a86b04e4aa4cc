"""Sending over WebSocket: the result of each point is reported, and a break anywhere loses and repeats nothing."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.server import Server, ServerConnection, serve

from cli.core.errors import CommandError, ExitCode
from cli.sending.points import Fault, Outcome, Readable, Rejected, SentPoint
from cli.sending.ws import WsTransport
from tests.faults.relay import Relay

Behaviour = Callable[[ServerConnection, str], None]
"""Answers a message, or does something else in place of it."""


@dataclass
class Service:
    """A service on the loopback interface: follows its script in turn, then accepts everything."""

    url: str = ""
    behaviours: list[Behaviour] = field(default_factory=list)
    authentications: list[dict[str, Any]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    answer_to_auth: dict[str, Any] = field(
        default_factory=lambda: {"type": "authenticated", "domain": "iot", "source_id": "s", "last_sequence": None}
    )

    def serve(self, connection: ServerConnection) -> None:
        for text in connection:
            message = json.loads(text)
            if isinstance(message, dict):
                self.authentications.append(message)
                connection.send(json.dumps(self.answer_to_auth))
                continue
            behaviour = self.behaviours.pop(0) if self.behaviours else self.takes
            behaviour(connection, str(text))

    def takes(self, connection: ServerConnection, text: str) -> None:
        self.messages.append(text)
        connection.send(json.dumps([{"sequence": None, "status": "ok"} for _ in json.loads(text)]))

    def takes_and_breaks(self, connection: ServerConnection, text: str) -> None:
        self.messages.append(text)
        connection.close_socket()

    def breaks(self, connection: ServerConnection, text: str) -> None:
        connection.close_socket()

    def closes(self, connection: ServerConnection, text: str) -> None:
        connection.close(1001, "two hours are over")


def says(answer: object) -> Behaviour:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return lambda connection, _: connection.send(text)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with serve(service.serve, "127.0.0.1", 0, ping_interval=None) as server:
        service.url = _url(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield service
        server.shutdown()
        thread.join()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def transport(service: Service, slept: list[float]) -> Iterator[WsTransport]:
    transport = a_transport(service, slept)
    yield transport
    transport.close()


def _url(server: Server) -> str:
    return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/live"


def a_transport(service: Service, slept: list[float]) -> WsTransport:
    return WsTransport(service.url, "the-key", domain="iot", source="s", use_proxies=False, sleep=slept.append)


def some_points(count: int) -> list[Readable]:
    return [Readable(line, SentPoint("s:a", float(line), 10.0)) for line in range(2, count + 2)]


def test_it_says_who_it_is_once_and_sends_the_points_in_order(service: Service, transport: WsTransport) -> None:
    raw = msgspec.Raw(b'{"stream_id":"b","value":2,"timestamp":11}')

    assert transport.send([*some_points(1), Readable(3, raw)]) == Outcome(inserted=2)
    assert transport.send(some_points(1)) == Outcome(inserted=1)

    assert service.authentications == [{"action": "auth", "domain": "iot", "source_id": "s", "api_key": "the-key"}]
    assert json.loads(service.messages[0]) == [
        {"stream_id": "s:a", "value": 2.0, "timestamp": 10.0},
        {"stream_id": "b", "value": 2, "timestamp": 11},
    ]


def test_a_message_has_no_more_points_and_bytes_than_the_service_takes(
    service: Service, transport: WsTransport
) -> None:
    assert transport.send(some_points(2_500)).inserted == 2_500
    assert [len(json.loads(message)) for message in service.messages] == [1_000, 1_000, 500]

    wide = msgspec.Raw(json.dumps({"metadata": {"text": "x" * 4_000}}).encode())
    assert transport.send([Readable(1, wide)] * 100).inserted == 100
    assert all(len(message) <= 120_000 for message in service.messages)
    assert sum(len(json.loads(message)) for message in service.messages) == 2_600


def test_a_point_larger_than_a_message_is_rejected_without_being_sent(service: Service, transport: WsTransport) -> None:
    huge = Readable(7, msgspec.Raw(json.dumps({"metadata": "x" * 130_000}).encode()))

    outcome = transport.send([*some_points(1), huge, *some_points(1)])

    assert outcome.inserted == 2
    assert outcome.rejected == (
        Rejected(7, (Fault("too_long", "point", "is larger than a message may be"),), huge.point),
    )


def test_what_the_service_rejects_comes_back_with_its_line(service: Service, transport: WsTransport) -> None:
    service.behaviours = [
        says(
            [
                {"sequence": None, "status": "ok"},
                {"sequence": 4, "status": "error", "code": "wrong_type", "message": "value: must be a number"},
            ]
        )
    ]
    points = some_points(2)

    outcome = transport.send(points)

    assert outcome == Outcome(1, (Rejected(3, (Fault("wrong_type", "value", "must be a number"),), points[1].point),))


def test_it_waits_as_long_as_the_service_asks_and_sends_the_same_message_again(
    service: Service, transport: WsTransport, slept: list[float]
) -> None:
    service.behaviours = [says({"type": "wait", "retry_after": 2, "message": "the queue is slow"})]

    assert transport.send(some_points(3)).inserted == 3

    assert slept == [2]
    assert len(service.authentications) == 1


@pytest.mark.parametrize(
    "answer",
    [{"message": "Internal server error", "connectionId": "c", "requestId": "r"}, "worker exited: signal 9", [1, 2]],
)
def test_what_says_nothing_of_the_points_is_no_acknowledgement(
    service: Service, transport: WsTransport, slept: list[float], answer: object
) -> None:
    service.behaviours = [says(answer)]

    assert transport.send(some_points(3)).inserted == 3

    assert len(service.messages) == 1
    assert len(slept) == 1


@pytest.mark.parametrize("name", ["breaks", "takes_and_breaks", "closes"])
def test_after_a_break_the_unacknowledged_message_is_sent_again_as_it_was(
    service: Service, transport: WsTransport, name: str
) -> None:
    service.behaviours = [service.takes, getattr(service, name)]

    assert transport.send(some_points(1_500)).inserted == 1_500

    assert len(service.authentications) == 2
    assert [len(json.loads(message)) for message in dict.fromkeys(service.messages)] == [1_000, 500]


@pytest.mark.parametrize("sent_bytes", [1, 3, 10_000, 32_020, 60_000])
def test_a_break_in_the_middle_of_a_message_of_several_frames_is_no_message(
    service: Service, slept: list[float], sent_bytes: int
) -> None:
    message = Readable(2, msgspec.Raw(json.dumps({"metadata": "x" * 70_000}).encode()))
    with Relay(int(service.url.split(":")[2].split("/")[0])) as relay:
        service.url = f"ws://127.0.0.1:{relay.port}/live"
        transport = a_transport(service, slept)
        transport.send(some_points(1))
        relay.cut_after(sent_bytes)

        assert transport.send([message]).inserted == 1

        transport.close()
    assert relay.connections == 2
    assert [len(text) > 70_000 for text in service.messages] == [False, True]


@pytest.mark.parametrize(("reason", "hint"), [("unauthorized", "--key"), ("forbidden", "keys list")])
def test_a_refused_connection_is_an_error_that_says_the_hint(
    service: Service, transport: WsTransport, slept: list[float], reason: str, hint: str
) -> None:
    service.answer_to_auth = {"type": "error", "code": 1008, "reason": reason, "message": "not you"}

    with pytest.raises(CommandError) as caught:
        transport.send(some_points(1))

    assert "not you" in caught.value.message
    assert hint in caught.value.hint
    assert slept == []


@pytest.mark.parametrize(("code", "reason"), [(1008, "unauthorized"), (1007, "invalid_message")])
def test_a_refusal_in_place_of_an_acknowledgement_is_an_error_and_nothing_is_sent_again(
    service: Service, transport: WsTransport, slept: list[float], code: int, reason: str
) -> None:
    answer = {"type": "error", "code": code, "reason": reason, "message": "no more of you"}
    service.behaviours = [service.takes, says(answer)]

    with pytest.raises(CommandError, match="no more of you") as caught:
        transport.send(some_points(1_500))

    assert caught.value.code is ExitCode.FAILED
    assert len(service.messages) == 1
    assert slept == []


def test_it_gives_up_after_some_attempts_with_growing_pauses(
    service: Service, transport: WsTransport, slept: list[float]
) -> None:
    service.behaviours = [service.breaks] * 100

    with pytest.raises(CommandError) as caught:
        transport.send(some_points(1))

    assert caught.value.code is ExitCode.UNREACHABLE
    assert len(slept) == 7
    assert slept[-1] > slept[0]


def test_a_refused_handshake_is_final() -> None:
    service = Service()
    with serve(service.serve, "127.0.0.1", 0, process_request=lambda it, _: it.respond(403, "no")) as server:
        service.url = _url(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(CommandError, match="403"):
            a_transport(service, []).send(some_points(1))
        server.shutdown()
        thread.join()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.sampled_from(["takes", "breaks", "takes_and_breaks", "closes"]), max_size=6), st.integers(1, 4))
def test_whatever_breaks_each_message_is_taken_in_order_and_its_repetitions_are_the_same(
    service: Service, names: list[str], messages: int
) -> None:
    service.messages.clear()
    service.behaviours = [getattr(service, name) for name in names]
    transport = a_transport(service, [])

    assert transport.send(some_points(1_000 * messages)).inserted == 1_000 * messages
    transport.close()

    taken = dict.fromkeys(service.messages)
    assert [point["value"] for text in taken for point in json.loads(text)] == [
        float(line) for line in range(2, 1_000 * messages + 2)
    ]
