"""Bounds of what a sender chooses: each with the request that is just within it, and the one beyond."""

import gzip
import json
from collections.abc import Callable

import msgspec

from afluente.adapters.codecs import senml
from afluente.adapters.codecs.csv import options as csv_options
from afluente.adapters.codecs.json_documents import MAX_DEPTH
from afluente.adapters.http import constraint_bodies, csv_forms, csv_uploads
from afluente.adapters.http import points as http_points
from afluente.adapters.http import requests as http_requests
from afluente.adapters.websocket import messages as websocket
from afluente.application.csv import uploads
from afluente.domain import datapoints
from afluente.domain.stream_keys import MAX_PART_LENGTH
from afluente.runtime.iot_rule_handler import IotRuleHandlerSettings
from http_ingest.legacy_route import MAX_DEVICES
from tests.cases.bad_http import PACKETS, POINTS, BadRequest, in_json
from tests.cases.bad_uploads import UPLOADS

SOURCE = {"domain": "iot", "source_id": "oven-1"}
POINT = {"stream_id": "t", "value": 1.5, "timestamp": 1_699_996_400}
ANNOUNCED = {**SOURCE, "file": "march.csv"}
MQTT_POINTS: int = IotRuleHandlerSettings.model_fields["mqtt_message_points"].default


class Bound(msgspec.Struct, frozen=True):
    """A bound, as the table of docs/reference/limits.md has it.

    Attributes:
        name: in the first column.
        value: in the second.
        beyond: the code with which a request beyond it is answered, in the last.
        make: the request of a size.
    """

    name: str
    value: int
    beyond: str
    make: Callable[[int], BadRequest]


def _points(*points: object) -> BadRequest:
    return in_json(POINTS, "", {**SOURCE, "datapoints": points})


def _padded(size: int) -> BadRequest:
    """Points with white space, so that the unpacked body has a size."""
    body = json.dumps({**SOURCE, "datapoints": [POINT]}).encode()
    packed = gzip.compress(body + b" " * (size - len(body)))
    return BadRequest(name="", route=POINTS, body=packed, headers={"content-encoding": "gzip"})


def _nested(levels: int) -> object:
    return {"a": _nested(levels - 1)} if levels > 1 else {}


def _of_metadata(size: int) -> BadRequest:
    return _points({**POINT, "metadata": {"a": "x" * (size - len('{"a":""}'))}})


def _of_levels(levels: int) -> BadRequest:
    return _points({**POINT, "metadata": _nested(levels)})


def _of_name(size: int) -> BadRequest:
    return _points({**POINT, "stream_id": "x" * size})


def _packet(devices: int) -> BadRequest:
    readings = [
        {"sensor_id": 42, "device_uuid": f"3f2504e0-4f89-11d3-9a0c-{number:012x}", "value": 1, "ts": 1_699_996_400}
        for number in range(devices)
    ]
    return in_json(PACKETS, "", {"readings": readings})


def _entries(number: int) -> BadRequest:
    entries = [{"key": f"iot/a/{place}", "value_constraints": {"max_value": 1}} for place in range(number)]
    return in_json("POST /constraints", "", {"streams": entries})


HTTP_BOUNDS = (
    Bound("points of a request", http_points.MAX_POINTS, "too_many_points", lambda size: _points(*[POINT] * size)),
    Bound("bytes of a body, unpacked", http_requests.MAX_BODY_BYTES, "body_too_large", _padded),
    Bound(
        "levels of JSON",
        MAX_DEPTH,
        "malformed_json",
        lambda levels: in_json(POINTS, "", {**SOURCE, "datapoints": [POINT, {}], "more": _nested(levels - 1)}),
    ),
    Bound("bytes of a point's metadata", datapoints.MAX_METADATA_BYTES, "too_long", _of_metadata),
    Bound(
        "levels of a point's metadata",
        datapoints.MAX_METADATA_DEPTH,
        "too_deep",
        lambda size: _points({**POINT, "metadata": _nested(size)}),
    ),
    Bound("characters of a name", MAX_PART_LENGTH, "too_long", _of_name),
    Bound("devices of a packet", MAX_DEVICES, "too_many_points", _packet),
    Bound(
        "bytes of a form with a file",
        csv_forms.MAX_CSV_BODY_BYTES,
        "body_too_large",
        lambda size: BadRequest(
            name="",
            route="POST /ingest/csv",
            body=_form(size),
            headers={"content-type": "multipart/form-data; boundary=b"},
        ),
    ),
    Bound(
        "bytes of a file",
        uploads.MAX_FILE_BYTES,
        "file_too_large",
        lambda size: in_json(UPLOADS, "", {**ANNOUNCED, "size": size}),
    ),
    Bound(
        "bytes of a file's name",
        csv_uploads.MAX_FILE_NAME_BYTES,
        "too_long",
        lambda size: in_json(UPLOADS, "", {**ANNOUNCED, "file": "x" * (size - 4) + ".csv"}),
    ),
    Bound(
        "bytes of a file's options",
        csv_options.MAX_OPTIONS_BYTES,
        "too_long",
        lambda size: in_json(
            UPLOADS, "", {**ANNOUNCED, "options": {"null_values": ["x" * (size - len('{"null_values":[""]}'))]}}
        ),
    ),
    Bound("entries of constraints of a request", constraint_bodies.MAX_ENTRIES, "too_many_entries", _entries),
)
"""Bounds over HTTP."""

WEBSOCKET_POINTS = Bound(
    "points of a WebSocket message", websocket.MAX_POINTS, "too_many_points", lambda size: _points(*[POINT] * size)
)
MQTT_BOUNDS = (
    Bound("points of an MQTT message", MQTT_POINTS, "unusable_message", lambda size: _points(*[POINT] * size)),
    Bound(
        "characters of a base field of SenML",
        senml.MAX_BASE_TEXT,
        "unusable_message",
        lambda size: BadRequest(name="", route="", body=json.dumps([{"bu": "x" * size, "n": "a", "v": 1}]).encode()),
    ),
)
"""Bounds over MQTT."""


def _form(size: int) -> bytes:
    def field(name: str, more: str, value: bytes) -> bytes:
        return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"

    origin = field("domain", "", b"iot") + field("source_id", "", b"oven-1")
    empty = origin + field("file", '; filename="m.csv"', b"") + b"--b--\r\n"
    return origin + field("file", '; filename="m.csv"', b"x" * (size - len(empty))) + b"--b--\r\n"
