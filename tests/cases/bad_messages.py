"""Bad input that does not come over HTTP: messages, topics, options of files, files, packs and keys."""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping

import msgspec

from tests.cases.bad_points import bad_points
from tests.cases.bad_uploads import BAD_OPTIONS


class BadMessage(msgspec.Struct, frozen=True):
    """A message over WebSocket that is refused, in whole or in part; `body` is what is sent."""

    name: str
    body: str


def bad_websocket_messages() -> Iterator[BadMessage]:
    """Messages of a connection that has authenticated."""
    for name, text in bad_points():
        yield BadMessage(name, f"[{text}]")
    for name, body in {
        "nothing": "",
        "no JSON": "hello",
        "cut off": '[{"stream_id": "t"',
        "number": "7",
        "null": "null",
        "no point": "[]",
        "1,001 points": json.dumps([{}] * 1_001),
        "1,000 bad points": json.dumps([{"stream_id": "/" * 90}] * 1_000),
        "100,000 arrays": "[" * 100_000,
        "65 levels": '{"a":' * 65 + "1" + "}" * 65,
        "lone surrogate": '{"action": "\ud800"}',
        "unknown action": '{"action": "subscribe"}',
        "action is an object": '{"action": {}}',
        "action of 30,000 emoji": json.dumps({"action": "😀" * 30_000}, ensure_ascii=False),
        "domain of 30,000 emoji": json.dumps({"domain": "😀" * 30_000, "datapoints": [{}]}, ensure_ascii=False),
        "source of another": json.dumps({"source_id": "oven-2", "datapoints": [{}]}),
        "source is an array of 100,000": json.dumps({"source_id": [0] * 40_000, "datapoints": [{}]}),
        "datapoints is an object": '{"datapoints": {}}',
        "datapoints is text": '{"datapoints": "t"}',
        "number of 5,000 digits": "9" * 5_000,
    }.items():
        yield BadMessage(f"message is {name}", body)


CONNECTIONS: Mapping[str, dict[str, str]] = {
    "no key": {"domain": "iot", "source_id": "oven-1", "api_key": ""},
    "no domain": {"api_key": "afl_aaaqeaye_x"},
    "domain of another kind": {"domain": "IOT", "source_id": "a", "api_key": "afl_aaaqeaye_x"},
    "key of 9,000 characters": {"domain": "iot", "source_id": "a", "api_key": "afl_" + "a" * 9_000},
    "source with a slash": {"domain": "iot", "source_id": "a/b", "api_key": "afl_aaaqeaye_x"},
    "emoji": {"domain": "😀", "source_id": "😀", "api_key": "😀"},
    "lone surrogate": {"domain": "iot", "source_id": "\ud800", "api_key": "\ud800"},
}
"""Queries of connections that are refused."""


class BadPublication(msgspec.Struct, frozen=True):
    """A message over MQTT that is quarantined, in whole or in part."""

    name: str
    payload: bytes
    topic: str = "iot/oven-1/t"


def bad_publications() -> Iterator[BadPublication]:
    """Messages of devices."""
    for name, text in bad_points():
        # The topic and the broker give what these lack.
        if name not in {"timestamp is null", "point is without stream", "point is without time"}:
            yield BadPublication(name, f"[{text}]".encode())
    for name, payload in {
        "empty": b"",
        "no JSON": b"23.5 C",
        "not UTF-8": b"\xff\xfe\x00",
        "cut off": b'[{"value": 1',
        "empty array": b"[]",
        "number": b"7",
        "gzip": zlib.compress(b"{}"),
        "100,000 arrays": b"[" * 100_000,
        "43,000 objects": b"[" + b",".join([b"{}"] * 43_000) + b"]",
        "60,000 numbers": b"[" + b",".join([b"1"] * 60_000) + b"]",
        "NaN and 43,000 objects": b"[NaN" + b",{}" * 43_000 + b"]",
        "SenML of version 11": b'[{"bver": 11, "n": "a", "v": 1}]',
        "SenML that must be understood": b'[{"n": "a", "v": 1, "x_": 1}]',
        "SenML of text": b'[{"n": "a", "vs": "open"}]',
        "SenML without a value": b'[{"n": "a", "s": 4}]',
        "SenML with a long base": json.dumps([{"bn": "x" * 60_000, "v": 1}, *[{"v": 1}] * 900]).encode(),
        "SenML whose base is an object": b'[{"bu": {"a": 1}, "n": "a", "v": 1}]',
        "SenML with a name of 1,000": json.dumps([{"n": "x" * 1_000, "v": 1}]).encode(),
        "SenML with a sum beyond a double": b'[{"bv": 1e308, "n": "a", "v": 1e308}]',
        "other stream": b'{"stream_id": "other", "value": 1}',
    }.items():
        yield BadPublication(f"payload is {name}", payload)
    for topic in ("", "iot", "iot/a", "iot/a/b/c", "moon/a/b", "IOT/a/b", "iot//b", "iot/+/b", "iot/$a/b",
                  "iot/a/" + "x" * 129, "iot/\ud800/b", "iot/a\x00/b", "iot/sensors/x y/readings"):  # fmt: skip
        yield BadPublication(f"topic is {topic[:9]!a}", b'{"value": 1}', topic)
    for name, reading in {
        "text": "x",
        "empty": {},
        "value": {"value": "hot"},
        "sensor": {"sensorId": 7, "value": 1},
    }.items():
        yield BadPublication(f"reading is {name}", json.dumps([reading]).encode(), "iot/sensors/42/readings")


