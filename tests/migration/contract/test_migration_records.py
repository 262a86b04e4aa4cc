"""The contract of `MigrationRecords`: records of sensors, of the run, and of dual write."""

from collections.abc import Callable

import pytest

from afluente.application.errors import UnavailableError
from afluente.domain.constraints import Baseline
from afluente.migration.adapters.dynamodb_records import CONFLICT_SECONDS, DynamoMigrationRecords
from afluente.migration.adapters.memory import MemoryMigrationRecords
from afluente.migration.application.ports import MigrationRecords, StaleRunError
from afluente.migration.application.records import (
    DualWriteSwitch,
    KeptConflict,
    Origin,
    PassedOver,
    Prospect,
    RunProgress,
    SensorRecord,
    Status,
    SyncPass,
)
from tests.contract.local_aws import BATCH_WRITE_ITEM, LocalAws, count_requests, fail, fail_in_part
from tests.factories import NOW


@pytest.fixture
def records(backend: LocalAws | None) -> MigrationRecords:
    return MemoryMigrationRecords() if backend is None else on(backend)


def on(aws: LocalAws) -> DynamoMigrationRecords:
    return DynamoMigrationRecords(aws.client("dynamodb"), a_table(aws), sleep=no_sleep)


def a_table(aws: LocalAws) -> str:
    return aws.table("id", "entry", sort_form="S")


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


def a_record(sensor_id: int = 42, constraints_hash: str = "c0") -> SensorRecord:
    return SensorRecord(
        sensor_id=sensor_id,
        scope=f"iot/_/{sensor_id}",
        status=Status.MIGRATED,
        origin=Origin.LEGACY_TABLES,
        constraints_hash=constraints_hash,
        rows_hash="r0",
    )


FULL = SensorRecord(
    sensor_id=-7,
    uuid="u",
    device_uuid="d",
    scope="iot/d/-7",
    status=Status.ROLLED_BACK,
    origin=Origin.BEFORE,
    constraints_hash="",
    rows_hash="r1",
    version=3,
    baseline=Baseline(NOW - 0.125, -1e300),
    run_id="run-1",
    prospect=Prospect.MIGRATE,
    written_at=NOW,
)
RUN = RunProgress(
    run_id="run-1",
    choice="all",
    started_at=NOW,
    after=500,
    counts={Prospect.MIGRATE: 498, Prospect.IMPOSSIBLE: 2},
    passed_over=(PassedOver(7, Prospect.IMPOSSIBLE, ("because",)),),
    directory_writes=500,
)
CONFLICT = KeptConflict(
    sensor_id=42, scope="iot/_/42", at=NOW, winner=Origin.LEGACY_TABLES, reason="later", lost={"value": [1.5, None]}
)


# --- sensors ---------------------------------------------------------------------------------------------------------


def test_a_sensor_without_a_record_is_not_found(records: MigrationRecords) -> None:
    assert records.fetch([42]) == {}
    assert records.fetch([]) == {}
    assert list(records.list()) == []


def test_records_are_found_as_they_were_put(records: MigrationRecords) -> None:
    records.put_many([a_record(), FULL])

    assert records.fetch([42, -7, 43]) == {42: a_record(), -7: FULL}


def test_a_record_takes_the_place_of_the_last_one(records: MigrationRecords) -> None:
    records.put_many([a_record()])
    records.put_many([a_record(constraints_hash="c1")])

    assert records.fetch([42]) == {42: a_record(constraints_hash="c1")}


def test_any_number_of_records_is_found_and_listed(records: MigrationRecords) -> None:
    expected = {number: a_record(number) for number in range(130)}
    records.put_many(list(expected.values()))
    records.save_run(RUN)
    records.keep_conflict(CONFLICT)

    assert records.fetch(expected) == expected
    assert sorted(records.list(), key=lambda record: record.sensor_id) == list(expected.values())


