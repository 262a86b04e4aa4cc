"""Legacy clients for the demonstration: packets over HTTP, and messages to the legacy topic."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import httpx
import msgspec

from afluente.domain.stream_keys import StreamKey
from afluente.migration.adapters.dynamodb_sensors import DynamoSensors
from afluente.migration.domain.legacy_service import LEGACY_TOPIC
from afluente.migration.domain.thresholds import Sensor
from cli.core.errors import CommandError
from cli.core.target import Target
from cli.sending.mqtt import MqttTransport
from cli.sending.points import Outcome, Readable, SentPoint

_PATH = "/ingest/packets"
_SECONDS = 30.0


def takes_packets(api_url: str) -> bool:
    """True if the stage has the route of packets: it then refuses another method, and no longer answers 410."""
    return httpx.get(f"{api_url}{_PATH}", trust_env=False).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def enter_sensors(target: Target, streams: Sequence[StreamKey]) -> None:
    """Enter sensors into the sensor directory, as `afluente migrate run` would: messages do not name their device."""
    sensors = [Sensor(sensor_id=int(key.stream_id), device_uuid=key.source_id) for key in streams]
    if sensors:
        DynamoSensors(target.client("dynamodb"), target["MigrationTable"]).put_many(sensors)


class PacketClient:
    """Sends points of a device as readings, with `POST /ingest/packets`.

    Args:
        api_url: base of the HTTP API.
        key: an API key.
        device: its UUID.
        sensors: their numbers, by the streams of the points.
    """

    def __init__(self, api_url: str, key: str, device: str, sensors: Mapping[str, int]) -> None:
        self._client = httpx.Client(base_url=api_url, headers={"X-API-Key": key}, timeout=_SECONDS, trust_env=False)
        self._device = device
        self._sensors = sensors

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order.

        Raises:
            CommandError: the service does not accept all of them.
        """
        readings = [
            {"sensor_id": self._sensors[point.stream_id], "value": point.value, "ts": point.timestamp}
            for point in map(_sent, points)
        ]
        answer = self._client.post(_PATH, json={"device_uuid": self._device, "readings": readings})
        if answer.status_code != HTTPStatus.OK or answer.json()["inserted"] != len(points):
            raise CommandError(f"the service did not take a packet: {answer.status_code} {answer.text}")
        return Outcome(len(points))


class LegacyMqttClient:
    """Publishes points of a device as readings of its sensors, which the sensor directory has to know.

    Args:
        folder: of the device.
        domain, source: of the points.
        sensors: their numbers, by the streams of the points.
    """

    def __init__(self, folder: Path, domain: str, source: str, sensors: Mapping[str, int]) -> None:
        topic = LEGACY_TOPIC.replace("{sensor_id}", "{stream_id}")
        self._transport = MqttTransport(folder, domain=domain, source=source, topic=topic)
        self._sensors = sensors

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order, and return when the broker has acknowledged them.

        Raises:
            CommandError: the broker refuses them, or is unavailable for longer than the sender waits.
        """
        named = [
            Readable(readable.line, msgspec.structs.replace(point, stream_id=str(self._sensors[point.stream_id])))
            for readable, point in zip(points, map(_sent, points), strict=True)
        ]
        return self._transport.send(named)


def _sent(readable: Readable) -> SentPoint:
    if not isinstance(readable.point, SentPoint):
        raise TypeError("the files of the demonstration are tables")
    return readable.point
