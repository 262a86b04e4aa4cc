"""Requests and messages as the legacy service's clients send them, kept as files, with what must become of each.

A recording uses devices and sensors of its own, so that all of them can be sent to one stack. API keys are left out.
"""

import json
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import Sensor

FOLDER = Path(__file__).parent / "events"

Document = dict[str, Any]


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An expected point of a recording; without a timestamp it has that of its arrival."""

    value: float
    timestamp: float | None = None
    stream_type: str | None = None
    sequence: int | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request or a message: text, or bytes in base64."""

    text: str = ""
    base64: str = ""

    @property
    def content(self) -> bytes:
        return b64decode(self.base64) if self.base64 else self.text.encode()


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: str
    path: str
    headers: dict[str, str]
    body: Body | None = None


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The expected answer; `body` without its `request_id`."""

    status: int
    headers: dict[str, str]
    body: Document


class RecordedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what: str
    request: Request
    answer: Answer
    streams: dict[str, list[Measured]] = {}


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topic: str
    payload: Body


class Quarantined(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The expected quarantined record of a message: its reason, and the codes of faults by the place of a reading."""

    reason: str
    message: str = ""
    faults: dict[str, list[list[str]]] = {}


class RecordedMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    what: str
    message: Message
    streams: dict[str, list[Measured]] = {}
    quarantined: Quarantined | None = None


def recorded_requests() -> dict[str, RecordedRequest]:
    """The recordings of HTTP, by name."""
    return {file.stem: _read(file, RecordedRequest) for file in sorted(FOLDER.glob("http_*.json"))}


def recorded_messages() -> dict[str, RecordedMessage]:
    """The recordings of MQTT, by name."""
    return {file.stem: _read(file, RecordedMessage) for file in sorted(FOLDER.glob("mqtt_*.json"))}


def directory() -> list[Sensor]:
    """The entries of the sensor directory for the recordings."""
    sensors: list[Sensor] = _read(FOLDER / "sensors.json", list[Sensor])
    return sensors


def as_points(recording: RecordedRequest | RecordedMessage) -> dict[str, Document]:
    """The bodies of requests to `POST /ingest/datapoints` that lead to the same points, by source."""
    bodies: dict[str, Document] = {}
    for key, its in recording.streams.items():
        stream = StreamKey.parse(key)
        body = bodies.setdefault(
            stream.source_id, {"domain": LEGACY_DOMAIN, "source_id": stream.source_id, "datapoints": []}
        )
        for one in its:
            point = {"stream_id": stream.stream_id} | msgspec.to_builtins(one)
            body["datapoints"].append({name: value for name, value in point.items() if value is not None})
    return bodies


def has_a_time_of_its_own(recording: RecordedRequest | RecordedMessage) -> bool:
    """True if a recording has points, and none has the time of its arrival."""
    return bool(recording.streams) and all(
        one.timestamp is not None for its in recording.streams.values() for one in its
    )


def measured(points: Iterable[DataPoint]) -> dict[str, list[Measured]]:
    """Points as a recording has them, by stream."""
    return by_stream(msgspec.to_builtins(point) for point in points)


def by_stream(points: Iterable[Document]) -> dict[str, list[Measured]]:
    """Points in JSON as a recording has them, by stream."""
    found: dict[str, list[Measured]] = {}
    for point in points:
        key = f"{point['domain']}/{point['source_id']}/{point['stream_id']}"
        metadata = point.get("metadata", {})
        on_arrival = metadata == {"timestamp_source": "arrival"}
        assert on_arrival or metadata == {}
        time = None if on_arrival else point["timestamp"]
        one = Measured(point["value"], time, point.get("stream_type"), point.get("sequence"))
        found.setdefault(key, []).append(one)
    return {key: sorted(its, key=lambda one: (one.timestamp or 0, one.sequence or -1)) for key, its in found.items()}


def _read(file: Path, of: type[Any]) -> Any:
    return msgspec.convert(json.loads(file.read_text(encoding="utf-8")), of)
