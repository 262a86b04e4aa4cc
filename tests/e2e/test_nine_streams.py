"""Nine real streams over each transport: the output and the alarms of each are the known ones."""

import csv
import itertools
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from afluente.application.constraints.documents import parse_entry
from afluente.application.csv.jobs import JobStatus
from afluente.domain.classification import classify
from afluente.domain.constraints import StreamConfig, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from tests.csv_bucket import CsvBucket
from tests.outbox import AlarmTap, Document, Outbox, distinct, of_stream
from tests.reference import Reference, assert_nothing_lost
from tests.senders import HttpSender, MqttSender, Sender, WebSocketSender
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

DATA = Path(__file__).parents[2] / "data"
WITHIN_SECONDS = 180.0
SLICE = 100
# Rows of data/finance/stocks.csv, by symbol.
STOCKS = {"MSFT": 123, "AMZN": 123, "IBM": 123, "GOOG": 68, "AAPL": 123}

Transport = Callable[[LocalStack, str, str], Sender]
"""Makes a sender for a source."""

# 82,519 requests of one point each, and 826 of a hundred: AFLUENTE_FULL=1 sends them all, which takes the emulator
# twelve minutes or more.
_if_full = pytest.mark.skipif("AFLUENTE_FULL" not in os.environ, reason="AFLUENTE_FULL=1")


@pytest.mark.parametrize(
    ("transports", "batch"),
    [
        pytest.param((HttpSender, WebSocketSender, MqttSender), 1_000, id="each over one of the transports"),
        pytest.param((HttpSender,), 1_000, id="http", marks=pytest.mark.exhaustive),
        pytest.param((HttpSender,), 100, id="http, 100 a request", marks=_if_full),
        pytest.param((HttpSender,), 1, id="http, one a request", marks=_if_full),
        pytest.param((WebSocketSender,), 1_000, id="ws", marks=pytest.mark.exhaustive),
        pytest.param((MqttSender,), 1_000, id="mqtt", marks=pytest.mark.exhaustive),
    ],
)
def test_whole_files_come_out_as_expected(
    local_stack: LocalStack, outbox: Outbox, alarms: AlarmTap, transports: Sequence[Transport], batch: int
) -> None:
    run = secrets.token_hex(3)
    entries = [_renamed(entry, run) for entry in _listed("constraints.json")]
    local_stack.constrain({parse_entry(entry).scope: parse_entry(entry).config for entry in entries})

    _send_all(local_stack, [_points(entry) for entry in entries], batch, transports)

    local_stack.drained(within=WITHIN_SECONDS)

    came = {entry["key"]: _figures(entry, local_stack, outbox, alarms) for entry in entries}
    expected = {f"{stream.pop('key')}": stream for stream in _listed("expected.json")}
    assert {_known(key, run): figures for key, figures in came.items()} == expected


def test_csv_files_come_out_as_expected_without_a_word_about_them(
    local_stack: LocalStack, outbox: Outbox, alarms: AlarmTap
) -> None:
    run = secrets.token_hex(3)
    entries = [_renamed(entry, run) for entry in _listed("constraints.json")]
    local_stack.constrain({parse_entry(entry).scope: parse_entry(entry).config for entry in entries})
    files = {StreamKey.parse(entry["key"]).source: DATA / entry["file"] for entry in entries}
    files[f"finance/stocks-{run}"] = DATA / "finance" / "stocks.csv"

    bucket = CsvBucket(local_stack)
    for place, (source, file) in enumerate(files.items()):
        if place % 2:
            bucket.post(source, file.name, file.read_bytes())
        else:
            bucket.drop(f"{source}/{file.name}", file.read_bytes())
    jobs = {source: bucket.ended(source, within=WITHIN_SECONDS)[0] for source in files}
    local_stack.drained(within=WITHIN_SECONDS)

    assert {(job.status, job.rows_rejected) for job in jobs.values()} == {(JobStatus.COMPLETE, 0)}
    came = {entry["key"]: _figures(entry, local_stack, outbox, alarms) for entry in entries}
    expected = {f"{stream.pop('key')}": stream for stream in _listed("expected.json")}
    assert {_known(key, run): figures for key, figures in came.items()} == expected
    stocks = f"stocks-{run}"
    assert jobs[f"finance/{stocks}"].streams == {f"{stocks}:{name}": count for name, count in STOCKS.items()}
    assert (
        Counter(point["stream_id"] for point in outbox.points(f"finance/{stocks}")) == jobs[f"finance/{stocks}"].streams
    )


