"""The contract of `AlarmLog`: alarms are read in the order of their reports, within an interval."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from afluente.adapters.aws.cloudwatch_alarm_log import LogGroupAlarmLog
from afluente.adapters.aws.eventbridge import LogGroupAlarms
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.application.alarms.ports import AlarmLog, ReportedAlarm
from afluente.application.errors import UnavailableError
from afluente.domain.alarms import AlarmEvent
from tests.contract.local_aws import LocalAws, fail
from tests.factories import an_alarm_event

A_CALL = 4


@dataclass
class Log:
    """A log from both ends."""

    log: AlarmLog
    report: Callable[[int, list[AlarmEvent]], None]


@pytest.fixture
def log(backend: LocalAws | None) -> Log:
    if backend is None:
        memory = MemoryAlarmLog()
        return Log(memory, lambda at_ms, events: memory.report(*(ReportedAlarm(at_ms, event) for event in events)))
    group, stream = backend.log_stream()

    def report(at_ms: int, events: list[AlarmEvent]) -> None:
        LogGroupAlarms(backend.client("logs"), group, stream, clock=lambda: at_ms / 1000).publish(events)

    return Log(LogGroupAlarmLog(backend.client("logs"), group, events_a_call=A_CALL), report)


@pytest.fixture
def now_ms() -> int:
    """The current second: CloudWatch Logs accepts nothing that is older than two weeks."""
    return int(time.time()) * 1000


def read(log: Log, since_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """The time of each report, and the number of its event."""
    return [
        (reported.reported_ms, reported.event.count) for page in log.log.pages(since_ms, until_ms) for reported in page
    ]


def events(*numbers: int) -> list[AlarmEvent]:
    return [an_alarm_event(count=number, source_id="température 😀") for number in numbers]


def test_an_empty_log_has_no_alarms(log: Log, now_ms: int) -> None:
    assert read(log, now_ms - 1000, now_ms) == []
    assert read(log, now_ms, now_ms) == []


def test_an_alarm_is_read_as_it_was_reported(log: Log, now_ms: int) -> None:
    log.report(now_ms, events(1))

    [[reported]] = [page for page in log.log.pages(now_ms, now_ms + 1) if page]

    assert reported == ReportedAlarm(now_ms, *events(1))


def test_the_first_millisecond_counts_and_the_last_does_not(log: Log, now_ms: int) -> None:
    for number, at in enumerate((-1, 0, 500, 999, 1000)):
        log.report(now_ms + at, events(number))

    assert read(log, now_ms, now_ms + 1000) == [(now_ms, 1), (now_ms + 500, 2), (now_ms + 999, 3)]


@pytest.mark.parametrize("count", [1, A_CALL - 1, A_CALL, A_CALL + 1, 3 * A_CALL + 2])
def test_many_are_read_call_by_call(log: Log, now_ms: int, count: int) -> None:
    for number in range(count):
        log.report(now_ms + 10 * (number // 2), events(number))

    assert read(log, now_ms, now_ms + 1000) == [(now_ms + 10 * (number // 2), number) for number in range(count)]


@pytest.fixture
def group(aws: LocalAws) -> tuple[str, str]:
    return aws.log_stream()


def test_a_line_of_another_writer_is_skipped(aws: LocalAws, group: tuple[str, str], now_ms: int) -> None:
    lines = [{"timestamp": now_ms, "message": text} for text in ("hello", "{}", '{"alarm_id": 5}')]
    aws.client("logs").put_log_events(logGroupName=group[0], logStreamName=group[1], logEvents=lines)

    assert [page for page in LogGroupAlarmLog(aws.client("logs"), group[0]).pages(now_ms, now_ms + 1) if page] == []


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailableException", "AccessDeniedException"])
def test_a_log_that_does_not_answer_is_unavailable(
    aws: LocalAws, group: tuple[str, str], now_ms: int, code: str
) -> None:
    client = aws.client("logs")
    fail(client, "FilterLogEvents", code=code)

    with pytest.raises(UnavailableError):
        list(LogGroupAlarmLog(client, group[0]).pages(now_ms, now_ms + 1))
