"""The contract of the sensor directory: sensors by their numbers and by their UUIDs."""

from collections.abc import Callable

import pytest

from afluente.application.errors import UnavailableError
from afluente.migration.adapters.dynamodb_sensors import DynamoSensors
from afluente.migration.adapters.memory import MemorySensors
from afluente.migration.domain.thresholds import Sensor
from tests.contract.local_aws import BATCH_GET_ITEM, BATCH_WRITE_ITEM, LocalAws, count_requests, fail, fail_in_part
from tests.migration.thresholds import DEVICE, UUID, a_sensor

OTHER_UUID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def directory(backend: LocalAws | None) -> MemorySensors | DynamoSensors:
    return MemorySensors() if backend is None else on(backend)


def on(aws: LocalAws) -> DynamoSensors:
    return DynamoSensors(aws.client("dynamodb"), a_table(aws), sleep=no_sleep)


def a_table(aws: LocalAws) -> str:
    return aws.table("id", "entry", sort_form="S")


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


def test_a_sensor_that_nobody_entered_is_not_found(directory: MemorySensors | DynamoSensors) -> None:
    assert directory.resolve([42, UUID]) == {}
    assert directory.fetch([42]) == {}


def test_nothing_is_found_of_no_names(directory: MemorySensors | DynamoSensors) -> None:
    assert directory.resolve([]) == {}
    assert directory.fetch([]) == {}


def test_a_sensor_is_found_by_its_number_and_by_its_uuid_as_it_was_entered(
    directory: MemorySensors | DynamoSensors,
) -> None:
    full = a_sensor(sensor_type="température")
    directory.put_many([full])

    assert directory.resolve([42, UUID, 43]) == {42: full, UUID: full}
    assert directory.fetch([42, 43]) == {42: full}


def test_a_sensor_without_a_uuid_is_found_by_its_number_alone(directory: MemorySensors | DynamoSensors) -> None:
    bare = Sensor(sensor_id=-7)
    directory.put_many([bare])

    assert directory.resolve([-7]) == {-7: bare}


@pytest.mark.parametrize("uuid", [UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}"])
def test_a_uuid_is_found_however_it_was_written(directory: MemorySensors | DynamoSensors, uuid: str) -> None:
    directory.put_many([a_sensor(uuid=uuid)])

    assert directory.resolve([UUID]) == {UUID: a_sensor(uuid=uuid)}


def test_a_sensor_whose_uuid_is_none_is_found_by_its_number(directory: MemorySensors | DynamoSensors) -> None:
    odd = a_sensor(uuid="boiler room")
    directory.put_many([odd])

    assert directory.resolve([42]) == {42: odd}


def test_a_sensor_that_is_entered_again_takes_the_place_of_the_one_before(
    directory: MemorySensors | DynamoSensors,
) -> None:
    moved = a_sensor(device_uuid=OTHER_UUID)
    directory.put_many([a_sensor()])
    directory.put_many([moved])
    directory.put_many([moved])

    assert directory.resolve([42, UUID]) == {42: moved, UUID: moved}


def test_of_two_sensors_with_one_uuid_in_one_call_the_last_has_it(directory: MemorySensors | DynamoSensors) -> None:
    first, second = a_sensor(1), a_sensor(2)
    directory.put_many([first, second, second])

    assert directory.resolve([1, 2, UUID]) == {1: first, 2: second, UUID: second}


def test_any_number_of_sensors_is_entered_and_found(directory: MemorySensors | DynamoSensors) -> None:
    sensors = [
        a_sensor(number, uuid=f"{number:08x}-0000-4000-8000-000000000000", device_uuid=DEVICE) for number in range(120)
    ]
    directory.put_many(sensors)

    found = directory.resolve([name for sensor in sensors for name in (sensor.sensor_id, str(sensor.uuid))])
    assert len(found) == 240
    assert directory.fetch(range(120)) == {sensor.sensor_id: sensor for sensor in sensors}


def test_many_sensors_take_few_requests(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    requests = count_requests(client)
    directory = DynamoSensors(client, a_table(aws), sleep=no_sleep)

    directory.resolve(range(250))
    directory.put_many([Sensor(sensor_id=number) for number in range(50)])

    assert requests == {"BatchGetItem": 3, "BatchWriteItem": 2}


def test_what_dynamodb_leaves_undone_is_done_again_alone(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    directory = DynamoSensors(client, a_table(aws), sleep=no_sleep)
    written = fail_in_part(client, BATCH_WRITE_ITEM, plan=[{1, 2}])
    read = fail_in_part(client, BATCH_GET_ITEM, plan=[{0}])

    directory.put_many([Sensor(sensor_id=number) for number in range(3)])

    assert set(directory.resolve([0, 1, 2])) == {0, 1, 2}
    assert [len(items) for items in written.calls] == [3, 2]
    assert [len(items) for items in read.calls] == [3, 1]


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)
    directory = DynamoSensors(client, table, sleep=no_sleep)
    fail(client, operation)

    calls: dict[str, list[Callable[[], object]]] = {
        "BatchGetItem": [lambda: directory.resolve([42]), lambda: directory.fetch([42])],
        "BatchWriteItem": [lambda: directory.put_many([a_sensor()])],
    }
    for call in calls[operation]:
        with pytest.raises(UnavailableError, match=table):
            call()
