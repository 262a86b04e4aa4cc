"""Packets and messages of the legacy service's clients: the part of both documents that ends with the migration."""

from collections.abc import Mapping
from typing import Any

from afluente.adapters.codecs.json_documents import MAX_DEPTH
from afluente.adapters.codecs.json_points import JsonPoint
from afluente.adapters.http.points import MAX_POINTS
from afluente.adapters.http.requests import MAX_BODY_BYTES
from afluente.migration.adapters import readings
from afluente.migration.domain.legacy_service import LEGACY_TOPIC
from apidoc.operations import BODY_PROBLEMS, CONTENT_ENCODING, JSON, TEXT, Operation, answer, examples_of
from apidoc.schemas import NUMBER, PART, Record, Schema, ref, schemas_of

PACKET: Schema = {
    "device_uuid": "6f1e0c52-8d0b-4b8f-9a55-0e6e4a3c2b10",
    "ts": "2026-11-25T09:30:00Z",
    "readings": [
        {"sensor_id": 42, "value": 71.5, "sensor_type": "temperature"},
        {"sensor_uuid": "0f9c2f0e-7d3b-4d8b-9a62-6d1b7f3c9e01", "value": 3.2, "ts": 1795598999.5},
    ],
}
"""An example of a packet."""

LEGACY_OPERATIONS: Mapping[str, Operation] = {
    "IngestPackets": Operation(
        tag="Points",
        summary="Send readings as clients of the legacy service do",
        text=(
            f"Accepts at most {MAX_POINTS:,} readings, as clients of the legacy IoT service send them, and answers as "
            "that service did. The headers of each answer announce the end of the call; new clients send "
            f"points. A body has at most {MAX_BODY_BYTES:,} bytes, unpacked, and {MAX_DEPTH} levels."
        ),
        parameters=(CONTENT_ENCODING,),
        body={JSON: {"schema": ref("Packet"), "examples": examples_of({"iot": PACKET})}},
        answers={
            200: answer(
                "At least one reading is queued for certain, or there was none to queue.",
                ref("Receipt"),
                "Deprecation",
                "Sunset",
                "Link",
                example={"inserted": 2, "rejected": [], "request_id": "JKJaXmPLvHcESHA="},
            )
        },
        problems=(*BODY_PROBLEMS, "too_many_points", "over_the_burst", "all_points_rejected", "gone"),
    )
}
"""By the name of the route."""

LEGACY_CHANNEL: Schema = {
    "address": LEGACY_TOPIC,
    "title": "Readings of devices of the legacy service",
    "parameters": {"sensor_id": {"description": "The number of a sensor, or its UUID."}},
}

READINGS: tuple[Schema, str, Any] = (
    {"oneOf": [ref("Reading"), {"type": "array", "minItems": 1, "items": ref("Reading")}]},
    "A reading of the sensor that the topic names, or several.",
    {"sensorId": 42, "value": 71.5, "timestamp": "2026-11-25T09:30:00Z", "sensor_type": "temperature"},
)
"""The message of the channel: its payload, a description and an example."""

_UUID: Schema = {
    "type": "string",
    "pattern": "^[0-9A-Fa-f]{8}-?([0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}$",
}
_TIME: Schema = {"type": ["number", "string", "null"]}


def legacy_schemas() -> dict[str, Schema]:
    """The schemas of a packet and of its readings."""
    return {"Packet": _packet(), "Reading": _reading()}


def _packet() -> Schema:
    device = {"anyOf": [_UUID, {"type": "null"}], "description": "The device: a UUID in any case."}
    time = _TIME | {
        "description": "The time of readings without one: ISO 8601, in UTC without a zone, or Unix seconds."
    }
    return {
        "title": "Packet",
        "description": "Readings of a device, as clients of the legacy service send them.",
        "type": "object",
        "properties": {
            **dict.fromkeys(readings.DEVICE, device),
            **dict.fromkeys(readings.TIME, time),
            "readings": {"type": "array", "maxItems": MAX_POINTS, "items": ref("Reading")},
        },
        "required": ["readings"],
    }


def _reading() -> Schema:
    sensor = {
        "type": ["integer", "string", "null"],
        "description": "The sensor: an integer, which may be digits in a string, or a UUID.",
    }
    uuid = {"anyOf": [_UUID, {"type": "null"}], "description": "The sensor, by its UUID."}
    time = _TIME | {"description": "The time of the reading; it takes precedence over that of the packet."}
    kind = {"anyOf": [TEXT | PART, {"type": "null"}], "description": "The type of the stream."}
    return {
        "title": "Reading",
        "description": "A reading of a sensor, with the id or the UUID of the sensor.",
        "type": "object",
        "properties": {
            **dict.fromkeys(readings.SENSOR_ID, sensor),
            **dict.fromkeys(readings.SENSOR_UUID, uuid),
            "value": NUMBER | {"description": "Any finite number."},
            **dict.fromkeys(readings.TIME, time),
            **dict.fromkeys(readings.SENSOR_TYPE, kind),
            "sequence": schemas_of([Record(type=JsonPoint, name="Point")])["Point"]["properties"]["sequence"],
        },
        "required": ["value"],
    }
