"""Bad requests over HTTP, by route: bodies, headers, codings, queries and paths."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import msgspec

from tests.cases.bad_points import bad_points

POINTS = "POST /ingest/datapoints"
PACKETS = "POST /ingest/packets"
STREAM = "/constraints/{domain}/{source_id}/{stream_id}"

_POINT: Mapping[str, object] = {"stream_id": "t", "value": 1.5, "timestamp": 1_699_996_400}
SOURCE: Mapping[str, object] = {"domain": "iot", "source_id": "oven-1"}


class BadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is refused, in whole or in part.

    Attributes:
        name: what is wrong with it.
        route: key of its route.
        body: as it is sent.
        headers: by lower-case name, beside or in place of the usual ones.
        query: parameters, by name.
        path: parameters of the path, by name.
    """

    name: str
    route: str
    body: bytes | None = None
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    path: dict[str, str] = {}


def bad_requests() -> Iterator[BadRequest]:
    """All of them."""
    yield from _points()
    yield from _packets()
    yield from _constraints()
    yield from _queries()
    yield from _no_routes()


# --- documents of JSON, on every route that takes one ----------------------------------------------------------------

_NO_OBJECTS: Mapping[str, bytes] = {
    "empty": b"",
    "white space": b" \r\n\t",
    "no JSON": b"stream,value\nt,1\n",
    "cut off": b'{"datapoints": [{"stream_id"',
    "two documents": b"{}{}",
    "array": b"[]",
    "text": b'"datapoints"',
    "null": b"null",
    "number of 5,000 digits": b"9" * 5_000,
    "not UTF-8": b'{"domain": "\xff"}',
    "UTF-16": '{"domain": "iot"}'.encode("utf-16"),
    "NUL": b"\0",
    "single quotes": b"{'domain': 'iot'}",
    "trailing comma": b'{"domain": "iot",}',
    "comment": b'{"domain": "iot" /* open */}',
    "65 levels": b'{"a":' * 65 + b"1" + b"}" * 65,
    "100,000 arrays": b"[" * 100_000,
    "100,000 objects": b'{"":' * 100_000,
    "XML": b"<points/>",
    "gzip without its header": gzip.compress(b"{}"),
}
_CODINGS: Mapping[str, tuple[bytes, dict[str, str]]] = {
    "no gzip": (b"{}", {"content-encoding": "gzip"}),
    "gzip cut off": (gzip.compress(b"{}" * 1_000)[:-9], {"content-encoding": "gzip"}),
    "gzip with a wrong sum": (gzip.compress(b"{}")[:-8] + b"\0" * 8, {"content-encoding": "gzip"}),
    "gzip and more": (gzip.compress(b"{}") + b"more", {"content-encoding": "gzip"}),
    "gzip in gzip": (gzip.compress(gzip.compress(b"{}")), {"content-encoding": "gzip"}),
    "empty gzip": (b"", {"content-encoding": "gzip"}),
    "20 MiB of spaces as gzip": (gzip.compress(b" " * (20 << 20)), {"content-encoding": "gzip"}),
    "deflate": (zlib.compress(b"{}"), {"content-encoding": "deflate"}),
    "brotli": (b"{}", {"content-encoding": "br"}),
    "two codings": (b"{}", {"content-encoding": "gzip, gzip"}),
    "coding without a name": (b"{}", {"content-encoding": "😀" * 500}),
    "text": (b"{}", {"content-type": "text/plain"}),
    "XML by its type": (b"{}", {"content-type": "application/xml"}),
    "form by its type": (b"{}", {"content-type": "application/x-www-form-urlencoded"}),
    "no type": (b"{}", {"content-type": ""}),
    "type of 10,000 characters": (b"{}", {"content-type": "x" * 10_000}),
    "11 MiB": (b'{"a":"' + b"x" * (11 << 20) + b'"}', {}),
}


def documents(route: str, **path: str) -> Iterator[BadRequest]:
    for name, body in _NO_OBJECTS.items():
        yield BadRequest(name=f"body is {name}", route=route, body=body, path=path)
    for name, (body, headers) in _CODINGS.items():
        yield BadRequest(name=f"coding is {name}", route=route, body=body, headers=headers, path=path)


def in_json(route: str, name: str, document: object, **others: dict[str, str]) -> BadRequest:
    return BadRequest(name=name, route=route, body=json.dumps(document).encode(), **others)


# --- points and packets ----------------------------------------------------------------------------------------------

_BAD_NAMES: Mapping[str, object] = {
    "empty": "",
    "number": 7,
    "array": ["iot"],
    "slash": "a/b",
    "control character": "a\x1bb",
    "dollar": "$a",
    "too long": "x" * 129,
    "of 100,000 characters": "é" * 100_000,
    "lone surrogate": "\ud800",
}


