"""Sending over HTTP: the result of each point is reported, and a fault on the way loses and repeats nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest

from cli.core.errors import CommandError, ExitCode
from cli.sending.http import HttpTransport
from cli.sending.points import Fault, Outcome, Readable, Rejected, SentPoint
from tests.unit.cli.sending.service import Answer, Service, running_service


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as service:
        yield service


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def transport(service: Service, slept: list[float]) -> Iterator[HttpTransport]:
    transport = HttpTransport(service.url, "the-key", domain="iot", source="s", use_proxies=False, sleep=slept.append)
    yield transport
    transport.close()


def some_points(count: int) -> list[Readable]:
    return [Readable(line, SentPoint("s:a", float(line), 10.0)) for line in range(2, count + 2)]


def test_a_request_has_the_key_the_source_and_the_points_in_order(service: Service, transport: HttpTransport) -> None:
    raw = msgspec.Raw(b'{"stream_id":"b","value":2,"timestamp":11}')
    outcome = transport.send([*some_points(1), Readable(3, raw)])
    (request,) = service.requests
    assert outcome == Outcome(inserted=2)
    assert request.path == "/stage/ingest/datapoints"
    assert request.headers["x-api-key"] == "the-key"
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "domain": "iot",
        "source_id": "s",
        "datapoints": [
            {"stream_id": "s:a", "value": 2.0, "timestamp": 10.0},
            {"stream_id": "b", "value": 2, "timestamp": 11},
        ],
    }


def test_a_large_body_goes_compressed_and_a_small_one_does_not(service: Service, transport: HttpTransport) -> None:
    transport.send(some_points(1))
    transport.send(some_points(100))
    assert "content-encoding" not in service.requests[0].headers
    assert service.requests[1].headers["content-encoding"] == "gzip"
    assert len(service.requests[1].body["datapoints"]) == 100


@pytest.mark.parametrize("status", [202, 422])
def test_rejected_points_come_back_with_their_line_and_all_their_faults(
    service: Service, transport: HttpTransport, status: int
) -> None:
    rejected = [
        {"index": 1, "code": "not_finite", "field": "value", "message": "must be finite"},
        {"index": 1, "code": "in_future", "field": "timestamp", "message": "is ahead"},
    ]
    service.answers = [Answer(status, {"inserted": 1, "rejected": rejected, "title": "some are bad"})]
    points = some_points(2)
    faults = (Fault("not_finite", "value", "must be finite"), Fault("in_future", "timestamp", "is ahead"))
    assert transport.send(points) == Outcome(1, (Rejected(3, faults, points[1].point),))


def test_rejected_points_that_the_answer_omits_are_sent_again_to_be_named(
    service: Service, transport: HttpTransport
) -> None:
    def rejection(index: int) -> dict[str, Any]:
        return {"index": index, "code": "not_finite", "field": "value", "message": "must be finite"}

    omitted = {"points": 1, "faults": 1, "by_code": {"not_finite": 1}}
    service.answers = [
        Answer(202, {"inserted": 2, "rejected": [rejection(1)], "omitted": omitted}),
        Answer(202, {"inserted": 1, "rejected": [rejection(0)]}),
    ]
    points = some_points(4)

    outcome = transport.send(points)

    assert outcome.inserted == 2
    assert [rejected.line for rejected in outcome.rejected] == [points[1].line, points[2].line]
    assert [len(request.body["datapoints"]) for request in service.requests] == [4, 2]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_service_gets_the_same_request_again(
    service: Service, transport: HttpTransport, slept: list[float], status: int
) -> None:
    service.answers = [Answer(status, {"title": "busy"}), Answer(status, b"")]
    assert transport.send(some_points(3)) == Outcome(inserted=3)
    assert [request.body for request in service.requests] == [service.requests[0].body] * 3
    assert len(slept) == 2
    assert slept[0] < slept[1]


def test_a_cut_connection_gets_the_same_request_again(
    service: Service, transport: HttpTransport, slept: list[float]
) -> None:
    service.answers = [Answer(cut=True)]
    assert transport.send(some_points(3)) == Outcome(inserted=3)
    assert len(slept) == 1


@pytest.mark.parametrize(
    ("text", "between"),
    [
        ("7", (7, 7)),
        pytest.param(
            format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True),
            (3000, 3600),
            id="a date an hour ahead",
        ),
        (format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True), (0, 0)),
        ("soon", (0, 1)),
    ],
)
def test_it_waits_as_long_as_the_service_asks_it_to(
    service: Service, transport: HttpTransport, slept: list[float], text: str, between: tuple[float, float]
) -> None:
    service.answers = [Answer(503, {}, {"Retry-After": text})]
    transport.send(some_points(1))
    assert between[0] <= slept[0] <= between[1]


def test_it_does_not_wait_for_tomorrow(service: Service, transport: HttpTransport, slept: list[float]) -> None:
    service.answers = [Answer(429, {"detail": "1,000 points a day"}, {"Retry-After": "40000"})]

    with pytest.raises(CommandError, match="no points for 40000 s: 429 Too Many Requests: 1,000 points a day"):
        transport.send(some_points(1))

    assert slept == []


def test_waiting_is_reported_with_its_reason(service: Service) -> None:
    waits: list[tuple[float, str]] = []
    transport = HttpTransport(
        service.url,
        "k",
        domain="iot",
        source="s",
        use_proxies=False,
        on_wait=lambda seconds, reason: waits.append((seconds, reason)),
        sleep=lambda _: None,
    )
    service.answers = [Answer(503, {"title": "Unavailable", "detail": "the queue is away"}, {"Retry-After": "2"})]
    transport.send(some_points(1))
    transport.close()
    assert waits == [(2.0, "503 Service Unavailable: the queue is away")]


def test_a_service_that_stays_away_is_given_up_with_exit_code_3(service: Service, slept: list[float]) -> None:
    transport = HttpTransport(
        "http://127.0.0.1:1", "k", domain="iot", source="s", use_proxies=False, sleep=slept.append
    )
    with pytest.raises(CommandError) as caught:
        transport.send(some_points(1))
    transport.close()
    assert caught.value.code is ExitCode.UNREACHABLE
    assert len(slept) == 7


def test_a_body_that_is_too_large_goes_in_halves_in_order(service: Service, transport: HttpTransport) -> None:
    service.answers = [Answer(413, {"title": "too large"})]
    assert transport.send(some_points(5)) == Outcome(inserted=5)
    lines = [[point["value"] for point in request.body["datapoints"]] for request in service.requests]
    assert lines == [[2, 3, 4, 5, 6], [2, 3], [4, 5, 6]]


def test_a_single_point_that_is_too_large_is_rejected(service: Service, transport: HttpTransport) -> None:
    service.answers = [Answer(413, {}), Answer(413, {})]
    outcome = transport.send(some_points(2))
    assert outcome.inserted == 1
    assert [(one.line, one.faults[0].code) for one in outcome.rejected] == [(2, "too_long")]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"message": "Unauthorized"}, "401 Unauthorized: Unauthorized"),
        (403, {"title": "Forbidden", "detail": "lacks the scope domain:iot"}, "lacks the scope domain:iot"),
        (404, b"<html>", "404 Not Found"),
        (400, {"title": "Malformed JSON"}, "400 Bad Request: Malformed JSON"),
        (422, {"title": "no points"}, "no points"),
    ],
)
def test_a_refusal_is_reported_and_not_retried(
    service: Service, transport: HttpTransport, status: int, body: object, message: str
) -> None:
    service.answers = [Answer(status, body)]
    with pytest.raises(CommandError) as caught:
        transport.send(some_points(1))
    assert message in caught.value.message
    assert caught.value.code is ExitCode.FAILED
    assert len(service.requests) == 1


def test_a_refused_key_has_a_hint(service: Service, transport: HttpTransport) -> None:
    service.answers = [Answer(401, {})]
    with pytest.raises(CommandError) as caught:
        transport.send(some_points(1))
    assert "afluente keys create" in caught.value.hint


def test_an_answer_that_nobody_can_read_is_an_error(service: Service, transport: HttpTransport) -> None:
    service.answers = [Answer(202, b"ok")]
    with pytest.raises(CommandError, match="something unreadable"):
        transport.send(some_points(1))
