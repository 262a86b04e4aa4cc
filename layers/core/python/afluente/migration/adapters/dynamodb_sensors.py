"""The sensor directory in the table `migration`: a sensor under its number, and under its UUID if it has one.

| `id` | `entry` | holds |
|---|---|---|
| `sensor#{sensor_id}` | `directory` | the sensor's names and its device |
| `uuid#{sensor_uuid}` | `directory` | the same |
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from afluente.adapters.aws.dynamodb import Attributes, batch_get, batch_put
from afluente.migration.application.sensors import canonical_uuid
from afluente.migration.domain.thresholds import Sensor, SensorName

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ENTRY = {"entry": {"S": "directory"}}

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Sensor)


class DynamoSensors:
    """Reads and writes the sensor directory.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`, sort key `entry`.
        sleep: waits between attempts.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def resolve(self, names: Collection[SensorName]) -> Mapping[SensorName, Sensor]:
        by_id = {_id(name): name for name in names}
        # A cache in front of it delays a new entry anyway, and this read costs half as much.
        items = self._read(by_id, consistent=False)
        return {by_id[item["id"]["S"]]: _decoded(item) for item in items}

    def fetch(self, sensor_ids: Iterable[int]) -> Mapping[int, Sensor]:
        sensors = map(_decoded, self._read({_id(sensor_id) for sensor_id in sensor_ids}, consistent=True))
        return {sensor.sensor_id: sensor for sensor in sensors}

    def put_many(self, sensors: Sequence[Sensor]) -> None:
        # By key: no two items of a batch may have the same.
        items = {_id(name): _item(name, sensor) for sensor in sensors for name in _names(sensor)}
        batch_put(self._client, self._table, list(items.values()), sleep=self._sleep)

    def _read(self, ids: Iterable[str], *, consistent: bool) -> Iterable[Attributes]:
        keys = [{"id": {"S": id_}, **_ENTRY} for id_ in ids]
        return batch_get(self._client, self._table, keys, consistent=consistent, sleep=self._sleep)


def _names(sensor: Sensor) -> list[SensorName]:
    return [sensor.sensor_id, canonical_uuid(sensor.uuid) or sensor.uuid] if sensor.uuid else [sensor.sensor_id]


def _id(name: SensorName) -> str:
    return f"sensor#{name}" if isinstance(name, int) else f"uuid#{name}"


def _item(name: SensorName, sensor: Sensor) -> dict[str, Any]:
    return {"id": {"S": _id(name)}, **_ENTRY, "record": {"S": _encoder.encode(sensor).decode()}}


def _decoded(item: Attributes) -> Sensor:
    return _decoder.decode(item["record"]["S"])
