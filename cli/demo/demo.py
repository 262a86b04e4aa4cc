"""The demonstration: nine real streams through the whole way, against what they are known to give."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from afluente.application.constraints.documents import parse_entry
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.stream_keys import StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from cli.access.api_key import key_for
from cli.constraints.catalogue import catalogue_of
from cli.core.errors import CommandError
from cli.core.state import CHECKOUT
from cli.core.target import Target
from cli.csv.client import CsvApi
from cli.devices.devices import device_for
from cli.migration.demo_clients import LegacyMqttClient, PacketClient, enter_sensors, takes_packets
from cli.reading.log_events import read
from cli.reading.rendering import decode_alarm, decode_point
from cli.reading.shards import LATEST, ShardReader
from cli.sending.csv_reader import read_table
from cli.sending.http import HttpTransport
from cli.sending.mqtt import MqttTransport
from cli.sending.run import Totals, Transport, send_all
from cli.sending.ws import WsTransport

DATA = CHECKOUT / "data"
CLASSES = ("normal", "anomaly", "warning", "alert")

# Each with an output that a stage has where the transport is switched on.
_TRANSPORTS = {"mqtt": "IotPolicy", "http": "HttpApiId", "ws": "WebSocketApiId", "csv": "CsvBucket"}
_LEGACY_TRANSPORTS = ("old mqtt", "old http")

_BATCH = 1000
_SENDERS = 3
_PATIENCE_SECONDS = 20.0
_CSV_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.1


@dataclass(slots=True)
class Came:
    """What came out of one stream."""

    points: dict[str, ClassifiedDataPoint] = field(default_factory=dict)
    alarms: dict[tuple[str, str, float], AlarmEvent] = field(default_factory=dict)

    def figures(self, sent: int) -> dict[str, Any]:
        """In the form of `data/expected.json`, with `sent` points sent."""
        points = self.points.values()
        alarms = Counter(str(alarm.state) for alarm in self.alarms.values())
        return {
            "points": sent,
            "duplicates": sent - len(points),
            "late": sum(point.late for point in points),
            "classes": {name: sum(point.classification == name for point in points) for name in CLASSES},
            "violations": dict(
                Counter(name for point in points for name in (*point.violated_constraints, *point.violated_rate))
            ),
            "alarms": {"raised": alarms["raised"], "cleared": alarms["cleared"]},
        }


@dataclass(frozen=True, slots=True)
class DemoStream:
    """A stream of the demonstration.

    Attributes:
        name: how to call it in a table.
        key: the stream as this run calls it.
        file: where its points are.
        column: which of the file's columns they are.
        constraints: the entry of `data/constraints.json`.
        expected: what it is to give, by `data/expected.json`.
        transport: how its file is sent; two of them are those of legacy clients.
    """

    name: str
    key: StreamKey
    file: Path
    column: str
    constraints: Mapping[str, Any]
    expected: Mapping[str, Any]
    transport: str


def transports_of(target: Target) -> list[str]:
    """The transports that the stage has, those of legacy clients first."""
    legacy = zip(_LEGACY_TRANSPORTS, ("LegacyIotPolicy" in target.outputs, takes_packets(target.api_url)), strict=True)
    new = [name for name, output in _TRANSPORTS.items() if output in target.outputs]
    return [name for name, is_there in legacy if is_there] + new


def demo_streams(run: str, transports: Sequence[str]) -> list[DemoStream]:
    """The streams, their sources named after this run: a stream that had the points before would know them again.

    Args:
        run: names the run.
        transports: over which their files go, in turn; the columns of one file go together. Legacy clients have sensors
            alone, and each of their transports takes one file.
    """
    expected = {stream.pop("key"): stream for stream in _listed("expected.json")}
    streams: list[DemoStream] = []
    legacy = [name for name in transports if name in _LEGACY_TRANSPORTS]
    new = cycle(name for name in transports if name not in _LEGACY_TRANSPORTS)
    over: dict[str, str] = {}
    for entry in _listed("constraints.json"):
        known = StreamKey.parse(entry["key"])
        if entry["file"] not in over:
            over[entry["file"]] = legacy.pop(0) if legacy and known.domain == LEGACY_DOMAIN else next(new)
        transport = over[entry["file"]]
        source = f"{known.source_id}-{run}"
        key = StreamKey(known.domain, source, f"{source}:{entry['column']}")
        if transport in _LEGACY_TRANSPORTS:
            # A device by its UUID, a sensor by its number; no two runs have the same.
            key = StreamKey(known.domain, str(uuid5(NAMESPACE_URL, source)), str(int(f"{run}{len(streams)}")))
        constraints = {**entry, "key": str(key)}
        name = f"{known.domain} {known.source_id} {entry['column']}"
        file, column = DATA / entry["file"], entry["column"]
        streams.append(DemoStream(name, key, file, column, constraints, expected[entry["key"]], transport))
    return streams


def apply_constraints(target: Target, streams: Iterable[DemoStream]) -> None:
    """Write the constraints of the streams."""
    catalogue = catalogue_of(target, "demo")
    for stream in streams:
        entry = parse_entry(stream.constraints)
        catalogue.put(entry.scope, entry.config)


def register_sensors(target: Target, streams: Iterable[DemoStream]) -> None:
    """Enter the sensors of legacy clients into the sensor directory."""
    enter_sensors(target, [stream.key for stream in streams if stream.transport in _LEGACY_TRANSPORTS])


def open_reader(target: Target) -> ShardReader:
    """A reader of all classes that misses nothing from now on."""
    return ShardReader(target.client("kinesis"), [target[f"{name.title()}Stream"] for name in CLASSES], LATEST)


def send(target: Target, streams: Sequence[DemoStream], on_sent: Callable[[int], None]) -> None:
    """Send the files of the streams, each over its transport and in order, several side by side."""
    files: dict[tuple[str, str, str, Path], dict[str, str]] = defaultdict(dict)
    for stream in streams:
        place = (stream.transport, stream.key.domain, stream.key.source_id, stream.file)
        files[place][stream.column] = stream.key.stream_id

    def send_file(name: str, domain: str, source: str, file: Path, ids: Mapping[str, str]) -> None:
        sent = Totals()
        columns = list(ids)

        def on_progress(totals: Totals) -> None:
            nonlocal sent
            on_sent(totals.inserted - sent.inserted)
            sent = totals

        if name == "csv":
            _drop(target, f"{domain}/{source}", file, columns, on_sent)
            return
        with (
            closing(_transport(target, name, StreamKey(domain, source, "_"), ids)) as transport,
            file.open(newline="", encoding="utf-8") as lines,
        ):
            table = read_table(lines, source=source, columns=columns)
            send_all(
                table.points,
                transport,
                batch=_BATCH,
                begin=sent,
                on_rejected=lambda _rejected: None,
                on_progress=on_progress,
            )

    with ThreadPoolExecutor(_SENDERS) as pool:
        for future in [pool.submit(send_file, *file, ids) for file, ids in files.items()]:
            future.result()


def _drop(target: Target, place: str, file: Path, columns: Sequence[str], on_sent: Callable[[int], None]) -> None:
    """Put a file into the bucket, and wait until its job has ended."""
    target.client("s3").put_object(
        Bucket=target["CsvBucket"],
        Key=f"inbox/{place}/{file.name}",
        Body=file.read_bytes(),
        Metadata={"afluente-value-columns": json.dumps(list(columns))},
    )
    domain, _, source = place.partition("/")
    queued = 0
    deadline = time.monotonic() + _CSV_PATIENCE_SECONDS
    with CsvApi(target.api_url, key_for(target, None), use_proxies=False) as api:
        while time.monotonic() < deadline:
            for job in api.jobs(domain=domain, source_id=source, status=None, limit=1):
                on_sent(job.points_queued - queued)
                queued = job.points_queued
                if job.status.is_final:
                    return
            time.sleep(_POLL_SECONDS)
    raise CommandError(
        f"the job of {file.name} did not end", hint="see 'afluente csv jobs' and 'afluente logs csv_trigger'"
    )


def _transport(target: Target, name: str, place: StreamKey, ids: Mapping[str, str]) -> Transport:
    domain, source = place.domain, place.source_id
    sensors = (
        {f"{source}:{column}": int(stream_id) for column, stream_id in ids.items()}
        if name in _LEGACY_TRANSPORTS
        else {}
    )
    match name:
        case "old mqtt":
            return LegacyMqttClient(device_for(target, domain, source, legacy=True), domain, source, sensors)
        case "old http":
            return PacketClient(target.api_url, key_for(target, None), source, sensors)
        case "ws":
            url, key = target.websocket_url, key_for(target, None)
            return WsTransport(url, key, domain=domain, source=source, use_proxies=False)
        case "mqtt":
            return MqttTransport(device_for(target, domain, source), domain=domain, source=source)
        case _:
            key = key_for(target, None)
            return HttpTransport(target.api_url, key, domain=domain, source=source, use_proxies=False)


def collect(
    target: Target, reader: ShardReader, streams: Sequence[DemoStream], since_ms: int, on_came: Callable[[int], None]
) -> dict[StreamKey, Came]:
    """Read what comes out, until everything has come or nothing more comes."""
    came = {stream.key: Came() for stream in streams}
    awaited = sum(stream.expected["points"] - stream.expected["duplicates"] for stream in streams)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while awaited > 0 and time.monotonic() < deadline:
        for record in reader.records(until_idle=0.0):
            for point in filter(None, map(decode_point, record.splitlines())):
                key = StreamKey(point.domain, point.source_id, point.stream_id)
                if key in came and point.point_id not in came[key].points:
                    came[key].points[point.point_id] = point
                    awaited -= 1
                    on_came(1)
            deadline = time.monotonic() + _PATIENCE_SECONDS
    for event in read(target.client("logs"), target["AlarmLogGroup"], since_ms=since_ms, follow=False):
        alarm = decode_alarm(event.message)
        if alarm and (key := StreamKey(alarm.domain, alarm.source_id, alarm.stream_id)) in came:
            came[key].alarms[alarm.alarm_id, alarm.state, alarm.timestamp] = alarm
    return came


def _listed(name: str) -> list[dict[str, Any]]:
    document: dict[str, list[dict[str, Any]]] = json.loads((DATA / name).read_text())
    return document["streams"]