INBOX_BODIES: Mapping[str, str] = {
    "nothing": "",
    "no JSON": "hello",
    "empty object": "{}",
    "array": "[]",
    "lone surrogate": "\ud800",
    "no base64": '{"payload": "!", "topic": "iot/a/b", "arrived_at": 1}',
    "time is text": '{"payload": "e30=", "topic": "iot/a/b", "arrived_at": "now"}',
    "time is of 400 digits": '{"payload": "e30=", "topic": "iot/a/b", "arrived_at": 1' + "0" * 400 + "}",
    "topic is a number": '{"payload": "e30=", "topic": 7, "arrived_at": 1}',
    "100,000 arrays": "[" * 100_000,
}
"""Messages of the inbox that no topic rule wrote."""


def bad_option_files() -> Iterator[tuple[str, bytes]]:
    """Names and contents of options files beside a CSV file."""
    for name, options in BAD_OPTIONS.items():
        yield name, json.dumps(options).encode()
    yield "empty", b""
    yield "not UTF-8", b"\xff"
    yield "no object", b"[]"
    yield "100,000 arrays", b"[" * 100_000
    yield "an integer of 5,000 digits", b'{"skip_rows": %s}' % (b"9" * 5_000)
    yield "70,000 bytes", b" " * 70_000 + b"{}"
    yield "another domain", b'{"domain": "health"}'
    yield "another source", b'{"source_id": "other"}'


FILES: Mapping[str, bytes] = {
    "empty": b"",
    "NUL": b"\0" * 10_000,
    "no column": b"\n\n\n",
    "no values": b"time,value\n",
    "times alone": b"time\n2023-01-01\n2023-01-02\n",
    "binary": bytes(range(256)) * 100,
    "PNG": b"\x89PNG\r\n\x1a\n" + b"\0" * 1_000,
    "times that are none": b"time,value\nsoon,1\nlater,2\n",
    "ambiguous dates": b"time,value\n01/02/2023,1\n03/04/2023,2\n",
    "values that are none": b"time,value\n2023-01-01,x\n2023-01-02,y\n",
    "quote without an end": b'time,value\n2023-01-01,"1\n' * 3,
    "5,000 columns of one name": b"time" + b",v" * 5_000 + b"\n2023-01-01" + b",1" * 5_000 + b"\n",
    "400,000 columns without a name": b"," * 400_000 + b"\n" + b"1," * 400_000 + b"\n",
    "row with cells too many": b"time,value\n2023-01-01,1\n2023-01-02,1,2,3,4\n",
    "times of tomorrow": b"time,value\n2123-01-01,1\n",
}
"""Files of which no row, or not every row, becomes points."""


def packs_that_are_none() -> Iterator[tuple[str, str]]:
    """Names and bodies of messages that are no packs."""
    packed = base64.b64encode(zlib.compress(msgspec.msgpack.encode([1, [0.0], []]))).decode()
    yield from {
        "nothing": "",
        "no base64": "!",
        "not ASCII": "é\ud800",
        "no zlib": base64.b64encode(b"hello").decode(),
        "cut off": packed[: len(packed) // 2],
        "a gigabyte": base64.b64encode(zlib.compress(b"\0" * (64 << 20))).decode(),
    }.items()
    for name, content in {
        "an integer": 7,
        "text": "pack",
        "version 99": [99, [0.0], []],
        "no version": [[], [0.0], []],
        "arrivals of text": [1, ["x"], []],
        "sources of numbers": [1, [0.0], [1, 2]],
        "too few arrivals": [1, [0.0, 1.0], [["iot", "a", [["t", 1.0, 1.0, None, None, None]]]]],
        "a value of text": [1, [0.0], [["iot", "a", [["t", "x", 1.0, None, None, None]]]]],
        "a value that is none": [1, [0.0], [["iot", "a", [["t", float("nan"), 1.0, None, None, None]]]]],
        "a stream with a slash": [1, [0.0], [["iot", "a", [["a/b", 1.0, 1.0, None, None, None]]]]],
        "a domain that is none": [1, [0.0], [["IOT", "a", [["t", 1.0, 1.0, None, None, None]]]]],
        "metadata that is no JSON": [1, [0.0], [["iot", "a", [["t", 1.0, 1.0, None, None, b"{"]]]]],
    }.items():
        yield name, base64.b64encode(zlib.compress(msgspec.msgpack.encode(content))).decode()


KEYS = (
    "",
    " ",
    "afl",
    "afl_",
    "afl__",
    "afl_aaaqeaye",
    "afl_aaaqeaye_",
    "afl_aaaqeaye_short",
    "AFL_AAAQEAYE_" + "x" * 40,
    "afl_aaaqeaye_" + "x" * 40,
    "afl_aaaqeaye_" + "x" * 9_000,
    "afl_" + "a" * 9_000 + "_x",
    "afl_aaaqeaye_" + "é" * 40,
    "afl_aaaqeaye_" + "\ud800" * 40,
    "afl_aaaq\0aye_" + "x" * 40,
    "afl_../../x_" + "x" * 40,
    "Bearer afl_aaaqeaye_" + "x" * 40,
    "' OR 1=1 --",
    "${jndi:ldap://x}",
    "\r\nX-Admin: true",
    "😀" * 100,
)
"""Keys that are none."""
