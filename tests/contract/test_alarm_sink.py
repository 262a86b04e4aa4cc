"""The contract of `AlarmSink`: alarm events are published in their order, at least once."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from afluente.adapters.aws.eventbridge import AlarmSinks, EventBridgeAlarms, LogGroupAlarms
from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.application.alarms.ports import AlarmSink
from afluente.application.errors import UnavailableError
from afluente.domain.alarms import AlarmChange, AlarmEvent
from tests.contract.local_aws import PUT_EVENTS, LocalAws, drain, fail, fail_in_part, record_calls
from tests.factories import an_alarm_event

LOG_CALL_BYTES = 1_048_576
"""PutLogEvents quota: of a call, each event counted as its UTF-8 bytes and 26 more."""


@dataclass
class Sink:
    """A sink from both ends."""

    publishing: AlarmSink
    published: Callable[[], list[AlarmEvent]]


@pytest.fixture(params=["bus", "log group"])
def sink(request: pytest.FixtureRequest, backend: LocalAws | None, executor: Executor) -> Sink:
    if backend is None:
        memory = MemoryAlarms()
        return Sink(memory, lambda: memory.events)
    if request.param == "bus":
        bus, queue_url = backend.bus()
        return Sink(
            EventBridgeAlarms(backend.client("events"), bus, executor=executor, sleep=no_sleep),
            lambda: [decoded(envelope["detail"]) for envelope in envelopes(backend, queue_url)],
        )
    group, stream = backend.log_stream()
    return Sink(LogGroupAlarms(backend.client("logs"), group, stream), lambda: logged(backend, group, stream))


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


def decoded(detail: object) -> AlarmEvent:
    return msgspec.convert(detail, AlarmEvent)


def envelopes(local: LocalAws, queue_url: str) -> list[dict[str, Any]]:
    """Events that rules of the bus deliver."""
    return [json.loads(message["Body"]) for message in drain(local.client("sqs"), queue_url)]


def logged(local: LocalAws, group: str, stream: str) -> list[AlarmEvent]:
    answer = local.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return [decoded(json.loads(event["message"])) for event in answer["events"]]


def events(count: int, **fields: Any) -> list[AlarmEvent]:
    return [an_alarm_event(count=number, **fields) for number in range(count)]


# --- every sink ------------------------------------------------------------------------------------------------------


def test_no_events_change_nothing(sink: Sink) -> None:
    sink.publishing.publish([])

    assert sink.published() == []


@pytest.mark.parametrize("count", [1, 10, 11, 25])
def test_events_are_published_as_they_are(sink: Sink, count: int) -> None:
    sink.publishing.publish(events(count, stream_id="température 😀"))

    # Calls run side by side; readers order the events of an alarm.
    assert sorted(sink.published(), key=lambda event: event.count) == events(count, stream_id="température 😀")


def test_events_of_several_calls_keep_their_order(sink: Sink) -> None:
    for event in events(5):
        sink.publishing.publish([event])

    assert sink.published() == events(5)


# --- EventBridge -----------------------------------------------------------------------------------------------------


def test_an_event_on_the_bus_names_its_source_its_type_and_its_stream(aws: LocalAws, executor: Executor) -> None:
    bus, queue_url = aws.bus()
    raised, cleared = an_alarm_event(), an_alarm_event(state=AlarmChange.CLEARED)

    EventBridgeAlarms(aws.client("events"), bus, executor=executor, sleep=no_sleep).publish([raised, cleared])

    found = envelopes(aws, queue_url)
    assert [envelope["source"] for envelope in found] == ["afluente", "afluente"]
    assert [envelope["detail-type"] for envelope in found] == ["Alarm raised", "Alarm cleared"]
    assert [envelope["resources"] for envelope in found] == [["iot/furnace-1/temperature"]] * 2
    assert [envelope["detail"]["state"] for envelope in found] == ["raised", "cleared"]


def test_failed_events_alone_are_retried(aws: LocalAws, executor: Executor) -> None:
    bus, queue_url = aws.bus()
    client = aws.client("events")
    requests = fail_in_part(client, PUT_EVENTS, plan=[{1, 3}, {0, 1}, {1}])

    EventBridgeAlarms(client, bus, executor=executor, sleep=no_sleep).publish(events(4))

    assert [[json.loads(entry["Detail"])["count"] for entry in call] for call in requests.calls] == [
        [0, 1, 2, 3],
        [1, 3],
        [1, 3],
        [3],
    ]
    assert sorted(envelope["detail"]["count"] for envelope in envelopes(aws, queue_url)) == [0, 1, 2, 3]


def test_events_that_fail_in_every_attempt_are_unavailable(aws: LocalAws, executor: Executor) -> None:
    bus, _ = aws.bus()
    client = aws.client("events")
    fail_in_part(client, PUT_EVENTS, plan=[{0}] * 10)

    with pytest.raises(UnavailableError, match="1 of 2 not taken after 4 attempts"):
        EventBridgeAlarms(client, bus, executor=executor, sleep=no_sleep).publish(events(2))


def test_a_bus_that_fails_is_unavailable(aws: LocalAws, executor: Executor) -> None:
    bus, _ = aws.bus()
    client = aws.client("events")
    fail(client, "PutEvents")

    with pytest.raises(UnavailableError, match="EventBridge"):
        EventBridgeAlarms(client, bus, executor=executor, sleep=no_sleep).publish(events(1))


def test_no_call_is_under_way_any_more_when_a_failure_is_reported(aws: LocalAws, executor: Executor) -> None:
    bus, queue_url = aws.bus()
    client = aws.client("events")
    fail_in_part(client, PUT_EVENTS, plan=[{0}])

    with pytest.raises(UnavailableError):
        EventBridgeAlarms(client, bus, executor=executor, sleep=_refuse).publish(events(60))

    assert len(envelopes(aws, queue_url)) == 59


def _refuse(seconds: float) -> None:
    raise UnavailableError("no time")


# --- CloudWatch Logs -------------------------------------------------------------------------------------------------


def test_a_line_of_the_log_has_the_time_of_its_report(aws: LocalAws) -> None:
    group, stream = aws.log_stream()
    now = time.time()

    LogGroupAlarms(aws.client("logs"), group, stream, clock=lambda: now).publish(events(1))

    answer = aws.client("logs").get_log_events(logGroupName=group, logStreamName=stream)
    assert [event["timestamp"] for event in answer["events"]] == [int(now * 1000)]


def test_calls_stay_within_the_quotas_of_the_log_however_long_the_keys_are(aws: LocalAws) -> None:
    group, stream = aws.log_stream()
    client = aws.client("logs")
    calls = record_calls(client, "PutLogEvents")
    longest = events(3_000, domain="x" * 32, source_id="😀" * 128, stream_id="😀" * 128)

    LogGroupAlarms(client, group, stream).publish(longest)

    assert sum(len(call["logEvents"]) for call in calls) == 3_000
    for call in calls:
        assert sum(len(event["message"].encode()) + 26 for event in call["logEvents"]) <= LOG_CALL_BYTES


def test_a_log_stream_that_is_not_there_is_unavailable(aws: LocalAws) -> None:
    group, _ = aws.log_stream()

    with pytest.raises(UnavailableError, match="CloudWatch Logs"):
        LogGroupAlarms(aws.client("logs"), group, "absent").publish(events(1))


# --- several sinks ---------------------------------------------------------------------------------------------------


def test_events_go_to_one_sink_after_the_other() -> None:
    one, other = MemoryAlarms(), MemoryAlarms()

    AlarmSinks(one, other).publish(events(3))

    assert one.events == other.events == events(3)


def test_a_sink_that_fails_keeps_events_from_those_after_it(moto: LocalAws) -> None:
    after = MemoryAlarms()
    failing = LogGroupAlarms(moto.client("logs"), "absent", "alarms")

    with pytest.raises(UnavailableError):
        AlarmSinks(failing, after).publish(events(1))

    assert after.events == []
