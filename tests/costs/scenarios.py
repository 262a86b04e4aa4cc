"""Traffic whose costs are counted: one source or a fleet of devices, at one point a second and stream."""

import json
import math
import os
import random
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.domain.stream_state import WINDOW
from tests.contract.local_aws import LocalAws
from tests.contract.stage import event
from tests.costs.counting import Meter, metered
from tests.factories import PEPPER, a_config

FLEET = 96
"""Devices of a fleet: a tenth of 1,000, over a tenth of the message groups, so that as many share one."""

FLEET_SHARDS = 6


class Traffic(NamedTuple):
    """Requests, messages or files of one kind.

    Attributes:
        transport: `http`, `ws`, `mqtt` or `csv`.
        points: of a request or message.
        streams: of a source.
        window: seconds of messages in a batch of MQTT.
    """

    transport: str
    points: int
    streams: int
    window: int = 1

    @property
    def name(self) -> str:
        return f"{self.transport}-{self.points}-{self.streams}" + (f"-{self.window}s" if self.window > 1 else "")


FIELD = (
    Traffic("http", 1_000, 5),
    Traffic("http", 100, 10),
    Traffic("http", 10, 10),
    Traffic("mqtt", 1, 1),
    Traffic("mqtt", 1, 1, 5),
    Traffic("mqtt", 10, 1, 5),
    Traffic("csv", 100_000, 5),
    Traffic("ws", 100, 10),
)
"""Kinds of traffic of which docs/reference/cost.md says what they cost."""


class Count(NamedTuple):
    """Units and processor seconds of so many points and requests."""

    points: int
    requests: int
    units: Mapping[str, int]
    cpu: Mapping[str, float]


def count(traffic: Traffic, *, log_lines: str = "one", requests: int = 30, record_format: str = "gzip") -> Count:
    """Count the units of some requests, after the windows of all streams are full and every cache is warm."""
    shards = FLEET_SHARDS if traffic.transport == "mqtt" else 64
    with metered(log_lines=log_lines, shards=shards, AFLUENTE_RECORD_FORMAT=record_format) as (meter, aws):
        _catalogue(aws)
        steps = _DRIVES[traffic.transport](meter, traffic)
        for _ in range(_warm_up(traffic)):
            next(steps)
        meter.reset()
        points = sum(next(steps) for _ in range(requests))
        return Count(points, requests, dict(meter.units), dict(meter.cpu))