def _points() -> Iterator[BadRequest]:
    yield from documents(POINTS)
    for name, text in bad_points():
        body = f'{{"domain": "iot", "source_id": "oven-1", "datapoints": [{text}]}}'.encode()
        yield BadRequest(name=name, route=POINTS, body=body)
    for name, value in {**_BAD_NAMES, "unknown": "moon", "upper case": "IOT"}.items():
        yield in_json(POINTS, f"domain is {name}", {**SOURCE, "domain": value, "datapoints": [_POINT]})
    for name, value in _BAD_NAMES.items():
        yield in_json(POINTS, f"source is {name}", {**SOURCE, "source_id": value, "datapoints": [_POINT]})
    no_lists: dict[str, object] = {"empty": [], "null": None, "object": {}, "text": "t", "number": 1, "true": True}
    for name, listed in no_lists.items():
        yield in_json(POINTS, f"datapoints is {name}", {**SOURCE, "datapoints": listed})
    yield in_json(POINTS, "no datapoints", SOURCE)
    yield in_json(POINTS, "no domain", {"source_id": "oven-1", "datapoints": [_POINT]})
    yield in_json(POINTS, "20,001 points", {**SOURCE, "datapoints": [_POINT] * 20_001})
    for header in ("x-domain", "x-source-id"):
        for name, text in {"another": "other", "empty": "", "slash": "a/b", "long": "x" * 9_000}.items():
            yield in_json(POINTS, f"{header} is {name}", {**SOURCE, "datapoints": [_POINT]}, headers={header: text})


def _packets() -> Iterator[BadRequest]:
    yield from documents(PACKETS)
    readings: dict[str, object] = {
        "null": None,
        "number": 7,
        "empty": {},
        "text": "x",
        "array": [[]],
        "without a value": {"sensor_id": 42, "ts": 1_699_996_400},
        "without a sensor": {"value": 1, "ts": 1_699_996_400},
        "value is text": {"sensor_id": 42, "value": "hot", "ts": 1_699_996_400},
        "value is an object": {"sensor_id": 42, "value": {}, "ts": 1_699_996_400},
        "time is an object": {"sensor_id": 42, "value": 1, "ts": {}},
        "time is no date": {"sensor_id": 42, "value": 1, "ts": "yesterday"},
        "time is in 9999": {"sensor_id": 42, "value": 1, "ts": "9999-12-31T23:59:59Z"},
        "sensor is of 30 digits": {"sensor_id": 10**30, "value": 1, "ts": 1_699_996_400},
        "sensor is negative": {"sensor_id": -1.5, "value": 1, "ts": 1_699_996_400},
        "sensor is an array": {"sensor_id": [], "value": 1, "ts": 1_699_996_400},
        "sensor's UUID is none": {"sensor_uuid": "x" * 10_000, "value": 1, "ts": 1_699_996_400},
        "device is none": {"sensor_id": 42, "device_uuid": "\ud800", "value": 1, "ts": 1_699_996_400},
    }
    for name, reading in readings.items():
        yield in_json(PACKETS, f"reading is {name}", {"readings": [reading]})


# --- constraints and alarms ------------------------------------------------------------------------------------------

BAD_CONSTRAINTS: Mapping[str, object] = {
    "array": [],
    "text": "x",
    "unknown field": {"max": 5},
    "unknown constraint": {"value_constraints": {"maximum": 5}},
    "constraints are an array": {"value_constraints": []},
    "bound is text": {"value_constraints": {"max_value": "5"}},
    "bound is true": {"value_constraints": {"max_value": True}},
    "bound is of 400 digits": {"value_constraints": {"max_value": 10**400}},
    "bounds crossed": {"value_constraints": {"min_value": 5, "max_value": 4}},
    "warning outside": {"value_constraints": {"max_value": 5, "warning_max": 6}},
    "alert crossed": {"value_constraints": {"alert_min": 6, "alert_max": 5}},
    "nothing is normal": {"value_constraints": {"warning_min": 5, "warning_max": 5, "alert_min": 9}},
    "negative delta": {"rate_constraints": {"abs_delta": -1}},
    "slope is text": {"rate_constraints": {"abs_slope": "steep"}},
    "severity": {"rate_constraints": {"abs_delta": 1, "severity": "grave"}},
    "violations below one": {"consecutive_violations_required": 0},
    "violations are a fraction": {"consecutive_violations_required": 1.5},
    "cooldown is negative": {"cooldown_seconds": -1},
    "cooldown is text": {"cooldown_seconds": "5m"},
    "type with a slash": {"stream_type": "a/b", "value_constraints": {"max_value": 5}},
    "metadata is text": {"metadata": "m"},
    "metadata too large": {"metadata": {"a": "x" * 5_000}},
    "another key": {"key": "iot/other/stream", "value_constraints": {"max_value": 5}},
    "70,000 bytes": {"metadata": {f"{number}": "x" * 70 for number in range(1_000)}},
}