def test_requests_of_one_point_come_out_as_one_request_would(
    local_stack: LocalStack, outbox: Outbox, alarms: AlarmTap
) -> None:
    run = secrets.token_hex(3)
    entries = [_renamed(entry, run) for entry in _listed("constraints.json")]
    configs = {parse_entry(entry).scope: parse_entry(entry).config for entry in entries}
    local_stack.constrain(configs)
    slices = [_most_eventful(_points(entry), parse_entry(entry).config) for entry in entries]
    reference = Reference(configs)
    reference.take(*slices)

    _send_all(local_stack, slices, 1)

    local_stack.drained(within=WITHIN_SECONDS)
    assert_nothing_lost(local_stack, outbox, alarms, reference)


def test_one_message_a_point_over_mqtt_interleaved_with_http_comes_out_as_one_request_would(
    local_stack: LocalStack, outbox: Outbox, alarms: AlarmTap
) -> None:
    run = secrets.token_hex(3)
    entries = [
        _renamed(entry, f"{run}-{transport}") for transport in ("http", "mqtt") for entry in _listed("constraints.json")
    ]
    configs = {parse_entry(entry).scope: parse_entry(entry).config for entry in entries}
    local_stack.constrain(configs)
    slices = [_most_eventful(_points(entry), parse_entry(entry).config) for entry in entries]
    reference = Reference(configs)
    reference.take(*slices)

    half = len(slices) // 2
    with ThreadPoolExecutor(2) as pool:
        over_http = pool.submit(_send_all, local_stack, slices[:half], 10)
        over_mqtt = pool.submit(_send_all, local_stack, slices[half:], 1, [MqttSender])
        over_http.result()
        over_mqtt.result()

    local_stack.drained(within=WITHIN_SECONDS)
    assert_nothing_lost(local_stack, outbox, alarms, reference)


def test_one_message_a_point_over_mqtt_at_full_speed_is_classified_in_the_order_of_acceptance(
    local_stack: LocalStack, outbox: Outbox, alarms: AlarmTap
) -> None:
    run = secrets.token_hex(3)
    entry = _renamed(_listed("constraints.json")[0], run)
    config, key = parse_entry(entry).config, StreamKey.parse(entry["key"])
    local_stack.constrain({entry["key"]: config})
    points = _most_eventful(_points(entry), config, 1_000)

    sender = MqttSender(local_stack, key.domain, key.source_id)
    sent = [sender.publish(entry["key"], {"value": point.value, "timestamp": point.timestamp}) for point in points]
    for one in sent:
        one.result(WITHIN_SECONDS)
    sender.close()
    local_stack.drained(within=WITHIN_SECONDS)

    # One invocation of the classifier after the other has a stream; what one has in hand, it sorts.
    taken = sorted(outbox.lines(key.source), key=lambda line: (line["processed_at"], line["timestamp"]))
    reference = Reference({entry["key"]: config})
    for _, together in itertools.groupby(taken, key=lambda line: line["processed_at"]):
        reference.take([_as_point(line) for line in together])
    assert {(line["timestamp"], line["value"]) for line in taken} == {(p.timestamp, p.value) for p in points}
    assert_nothing_lost(local_stack, outbox, alarms, reference)


def _as_point(line: Document) -> DataPoint:
    names = ("domain", "source_id", "stream_id", "value", "timestamp", "ingested_at")
    return DataPoint(**{name: line[name] for name in names}, metadata=line.get("metadata", {}))