def test_many_records_take_few_requests(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    records = DynamoMigrationRecords(client, a_table(aws), sleep=no_sleep)
    requests = count_requests(client)

    records.put_many([a_record(number) for number in range(130)])
    records.fetch(range(130))

    assert requests == {"BatchWriteItem": 6, "BatchGetItem": 2}


def test_records_that_dynamodb_leaves_unprocessed_are_written_again_alone(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    records = DynamoMigrationRecords(client, a_table(aws), sleep=no_sleep)
    message = fail_in_part(client, BATCH_WRITE_ITEM, plan=[{1, 2}, {0}])

    records.put_many([a_record(number) for number in range(3)])

    assert [len(items) for items in message.calls] == [3, 2, 1]
    assert len(records.fetch(range(3))) == 3


# --- the run ---------------------------------------------------------------------------------------------------------


def test_before_the_first_run_there_is_none(records: MigrationRecords) -> None:
    assert records.find_run() is None


def test_how_far_a_run_got_is_kept_in_versions(records: MigrationRecords) -> None:
    first = records.save_run(RUN)
    second = records.save_run(first)

    assert (first.version, second.version) == (1, 2)
    assert records.find_run() == second


@pytest.mark.parametrize("version", [0, 2])
def test_a_run_that_another_has_gone_on_with_is_stale(records: MigrationRecords, version: int) -> None:
    kept = records.save_run(RUN)

    with pytest.raises(StaleRunError):
        records.save_run(RunProgress(run_id="run-2", choice="all", started_at=NOW, version=version))

    assert records.find_run() == kept


def test_a_run_that_was_never_kept_cannot_go_on(records: MigrationRecords) -> None:
    with pytest.raises(StaleRunError):
        records.save_run(RunProgress(run_id="run-2", choice="all", started_at=NOW, version=3))


# --- dual write ------------------------------------------------------------------------------------------------------


def test_dual_write_is_off_until_it_is_switched_on(records: MigrationRecords) -> None:
    assert records.find_dual_write() == DualWriteSwitch()

    switched = DualWriteSwitch(
        is_on=True, switched_at=NOW, last_pass=SyncPass(started_at=NOW, conflicts=1, notes=("a",))
    )
    records.save_dual_write(switched)

    assert records.find_dual_write() == switched


def test_conflicts_are_kept_side_by_side(records: MigrationRecords) -> None:
    later = KeptConflict(sensor_id=42, scope="iot/_/42", at=NOW + 1, winner=Origin.CONSTRAINTS, reason="later")
    records.put_many([a_record()])

    for conflict in (CONFLICT, later):
        records.keep_conflict(conflict)

    assert sorted(records.conflicts(), key=lambda conflict: conflict.at) == [CONFLICT, later]


def test_a_conflict_is_kept_for_a_year(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)

    DynamoMigrationRecords(client, table).keep_conflict(CONFLICT)

    (item,) = client.scan(TableName=table)["Items"]
    assert item["expires_at"] == {"N": str(int(NOW) + CONFLICT_SECONDS)}


# --- a table that fails ----------------------------------------------------------------------------------------------


CALLS: dict[str, list[Callable[[MigrationRecords], object]]] = {
    "BatchGetItem": [lambda records: records.fetch([1])],
    "BatchWriteItem": [lambda records: records.put_many([a_record()])],
    "GetItem": [lambda records: records.find_run(), lambda records: records.find_dual_write()],
    "PutItem": [
        lambda records: records.save_run(RUN),
        lambda records: records.keep_conflict(CONFLICT),
        lambda records: records.save_dual_write(DualWriteSwitch()),
    ],
    "Scan": [lambda records: list(records.list()), lambda records: list(records.conflicts())],
}


@pytest.mark.parametrize("operation", CALLS)
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), a_table(aws)
    records = DynamoMigrationRecords(client, table, sleep=no_sleep)
    fail(client, operation)

    for call in CALLS[operation]:
        with pytest.raises(UnavailableError, match=table):
            call(records)