def _constraints() -> Iterator[BadRequest]:
    path = {"domain": "iot", "source_id": "oven-1", "stream_id": "t"}
    yield from documents(f"PUT {STREAM}", **path)
    for name, document in BAD_CONSTRAINTS.items():
        yield in_json(f"PUT {STREAM}", f"constraints are {name}", document, path=path)
    for name, text in {"NaN": b"NaN", "infinity": b"1e999", "5,000 digits": b"9" * 5_000}.items():
        body = b'{"value_constraints": {"max_value": %s}}' % text
        yield BadRequest(name=f"bound is {name}", route=f"PUT {STREAM}", body=body, path=path)
    repeated = b'{"value_constraints": {"max_value": 1, "max_value": 2}}'
    yield BadRequest(name="repeated field", route=f"PUT {STREAM}", body=repeated, path=path)
    for part in path:
        for name in ("", "a#b", "+", "x" * 129, "a\x00", "$sys", "\ud800"):
            bad = {**path, part: name}
            yield BadRequest(name=f"{part} in the path is {name[:9]!a}", route=f"GET {STREAM}", path=bad)
    for condition in ("1", "x", "W/", '"1', "*, *", "\ud800"):
        for header in ("if-match", "if-none-match"):
            yield in_json(f"PUT {STREAM}", f"{header} is {condition!a}", {}, path=path, headers={header: condition})
    versions: tuple[object, ...] = (None, 0, -1, 1.5, "1", True, 10**30, [], {})
    for version in versions:
        yield in_json(f"POST {STREAM}/rollback", f"version is {str(version)[:9]}", {"version": version}, path=path)
    for name, entries in {
        "an object": {},
        "501": [{"key": f"iot/oven-1/{number}"} for number in range(501)],
        "without a key": [{"value_constraints": {"max_value": 1}}],
        "with a key of one part": [{"key": "iot//"}],
        "twice": [{"key": "iot/a/b"}, {"key": "iot/a/b"}],
        "500 with 100 faults": [{"key": f"iot/a/{n}", **{f"f{m}": 1 for m in range(100)}} for n in range(500)],
    }.items():
        yield in_json("POST /constraints", f"entries are {name}", {"streams": entries})


def _queries() -> Iterator[BadRequest]:
    for route, queries in {
        "GET /constraints": (
            {"limit": "0"}, {"limit": "x"}, {"limit": "9" * 5_000}, {"limit": "-1"}, {"limit": "1e3"},
            {"domain": "é" * 9_000}, {"after": "x"}, {"after": "A" * 9_000}, {"colour": "red"},
            {"source_id": "a/b"}, {"stream_type": "a#b"},
        ),
        "GET /alarms": (
            {"limit": "0"}, {"limit": "many"}, {"since": "yesterday"}, {"since": "1e999"}, {"since": "9" * 5_000},
            {"until": "NaN"}, {"since": "5", "until": "4"}, {"stream": "*" * 9_000}, {"next": "x"}, {"colour": "red"},
            {"\ud800": "1"}, {"since": "-1e300"},
        ),
        "GET /ingest/csv": (
            {"limit": "0"}, {"limit": "9" * 5_000}, {"limit": "x"}, {"before": "x"}, {"before": "NaN"},
            {"before": "1e999"}, {"status": "lost"}, {"colour": "red"}, {"domain": "\ud800"},
        ),
    }.items():  # fmt: skip
        for query in queries:
            name = ", ".join(f"{quote(key[:9], errors='replace')}={value[:9]!a}" for key, value in query.items())
            yield BadRequest(name=f"query is {name}", route=route, query=query)


def _no_routes() -> Iterator[BadRequest]:
    for method, path in (
        ("GET", "/"),
        ("GET", "/ingest/datapoints"),
        ("PUT", "/ingest/datapoints"),
        ("DELETE", "/ingest/packets"),
        ("PATCH", "/constraints"),
        ("POST", "/health"),
        ("GET", "/ingest/../health"),
        ("GET", "//health"),
        ("GET", "/%2e%2e/health"),
        ("GET", "/" + "a" * 8_000),
        ("GET", "/é\x00\u202e"),
        ("GET", "/constraints/" + "a/" * 1_000),
        ("BREW", "/coffee"),
        ("POST", "/ingest/datapoints/"),
        ("POST", "/INGEST/DATAPOINTS"),
        ("GET", "/.env"),
        ("GET", "/ingest/csv/{job_id}"),
    ):
        yield BadRequest(name="no route", route="$default", path={"method": method, "path": path})
