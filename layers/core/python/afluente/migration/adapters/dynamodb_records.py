"""The records of the migration in the table `migration`, one item each, as JSON.

| `id` | `entry` | holds |
|---|---|---|
| `sensor#{sensor_id}` | `record` | the record of a sensor |
| `sensor#{sensor_id}` | `conflict#{when}` | the losing side of a conflict |
| `run` | `progress` | the progress of the last run |
| `dual-write` | `settings` | the switch of dual write, and its last pass |

The sensor directory is in the same table:

| `id` | `entry` | holds |
|---|---|---|
| `sensor#{sensor_id}` | `directory` | the sensor: its id, its UUID, its device's UUID |
| `uuid#{uuid}` | `directory` | the same |
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import Attributes, ConditionFailedError, batch_get, batch_put, conditional_write
from afluente.migration.application.ports import StaleRunError
from afluente.migration.application.records import (
    DualWriteSwitch,
    KeptConflict,
    RunProgress,
    SensorRecord,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONFLICT_SECONDS = 365 * 24 * 3600
"""The time for which a conflict is kept."""

DIRECTORY = "directory"
"""The `entry` of an item of the sensor directory."""

_RECORD = "record"
_CONFLICT = "conflict#"
_RUN = {"id": {"S": "run"}, "entry": {"S": "progress"}}
_DUAL_WRITE = {"id": {"S": "dual-write"}, "entry": {"S": "settings"}}

_Record = TypeVar("_Record")


class DynamoMigrationRecords:
    """Reads and writes the records.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`, sort key `entry`, time to live `expires_at`.
        sleep: waits between attempts.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    # --- sensors -----------------------------------------------------------------------------------------------------

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, SensorRecord]:
        keys: list[dict[str, Any]] = [_key(sensor_id, _RECORD) for sensor_id in sensor_ids]
        # A run that continues has to find what it wrote in the moment before it was killed.
        items = batch_get(self._client, self._table, keys, consistent=True, sleep=self._sleep)
        records = (_decoded(item, SensorRecord) for item in items)
        return {record.sensor_id: record for record in records}

    def put_many(self, records: Sequence[SensorRecord]) -> None:
        items = [{**_key(record.sensor_id, _RECORD), **_encoded(record)} for record in records]
        batch_put(self._client, self._table, items, sleep=self._sleep)

    def list(self) -> Iterator[SensorRecord]:
        yield from (_decoded(item, SensorRecord) for item in self._scan("entry = :entry", _RECORD))

    # --- the run -----------------------------------------------------------------------------------------------------

    def find_run(self) -> RunProgress | None:
        return self._find(_RUN, RunProgress)

    def save_run(self, progress: RunProgress) -> RunProgress:
        saved = msgspec.structs.replace(progress, version=progress.version + 1)
        try:
            with conditional_write(f"DynamoDB table {self._table}"):
                self._client.put_item(
                    TableName=self._table,
                    Item={**_RUN, **_encoded(saved), "version": {"N": str(saved.version)}},
                    ConditionExpression="version = :before OR (attribute_not_exists(id) AND :before = :none)",
                    ExpressionAttributeValues={":before": {"N": str(progress.version)}, ":none": {"N": "0"}},
                )
        except ConditionFailedError as error:
            raise StaleRunError("another run has gone on meanwhile") from error
        return saved

    # --- dual write --------------------------------------------------------------------------------------------------

    def keep_conflict(self, conflict: KeptConflict) -> None:
        expiry = {"expires_at": {"N": str(int(conflict.at) + CONFLICT_SECONDS)}}
        self._put({**_key(conflict.sensor_id, f"{_CONFLICT}{conflict.at:.6f}"), **_encoded(conflict), **expiry})

    def conflicts(self) -> Iterator[KeptConflict]:
        yield from (_decoded(item, KeptConflict) for item in self._scan("begins_with(entry, :entry)", _CONFLICT))

    def find_dual_write(self) -> DualWriteSwitch:
        return self._find(_DUAL_WRITE, DualWriteSwitch) or DualWriteSwitch()

    def save_dual_write(self, switch: DualWriteSwitch) -> None:
        self._put({**_DUAL_WRITE, **_encoded(switch)})

    # --- the table ---------------------------------------------------------------------------------------------------

    def _find(self, key: dict[str, Any], kind: type[_Record]) -> _Record | None:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item = answer.get("Item")
        return _decoded(item, kind) if item else None

    def _put(self, item: dict[str, Any]) -> None:
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(TableName=self._table, Item=item)

    def _scan(self, condition: str, entry: str) -> Iterator[Attributes]:
        paginator = self._client.get_paginator("scan")
        with unavailable(f"DynamoDB table {self._table}"):
            for page in paginator.paginate(
                TableName=self._table,
                FilterExpression=f"begins_with(id, :sensor) AND {condition}",
                ExpressionAttributeValues={":sensor": {"S": "sensor#"}, ":entry": {"S": entry}},
                ConsistentRead=True,
            ):
                yield from page["Items"]


def _key(sensor_id: int, entry: str) -> dict[str, Any]:
    return {"id": {"S": f"sensor#{sensor_id}"}, "entry": {"S": entry}}


def _encoded(record: object) -> dict[str, Any]:
    return {"record": {"S": msgspec.json.encode(record).decode()}}


def _decoded(item: Attributes, kind: type[_Record]) -> _Record:
    return msgspec.json.decode(item["record"]["S"], type=kind)
