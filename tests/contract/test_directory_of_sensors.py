"""The contract of `DirectoryOfSensors`: sensors by their ids, for those who fill the directory."""

import json
from collections.abc import Callable

import pytest

from afluente.adapters.dynamodb_migration import DynamoDirectory
from afluente.adapters.memory import MemoryDirectory
from afluente.application.migration.ports import DirectoryOfSensors
from afluente.application.ports import UnavailableError
from afluente.legacy.thresholds import Sensor
from tests.contract.local_aws import LocalAws, fail


@pytest.fixture
def directory(backend: LocalAws | None) -> DirectoryOfSensors:
    if backend is None:
        return MemoryDirectory()
    return DynamoDirectory(backend.client("dynamodb"), a_table(backend), sleep=no_sleep)


def a_table(aws: LocalAws) -> str:
    return aws.table("id", "entry", sort_form="S")


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


FULL = Sensor(sensor_id=42, uuid="u42", device_uuid="d1")
BARE = Sensor(sensor_id=43)


def test_a_sensor_that_is_not_entered_is_not_found(directory: DirectoryOfSensors) -> None:
    assert directory.fetch([42]) == {}
    assert directory.fetch([]) == {}


def test_sensors_are_found_as_they_were_entered(directory: DirectoryOfSensors) -> None:
    directory.put_many([FULL, BARE])

    assert directory.fetch([42, 43, 44]) == {42: FULL, 43: BARE}


def test_an_entry_takes_the_place_of_the_last_one(directory: DirectoryOfSensors) -> None:
    moved = Sensor(sensor_id=42, uuid="u42", device_uuid="d2")

    directory.put_many([FULL])
    directory.put_many([moved])

    assert directory.fetch([42]) == {42: moved}


def test_any_number_of_sensors_is_entered(directory: DirectoryOfSensors) -> None:
    sensors = {number: Sensor(sensor_id=number, uuid=f"u{number}") for number in range(130)}

    directory.put_many(list(sensors.values()))

    assert directory.fetch(sensors) == sensors


def test_of_two_sensors_of_one_uuid_both_are_entered(directory: DirectoryOfSensors) -> None:
    twins = {number: Sensor(sensor_id=number, uuid="u") for number in (1, 2)}

    directory.put_many(list(twins.values()))

    assert directory.fetch([1, 2]) == twins


def test_an_entry_is_found_by_either_name(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)

    DynamoDirectory(client, table).put_many([FULL])

    items = client.scan(TableName=table)["Items"]
    assert {(item["id"]["S"], item["entry"]["S"]) for item in items} == {
        ("sensor#42", "directory"),
        ("uuid#u42", "directory"),
    }
    assert [json.loads(item["record"]["S"])["device_uuid"] for item in items] == ["d1", "d1"]


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)
    directory = DynamoDirectory(client, table, sleep=no_sleep)
    fail(client, operation)

    calls: dict[str, Callable[[], object]] = {
        "BatchGetItem": lambda: directory.fetch([42]),
        "BatchWriteItem": lambda: directory.put_many([FULL]),
    }
    with pytest.raises(UnavailableError, match=table):
        calls[operation]()
