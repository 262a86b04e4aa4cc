"""Messages of legacy devices in the inbox, with memory in place of AWS."""

from collections.abc import Callable

import pytest

from tests.migration.thresholds import DEVICE, UUID
from tests.unit.functions.conftest import LogLines
from tests.unit.functions.test_iot_rule_handler import ARRIVED_AT, World, a_point, record


@pytest.fixture
def world() -> World:
    return World()


TOPIC = "iot/sensors/42/readings"


def a_reading(value: float = 20.5, timestamp: object = 1_699_999_990, **others: object) -> dict[str, object]:
    return {"sensorId": 42, "device_uuid": DEVICE, "value": value, "timestamp": timestamp, **others}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPIC, a_reading()),
        (TOPIC, [a_reading()]),
        (TOPIC, a_reading(timestamp="2023-11-14T22:13:10Z")),
        (TOPIC, a_reading(sensorId=None, sensor_id="42")),
        (TOPIC, {"value": 20.5, "timestamp": 1_699_999_990}),
        (TOPIC, a_reading(sensorId=None, device_uuid=None, sensor_uuid=UUID.upper())),
        (f"iot/sensors/{UUID}/readings", a_reading(sensorId=None)),
        (f"iot/sensors/{UUID.upper()}/readings", {"value": 20.5, "timestamp": 1_699_999_990}),
        (f"iot/sensors/{UUID}/readings", a_reading()),
    ],
)
def test_a_reading_goes_to_the_stream_of_its_sensor(world: World, topic: str, payload: object) -> None:
    assert world.returned(record("1", payload, topic)) == []

    (point,) = world.points()
    assert (str(point.key), point.value, point.timestamp) == (f"iot/{DEVICE}/42", 20.5, 1_699_999_990)
    assert point.ingested_at == ARRIVED_AT


def test_a_reading_keeps_its_type_and_its_sequence(world: World) -> None:
    world.returned(record("1", a_reading(sensor_type="temperature", sequence=7), TOPIC))

    (point,) = world.points()
    assert (point.stream_type, point.sequence, point.metadata) == ("temperature", 7, {})


def test_a_reading_without_a_time_has_that_of_its_arrival_and_says_so(world: World) -> None:
    world.returned(record("1", {"value": 1}, TOPIC))

    (point,) = world.points()
    assert (point.timestamp, point.metadata) == (ARRIVED_AT, {"timestamp_source": "arrival"})


def test_an_unknown_sensor_has_a_stream_without_a_device(world: World) -> None:
    other = UUID.replace("5", "6")

    world.returned(
        record("1", {"value": 1}, "iot/sensors/7/readings"), record("2", {"value": 2}, f"iot/sensors/{other}/readings")
    )

    assert sorted(str(point.key) for point in world.points()) == sorted(["iot/_/7", f"iot/_/{other}"])


def test_a_bad_reading_is_quarantined_with_its_faults_and_its_neighbours_are_accepted(world: World) -> None:
    payload = [
        a_reading(1),
        a_reading("high", "yesterday"),  # type: ignore[arg-type] # on purpose
        a_reading(sensorId=43),
        5,
        {"timestamp": 1_699_999_990, "device_uuid": "oven", "sensor_type": "a/b", "sequence": -1},
        a_reading(2, 1_699_999_991),
    ]

    assert world.returned(record("1", payload, TOPIC)) == []

    assert [point.value for point in world.points()] == [1, 2]
    kept = world.quarantine.records["1"]
    assert (kept.transport, kept.reason) == ("mqtt", "rejected_points")
    assert kept.origin == {
        "domain": "iot",
        "source_id": "_",
        "form": "legacy",
        "topic": TOPIC,
        "client_id": "oven-1",
    }
    codes = {index: [(fault.field, fault.code.value) for fault in faults] for index, faults in kept.faults.items()}
    assert codes == {
        1: [("timestamp", "out_of_range"), ("value", "wrong_type")],
        2: [("sensorId", "contradiction")],
        3: [("reading", "wrong_type")],
        4: [
            ("device_uuid", "out_of_range"),
            ("value", "missing"),
            ("sensor_type", "forbidden_character"),
            ("sequence", "negative"),
        ],
    }


@pytest.mark.parametrize(
    ("payload", "topic", "reason"),
    [
        (b"", TOPIC, "the payload is empty"),
        (b'{"value": 1', TOPIC, "the payload is no JSON"),
        (b"[]", TOPIC, "must be a reading or an array of readings, not an empty array"),
        (b"7", TOPIC, "must be a reading or an array of readings, not a number"),
        (b"{}", "iot/sensors/oven/readings", "the topic's sensor is neither an integer nor a UUID: 'oven'"),
        (b"{}", "iot/sensors//readings", "the topic's sensor is neither"),
    ],
)
def test_an_unusable_message_is_quarantined_unchanged(world: World, payload: bytes, topic: str, reason: str) -> None:
    assert world.returned(record("bad", payload, topic), record("good", a_reading(), TOPIC)) == []

    assert len(world.points()) == 1
    assert reason in world.quarantine.records["bad"].message


def test_readings_and_points_of_a_source_are_in_one_pack(world: World) -> None:
    world.returned(
        record("1", a_reading(2, 1_699_999_992), TOPIC),
        record("2", a_point(1, 1_699_999_991), f"iot/{DEVICE}/42"),
    )

    (pack,) = world.queue.packs
    assert {str(point.key) for point in pack.points} == {f"iot/{DEVICE}/42"}


def test_while_the_directory_is_unavailable_only_messages_that_need_it_are_retried(world: World, log: LogLines) -> None:
    world.directory_is_away = True
    batch = [
        record("1", {"value": 1}, TOPIC),
        record("2", a_reading(2), TOPIC),
        record("3", a_point(3)),
        record("4", b"", TOPIC),
    ]

    assert world.returned(*batch) == ["1"]
    assert sorted(point.value for point in world.points()) == [2, 3]
    assert "LEGACY_UNAVAILABLE" in log.codes

    world.directory_is_away = False
    assert world.returned(batch[0]) == []
    assert [str(point.key) for point in world.points() if point.value == 1] == [f"iot/{DEVICE}/42"]


def test_while_the_queue_is_unavailable_legacy_messages_are_retried_too(world: World) -> None:
    world.queue_is_away = True

    assert world.returned(record("1", a_reading(), TOPIC), record("2", b"", TOPIC)) == ["1"]


def test_legacy_clients_are_in_the_log_and_their_messages_are_counted(
    world: World, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.returned(*(record(str(number), a_reading(number), TOPIC) for number in range(3)), record("new", a_point()))

    (line,) = [line for line in log.lines if line["code"] == "LEGACY_MESSAGES_ACCEPTED"]
    assert (line["messages"], line["clients"]) == (3, ["oven-1"])
    assert counted() == {"LegacyRequests": 3, "PointsAccepted": 4}


def test_a_batch_without_legacy_messages_logs_none(world: World, log: LogLines) -> None:
    world.returned(record("1", a_point()))

    assert log.codes == ["MESSAGES_ACCEPTED"]
