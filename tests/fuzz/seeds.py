"""Seeds: what clients really send, by the target that reads it, and what was found earlier.

Inputs that led to a finding are files, `corpus/<target>/<what>`; a test runs the targets over all of them and over what
is made here of the events that other tests have.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from backports import zstd

from afluente.adapters.codecs.packs import encode_pack
from afluente.adapters.codecs.states import encode_state
from afluente.adapters.codecs.stored_streams import StoredStream, encode_streams
from afluente.application.csv.jobs import JobStatus
from afluente.domain.alarms import AlarmState, StandingAlarm
from afluente.domain.constraints import Severity
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_state import OpenWindow, StreamState, WindowPoint
from tests.fuzz.targets import NOW, SEPARATOR

_TESTS = Path(__file__).parents[1]
_EVENTS = _TESTS / "events"
_DATA = _TESTS.parent / "data"
FOUND = Path(__file__).with_name("corpus")
"""Folder of inputs that led to a finding."""

_POINT: dict[str, Any] = {
    "stream_id": "temperature",
    "value": 20.5,
    "timestamp": NOW,
    "stream_type": "celsius",
    "sequence": 7,
    "metadata": {"unit": "°C", "nested": [1, {"a": None}]},
}
_STATE = StreamState(
    newest=(NOW, 7),
    baseline=WindowPoint(NOW, 7, 20.5, within_hard_limits=True),
    window=OpenWindow((NOW - 1, NOW), (-1, 7), (20.25, 20.5), 0b01),
    alarm=AlarmState(3, 0, NOW - 60, StandingAlarm("00" * 16, NOW - 60, Severity.ALERT)),
)
_CSV = (
    b"time,temperature,name\n2023-11-14T22:00:00Z,20.5,oven\n2023-11-14T22:01:00Z,x,\n",
    b"sep=;\nDatum;Uhrzeit;Wert\n14.11.2023;22:00:00;1.234,5\n14.11.2023;22:01:00;-2\n",
    b"symbol,price,time\nMSFT,39.81,1700000000000\nAAPL,,1700000001000\n",
    b"rejected_line,rejected_code,rejected_reason,time,v\n2,not_a_number,why,2023-11-14T22:00:00Z,'=1+1\n",
    "zeit\twert °C\n2023-11-14 22:00\t1\n".encode("utf-16"),
    b'time,v\n"2023-11-14\n22:00:00Z",1\n"never closed,2\n',
)
_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"timezone": "Europe/Madrid", "delimiter": ";", "decimal": ",", "thousands": "."},
    {"timestamp_column": ["time"], "timestamp_format": "custom", "timestamp_pattern": "%Y-%m-%dT%H:%M:%SZ"},
    {"stream_column": "symbol", "value_columns": ["price"], "timestamp_unit": "ms", "timestamp_format": "unix"},
    {"has_header": False, "timestamp_column": [], "start": "2023-11-14T22:00:00Z", "step": 0.5, "max_rows": 10},
    {"encoding": "utf-16", "skip_rows": 1, "null_values": ["x"], "stream_type": {"v": "temperature"}},
)


def seeds_of(target: str) -> Iterator[bytes]:
    """Every input that a campaign of a target begins with."""
    yield from _MADE.get(target, _texts)()
    found = FOUND / target
    if found.is_dir():
        yield from (file.read_bytes() for file in sorted(found.iterdir()))


def _texts() -> Iterator[bytes]:
    yield from (b"", b"iot/furnace-1/furnace-1:temperature", b"afl_aaaqeaye_" + b"A" * 49, "\x1b[2J\u202e°".encode())


def _bodies() -> Iterator[bytes]:
    yield json.dumps({"domain": "iot", "source_id": "furnace-1", "datapoints": [_POINT]}).encode()
    yield json.dumps({"datapoints": [_POINT, {"value": "x"}, 7, None]}).encode()
    yield _event_body("http_api_ingest.json")


def _http_points() -> Iterator[bytes]:
    for body in _bodies():
        yield body
        yield json.dumps({"x-domain": "iot", "x-source-id": "furnace-1"}).encode() + SEPARATOR + body


def _http_gzip() -> Iterator[bytes]:
    yield from (gzip.compress(body, mtime=0) for body in _bodies())


def _legacy_packet() -> Iterator[bytes]:
    for file in sorted((_TESTS / "migration" / "events").glob("http_*.json")):
        body = json.loads(file.read_bytes())["request"].get("body") or {}
        yield body["text"].encode() if "text" in body else base64.b64decode(body.get("base64", ""))


def _csv_upload() -> Iterator[bytes]:
    event = json.loads((_EVENTS / "http_api_csv.json").read_bytes())
    boundary = event["headers"]["content-type"].partition("boundary=")[2]
    yield json.dumps({"boundary": boundary}).encode() + SEPARATOR + base64.b64decode(event["body"])
    fields = {
        "options": '{"timezone": "Europe/Madrid", "value_columns": ["a"]}',
        "null_values": '["x"]',
        "domain": "iot",
    }
    form = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in {**fields, "source_id": "furnace-1"}.items()
    )
    yield form + b'--x\r\nContent-Disposition: form-data; name="file"; filename="../a.csv"\r\n\r\na,b\r\n--x--\r\n'


def _csv_announcement() -> Iterator[bytes]:
    yield json.dumps({"domain": "iot", "source_id": "furnace-1", "file": "a/b\\march.csv.gz", "size": 7}).encode()
    for options in _OPTIONS:
        yield json.dumps({"domain": "iot", "source_id": "f", "file": "a.csv", "options": options}).encode()
    yield b'{"size": 7, "upload_id": "abc"}'


def _csv_query() -> Iterator[bytes]:
    yield b"domain=iot&source_id=furnace-1&status=complete&limit=20&before=1700000000.5"
    yield b"limit=1e3&before=nan&status=" + JobStatus.FAILED.encode()


def _ws_message() -> Iterator[bytes]:
    yield json.dumps([_POINT]).encode()
    yield json.dumps({"datapoints": [_POINT], "domain": "iot"}).encode()
    yield json.dumps({**_POINT, "source_id": "other"}).encode()
    yield b'{"action":"auth","domain":"iot","source_id":"f","api_key":"k"}'
    yield b'{"action":"ping"}'


def _mqtt_message() -> Iterator[bytes]:
    payload = base64.b64encode(json.dumps(_POINT).encode()).decode()
    yield json.dumps({"payload": payload, "topic": "iot/f/s", "arrived_at": NOW * 1000, "client_id": "c"}).encode()
    yield json.dumps({"base64OriginalPayload": payload, "topic": "iot/f/s", "clientId": "N/A"}).encode()


def _mqtt_payload() -> Iterator[bytes]:
    topic = b"iot/f/s" + SEPARATOR
    yield topic + json.dumps([_POINT, {"value": 1}]).encode()
    yield topic + b"20.5"
    yield topic + b'[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.7e9,"bu":"Cel","v":23.1},{"n":"a/b","t":-5,"vb":true}]'
    for file in sorted((_TESTS / "migration" / "events").glob("mqtt_*.json")):
        message = json.loads(file.read_bytes())["message"]
        text = message["payload"].get("text")
        payload = text.encode() if text is not None else base64.b64decode(message["payload"]["base64"])
        yield message["topic"].encode() + SEPARATOR + payload


def _s3_event() -> Iterator[bytes]:
    event = json.loads((_EVENTS / "sqs_s3_dropped.json").read_bytes())
    yield from (record["body"].encode() for record in event["Records"])


def _s3_key() -> Iterator[bytes]:
    yield from (
        b"inbox/iot/furnace-1/march.csv",
        b"inbox/iot/furnace-1/_uploads/0123456789abcdef01234567/march.csv",
        b"inbox/iot/../../x.csv",
        b"inbox/iot//march.csv.json",
    )


def _csv_message() -> Iterator[bytes]:
    event = json.loads((_EVENTS / "sqs_csv_part.json").read_bytes())
    yield from (record["body"].encode() for record in event["Records"])


def _packs() -> Iterator[str]:
    point = DataPoint(domain="iot", source_id="f", ingested_at=NOW, **_POINT)
    other = msgspec.structs.replace(point, source_id="g", ingested_at=NOW + 1, metadata={}, sequence=None)
    yield encode_pack([point]).body
    yield encode_pack([point, other]).body


def _state_item() -> Iterator[bytes]:
    stored = [StoredStream(f"temperature-{place}", bytes(17), encode_state(_STATE)) for place in range(8)]
    yield encode_streams(stored, compact=True)
    yield encode_streams(stored[:1], compact=False)


def _csv_file() -> Iterator[bytes]:
    for options in _OPTIONS:
        for content in _CSV:
            yield json.dumps(options).encode() + SEPARATOR + content


def _csv_packed() -> Iterator[bytes]:
    for content in _CSV[:2]:
        yield b"gz" + SEPARATOR + gzip.compress(content, mtime=0)
        yield b"zst" + SEPARATOR + zstd.compress(content)


def _constraints() -> Iterator[bytes]:
    streams = json.loads((_DATA / "constraints.json").read_bytes())
    first = streams["streams"][:2] if isinstance(streams, dict) else streams[:2]
    yield json.dumps({"streams": first}).encode()
    yield (
        b"streams:\n- key: iot/f/s\n  value_constraints: {max_value: 50, warning_max: 1e1}\n"
        b"- domain: iot\n  stream_type: celsius\n  rate_constraints: {abs_delta: 5, severity: alert}\n"
        b"  metadata: &a {since: 2023-11-14}\n"
    )


def _constraint_body() -> Iterator[bytes]:
    yield from _constraints()
    entry = {
        "value_constraints": {"max_value": 50, "warning_max": 1e1, "min_value": None},
        "rate_constraints": {"abs_delta": 5, "severity": "alert"},
        "metadata": {"unit": "°C", "nested": [1, {"a": None}]},
    }
    yield json.dumps(entry).encode()
    yield json.dumps({**entry, "stream_type": "celsius", "domain": "iot"}).encode()
    yield b'{"version": 3}'
    yield b'{"metadata": {"a": 1, "a": 2}, "metadata": "\\ud800"}'


def _constraint_query() -> Iterator[bytes]:
    yield b"domain=iot&source_id=furnace-*&stream_type=celsius&limit=20"
    yield b"source_id=furnace%201&stream_id=a%3Fb&limit=5&before=9007199254740992"
    yield b'{"source_id": "furnace-1", "stream_id": "a:b"}' + SEPARATOR + b"stream_type=celsius"
    yield b"stream_type=%C3%A9&limit=0&limit=1&x=%ff"


def _constraint_conditions() -> Iterator[bytes]:
    yield from (b'"3"', b'"1", W/"3"\n*', b'*\n"3", ""', b'W/"\xc3\xa9",\n')


def _constraint_page() -> Iterator[bytes]:
    yield from (b"iot", b"iot#celsius", b"iot/furnace-1/temperature", b"zzz", b"iot/\xf4\x8f\xbf\xbf/\x00")


def _alarm_query() -> Iterator[bytes]:
    yield b"domain=iot&source_id=furnace-1&stream_id=temperature&state=raised&limit=1"
    yield b"since=1699999990&until=1.7e9&key=iot/f*%5Ba-z%5D*&next=1699999997-1"
    yield b"since=1e999&until=nan&limit=0&next=99999999999-999999999&x=1&key=%5B!%5D"


_MADE = {
    "http_points": _http_points,
    "http_gzip": _http_gzip,
    "legacy_packet": _legacy_packet,
    "csv_upload": _csv_upload,
    "csv_announcement": _csv_announcement,
    "csv_query": _csv_query,
    "ws_message": _ws_message,
    "mqtt_message": _mqtt_message,
    "mqtt_payload": _mqtt_payload,
    "s3_event": _s3_event,
    "s3_key": _s3_key,
    "csv_message": _csv_message,
    "pack": lambda: (body.encode() for body in _packs()),
    "pack_content": lambda: (zlib.decompress(base64.b64decode(body)) for body in _packs()),
    "state": lambda: (encode_state(its, compact=form) for its in (_STATE, StreamState()) for form in (True, False)),
    "state_item": _state_item,
    "csv_options": lambda: (json.dumps(options).encode() for options in _OPTIONS),
    "csv_file": _csv_file,
    "csv_packed": _csv_packed,
    "constraints_json": _constraints,
    "constraints_yaml": _constraints,
    "constraint_body": _constraint_body,
    "constraint_query": _constraint_query,
    "constraint_conditions": _constraint_conditions,
    "constraint_page": _constraint_page,
    "alarm_query": _alarm_query,
}


def _event_body(name: str) -> bytes:
    event = json.loads((_EVENTS / name).read_bytes())
    body = event["body"]
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