def _send_all(
    stack: LocalStack,
    slices: Sequence[Sequence[DataPoint]],
    batch: int,
    transports: Sequence[Transport] = (HttpSender,),
) -> None:
    """Send slices side by side, those of one source by one sender: a device has one connection.

    Args:
        stack: where to.
        slices: points of one stream each.
        batch: how many points a message holds.
        transports: the senders of the sources, in turn.
    """
    sources: dict[tuple[str, str], list[Sequence[DataPoint]]] = {}
    for points in slices:
        sources.setdefault((points[0].domain, points[0].source_id), []).append(points)
    with ThreadPoolExecutor(len(sources)) as pool:
        senders = [transport(stack, *source) for transport, source in zip(itertools.cycle(transports), sources)]
        for sent in [pool.submit(_send, *its, batch) for its in zip(senders, sources.values(), strict=True)]:
            sent.result()


def _send(sender: Sender, slices: Sequence[Sequence[DataPoint]], batch: int) -> None:
    for start in range(0, max(map(len, slices)), batch):
        for points in slices:
            if start < len(points):
                sender.send(points[start : start + batch])
    sender.close()


def _most_eventful(points: Sequence[DataPoint], config: StreamConfig, size: int = SLICE) -> Sequence[DataPoint]:
    """The slice that changes the alarm of its stream most often, and has most violations."""

    def events(part: Sequence[DataPoint]) -> tuple[int, int]:
        outcome = classify(part, VersionedConfig(config, 1), StreamState(), processed_at=0.0)
        return len(outcome.alarms), sum(point.classification is not Classification.NORMAL for point in outcome.points)

    return max((points[start : start + size] for start in range(0, len(points), size)), key=events)


def _figures(entry: Document, stack: LocalStack, outbox: Outbox, tap: AlarmTap) -> Document:
    """The output of a stream, in the form of expected.json."""
    key = StreamKey.parse(entry["key"])
    points = list(of_stream(outbox.points(key.source), entry["key"]))
    on_bus = _alarm_counts(tap.on_bus(key.source), entry["key"])
    assert _alarm_counts(tap.in_log(key.source), entry["key"]) == on_bus
    sent = len(_points(entry))
    return {
        "points": sent,
        "duplicates": sent - len(points),
        "late": sum(point["late"] for point in points),
        "classes": dict.fromkeys(map(str, Classification), 0) | Counter(point["classification"] for point in points),
        "violations": Counter(
            name
            for point in points
            for name in (*point.get("violated_constraints", ()), *point.get("violated_rate", ()))
        ),
        "alarms": on_bus,
    }


def _alarm_counts(events: list[Document], key: str) -> dict[str, int]:
    return {"raised": 0, "cleared": 0} | Counter(event["state"] for event in distinct(list(of_stream(events, key))))


def _renamed(entry: Document, run: str) -> Document:
    """The entry for a source of this run: a stream that had the points before would know them again."""
    key = StreamKey.parse(entry["key"])
    source = f"{key.source_id}-{run}"
    return entry | {"key": f"{key.domain}/{source}/{source}:{entry['column']}"}


def _known(key: str, run: str) -> str:
    return key.replace(f"-{run}", "")


def _points(entry: Document) -> list[DataPoint]:
    key = StreamKey.parse(entry["key"])
    return [
        DataPoint(domain=key.domain, source_id=key.source_id, stream_id=key.stream_id, value=value, timestamp=timestamp)
        for timestamp, value in _rows(entry["file"], entry["column"])
    ]


@cache
def _rows(file: str, column: str) -> list[tuple[float, float]]:
    with (DATA / file).open(newline="") as lines:
        header, *rows = csv.reader(lines)
    place = header.index(column)
    return [(datetime.fromisoformat(row[0]).replace(tzinfo=UTC).timestamp(), float(row[place])) for row in rows]


def _listed(name: str) -> list[Any]:
    document: dict[str, list[Any]] = json.loads((DATA / name).read_text())
    return document["streams"]