def _warm_up(traffic: Traffic) -> int:
    """Requests until the window of each stream is full."""
    if traffic.transport in {"csv", "mqtt"}:
        return 2 if traffic.transport == "mqtt" else 1
    points_a_stream = max(1, traffic.points // traffic.streams) * traffic.window
    return math.ceil(WINDOW / points_a_stream) + 2


def _catalogue(aws: LocalAws) -> None:
    tables = os.environ["AFLUENTE_CONSTRAINTS_TABLE"], os.environ["AFLUENTE_CONSTRAINT_HISTORY_TABLE"]
    DynamoConstraintsCatalogue(aws.client("dynamodb"), *tables, by="tests").put(
        "iot", a_config(max_value=500, warning_max=400, abs_delta=300)
    )


class _Source:
    """A source whose streams measure once a second: values with two decimals, as sensors have them."""

    def __init__(self, name: str, streams: int, now: float) -> None:
        self.name = name
        self._random = random.Random(name)  # noqa: S311
        self._streams = [f"temperature-{number:02d}" for number in range(streams)]
        self._values = [self._random.uniform(50, 150) for _ in self._streams]
        self._at = now - 600
        self._next = 0

    def points(self, number: int, **fields: object) -> list[dict[str, object]]:
        return [self._point(**fields) for _ in range(number)]

    def _point(self, **fields: object) -> dict[str, object]:
        place = self._next % len(self._streams)
        self._next += 1
        self._values[place] += self._random.gauss(0, 0.5)
        timestamp = self._at + self._next // len(self._streams)
        return {
            "stream_id": self._streams[place],
            "value": round(self._values[place], 2),
            "timestamp": timestamp,
            **fields,
        }


def _http(meter: Meter, traffic: Traffic) -> Iterator[int]:
    source = _Source("press-17", traffic.streams, meter.clock.now)
    number = 0
    while True:
        meter.clock.now += traffic.points / traffic.streams
        body = {"domain": "iot", "source_id": source.name, "datapoints": source.points(traffic.points)}
        asked = event("http_api_ingest") | {"body": json.dumps(body)}
        asked["requestContext"]["requestId"] = f"request-{(number := number + 1)}"
        answer = meter.run("http_ingest", asked)
        assert answer["statusCode"] == 202, answer
        meter.units["answer_bytes"] += len(json.dumps(answer["headers"])) + len(answer["body"])
        meter.classify()
        yield traffic.points


def _websocket(meter: Meter, traffic: Traffic) -> Iterator[int]:
    text, key = new_key("plant 7", random=bytes(range(KEY_RANDOM_BYTES)), pepper=PEPPER, now=time.time())
    DynamoApiKeys(LocalAws("moto", endpoint=None).client("dynamodb"), os.environ["AFLUENTE_ACCESS_TABLE"]).put(key)
    source = _Source("press-17", traffic.streams, meter.clock.now)

    def of_connection(kind: str, **fields: Any) -> dict[str, Any]:
        context = {
            "connectionId": "L0SM9cOFvHcCIhw=",
            "eventType": kind,
            "requestId": f"request-{meter.clock.now}",
            "requestTimeEpoch": int(meter.clock.now * 1000),
        }
        return {"requestContext": context, **fields}

    headers = {"X-API-Key": text, "X-Domain": "iot", "X-Source-ID": source.name}
    assert meter.run("ws_ingest", of_connection("CONNECT", headers=headers)) == {"statusCode": 200}
    sequence = 0
    while True:
        meter.clock.now += traffic.points / traffic.streams
        points = source.points(traffic.points)
        for point in points:
            point["sequence"] = (sequence := sequence + 1)
        answer = meter.run("ws_ingest", of_connection("MESSAGE", body=json.dumps(points)))
        assert json.loads(answer["body"])[0]["status"] == "ok", answer
        meter.units["answer_bytes"] += len(answer["body"])
        meter.classify()
        yield traffic.points


def _mqtt(meter: Meter, traffic: Traffic) -> Iterator[int]:
    fleet = [_Source(f"device-{number:03d}", traffic.streams, meter.clock.now) for number in range(FLEET)]
    seconds = max(1, traffic.points // traffic.streams)
    # At first, each device publishes what fills its windows.
    senders, size, number = fleet, traffic.streams * WINDOW, 0
    while True:
        meter.clock.now += traffic.window
        records = []
        for place, source in enumerate(senders):
            points = source.points(size)
            records.append(_inbox_record(f"{number}-{place}", source.name, points, meter.clock.now))
        event_bytes = sum(len(json.dumps(record)) for record in records)
        meter.units.update({"inbox.messages": len(records), "inbox.event_bytes": event_bytes})
        failed = meter.run("iot_rule_handler", {"Records": records})
        assert failed == {"batchItemFailures": []}
        meter.classify(packs_a_batch=10)
        yield size * len(records)
        # Each device publishes as soon as it has so many points: all in a window, or some of them.
        number += len(senders)
        size = traffic.points
        senders = [fleet[(number + place) % FLEET] for place in range(max(1, FLEET * traffic.window // seconds))]


def _inbox_record(number: str, source: str, points: list[dict[str, object]], now: float) -> dict[str, Any]:
    stream = points[0]["stream_id"]
    own = [{name: value for name, value in point.items() if name != "stream_id"} for point in points]
    body = {
        "payload": b64encode(json.dumps(own[0] if len(points) == 1 else own).encode()).decode(),
        "topic": f"iot/{source}/{stream}",
        "client_id": source,
        "arrived_at": int(now * 1000),
    }
    return {
        "messageId": f"{number:0>36}",
        "receiptHandle": "AQEB" + "x" * 400,
        "body": json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(int(now * 1000)),
            "SenderId": "AROAEXAMPLEEXAMPLEEXA:1234567890123456",
            "ApproximateFirstReceiveTimestamp": str(int(now * 1000)),
        },
        "messageAttributes": {},
        "md5OfBody": "49a13519d92469eb30cf6a4e739ee7a3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:afluente-prod-mqtt-inbox",
        "awsRegion": "us-east-1",
    }


def _csv(meter: Meter, traffic: Traffic) -> Iterator[int]:
    bucket = os.environ["AFLUENTE_CSV_BUCKET"]
    s3 = LocalAws("moto", endpoint=None).client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    number = 0
    while True:
        key = f"inbox/iot/press-17/{(number := number + 1)}.csv"
        # Each file has another content: the same one again would be no job.
        table = _table(traffic, meter.clock.now - number * 1_000_000)
        version = s3.put_object(Bucket=bucket, Key=key, Body=table)["VersionId"]
        notification = event("sqs_s3_dropped")
        body = json.loads(notification["Records"][0]["body"])
        body["Records"][0]["s3"] |= {
            "bucket": {"name": bucket},
            "object": {
                "key": key,
                "size": len(table),
                "eTag": f"{number:032d}",
                "versionId": version,
                "sequencer": "1",
            },
        }
        notification["Records"][0]["body"] = json.dumps(body)
        meter.run("csv_trigger", notification)
        part = event("sqs_csv_part")
        part["Records"][0]["body"] = meter.parts.pop()
        while meter.run("csv_trigger", part)["batchItemFailures"]:
            meter.classify()
        meter.classify()
        yield traffic.points


def _table(traffic: Traffic, begin: float) -> bytes:
    source = _Source("press-17", traffic.streams, begin)
    rows = [source.points(traffic.streams) for _ in range(traffic.points // traffic.streams)]
    head = ",".join(["time", *(str(point["stream_id"]) for point in rows[0])])
    lines = (f"{row[0]['timestamp']},{','.join(str(point['value']) for point in row)}" for row in rows)
    return "\n".join([head, *lines, ""]).encode()


_DRIVES = {"http": _http, "ws": _websocket, "mqtt": _mqtt, "csv": _csv}
