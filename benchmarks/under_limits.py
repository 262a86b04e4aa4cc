"""Heavy senders beside a light one, at a local stack that keeps AWS's quotas: what comes out, and how late.

    .venv/bin/python benchmarks/under_limits.py --megabytes 100 one-source many-sources half-shard throttled-key
    .venv/bin/python benchmarks/under_limits.py many-streams many-alarms

Beside each scenario two sources send a point a second over HTTP: a neighbour in the message group of the heavy sender,
and a stranger in another one. Of each: p50, p95 and the longest time from acceptance to Kinesis, by its own clock.
Ends with 1 if a point is missing or a dead-letter queue holds a message.

Scenarios:
    one-source      a CSV file of one source
    many-sources    CSV files of 1,000 sources, as large together
    half-shard      as one-source, with shards that take half of Kinesis's rate
    throttled-key   the records of one message group are refused for some minutes
    many-streams    a request with 20,000 streams of a source, twice as many as it may have
    many-alarms     a request with a new stream and 20,000 violating points, 301 s apart
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from afluente.adapters.codecs.kinesis_records import lines_of
from afluente.application.ingest.packs import shard_group
from afluente.domain.constraints import StreamConfig, ValueConstraints
from afluente.domain.datapoints import DataPoint
from cli.core.local_stack import AwsLimits
from cli.core.state import StateDir
from infra.presets import local
from tests.faults.faults import throttled
from tests.faults.proxy import Call, FaultProxy
from tests.stack import LocalStack, running_stack

HEAVY = "heavy"
ROW_BYTES = 31
SOURCES = 1_000
SECONDS_APART = 301
LONGEST_SECONDS = 3_600.0
CLASSES = ("Normal", "Alert", "Warning", "Anomaly")

_SHARDS = local().shards


class _Point(msgspec.Struct):
    """The counted part of a point."""

    point_id: str
    source_id: str
    ingested_at: float


class Arrivals:
    """Points that are on Kinesis, and when they came there."""

    def __init__(self, stack: LocalStack) -> None:
        self.ids: dict[str, set[str]] = {}
        self.written: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {}
        decoder = msgspec.json.Decoder(_Point)
        for record in _records(stack):
            at = record["ApproximateArrivalTimestamp"].timestamp()
            for point in map(decoder.decode, lines_of(record["Data"])):
                self.written[point.source_id] += 1
                ids = self.ids.setdefault(point.source_id, set())
                if point.point_id not in ids:
                    ids.add(point.point_id)
                    self.seconds.setdefault(point.source_id, []).append(at - point.ingested_at)

    def distinct(self, prefix: str = HEAVY) -> int:
        return sum(len(ids) for source, ids in self.ids.items() if source.startswith(prefix))

    def repeats(self, prefix: str = HEAVY) -> float:
        written = sum(count for source, count in self.written.items() if source.startswith(prefix))
        return written / max(1, self.distinct(prefix))


class Bystander:
    """A source that sends a point a second for as long as the block lasts."""

    def __init__(self, stack: LocalStack, source_id: str) -> None:
        self.source_id = source_id
        self.sent = 0
        self._stack = stack
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._is_over.wait(1.0):
            self._stack.send([_point("temperature", 20.0, time.time(), source_id=self.source_id)])
            self.sent += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help="all without any")
    parser.add_argument("--megabytes", type=float, default=100, help="of CSV (default 100)")
    parser.add_argument("--sources", type=int, default=SOURCES, help=f"of many-sources (default {SOURCES:,})")
    parser.add_argument("--minutes", type=float, default=10, help="of throttled-key (default 10)")
    arguments = parser.parse_args()
    print(
        "| scenario | points | seconds | written a point | neighbour p50, p95, max | stranger p50, p95, max | lost |\n"
        "|---|---|---|---|---|---|---|"
    )
    sound = [run(name, arguments) for name in arguments.scenarios or SCENARIOS]
    if not all(sound):
        sys.exit(1)


def run(name: str, arguments: argparse.Namespace) -> bool:
    """Run a scenario in a stack of its own; False if a point is lost or a dead letter is there."""
    limits = AwsLimits(changed=HALF_RATE) if name == "half-shard" else AwsLimits()
    heavy_group = shard_group(f"iot/{HEAVY}", _SHARDS)
    neighbour = _source_where(lambda group: group == heavy_group)
    stranger = _source_where(lambda group: group != heavy_group)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as block:
        stack = block.enter_context(running_stack(StateDir.of(Path(folder)), limits))
        proxy = block.enter_context(_proxied(stack)) if name == "throttled-key" else None
        _warm_up(stack)
        began = time.monotonic()
        with Bystander(stack, neighbour) as near, Bystander(stack, stranger) as far:
            expected = SCENARIOS[name](stack, arguments, proxy)
            stack.drained(within=LONGEST_SECONDS)
            seconds = time.monotonic() - began
        stack.drained(within=LONGEST_SECONDS)
        arrivals = Arrivals(stack)
        lost = expected - arrivals.distinct()
        for one in (near, far):
            lost += one.sent - len(arrivals.ids.get(one.source_id, ()))
        dead = stack.dead_letters()
        print(
            f"| {name} | {expected:,} | {seconds:,.0f} | {arrivals.repeats():.2f}"
            f" | {_rendered(arrivals.seconds[neighbour])} | {_rendered(arrivals.seconds[stranger])}"
            f" | {lost:,}{f', {dead} dead letters' if dead else ''} |",
            flush=True,
        )
    return lost == 0 and dead == 0


def one_source(stack: LocalStack, arguments: argparse.Namespace, _: FaultProxy | None) -> int:
    return _load(stack, {HEAVY: int(arguments.megabytes * 1e6 / ROW_BYTES)})


def many_sources(stack: LocalStack, arguments: argparse.Namespace, _: FaultProxy | None) -> int:
    rows = int(arguments.megabytes * 1e6 / ROW_BYTES / arguments.sources)
    return _load(stack, {f"{HEAVY}-{number}": rows for number in range(arguments.sources)})


def throttled_key(stack: LocalStack, arguments: argparse.Namespace, proxy: FaultProxy | None) -> int:
    """Points of eleven sources, of which the heavy one's group is refused."""
    if proxy is None:
        raise TypeError("the records of a group are refused by a proxy")
    group = shard_group(f"iot/{HEAVY}", _SHARDS)
    ends_at = time.monotonic() + arguments.minutes * 60
    sent = 0

    def is_refused(call: Call) -> bool:
        keys = {record["PartitionKey"] for record in call.document["Records"]}
        return group in keys and time.monotonic() < ends_at

    with proxy.injected(throttled(lambda _place: False), "Kinesis", "PutRecords", when=is_refused):
        while time.monotonic() < ends_at:
            for source in (HEAVY, *(f"{HEAVY}-{number}" for number in range(10))):
                stack.send([_point("t", float(sent % 7), time.time(), source_id=source, sequence=sent)])
                sent += 1
            time.sleep(1.0)
        stack.drained(within=LONGEST_SECONDS)
    return sent


def many_streams(stack: LocalStack, _: argparse.Namespace, _proxy: FaultProxy | None) -> int:
    """A request of one source; the streams beyond its limit go into quarantine."""
    now = time.time()
    stack.send([_point(f"s{number}", 1.0, now, source_id=HEAVY) for number in range(20_000)])
    return local().streams_per_source


def many_alarms(stack: LocalStack, _: argparse.Namespace, _proxy: FaultProxy | None) -> int:
    config = StreamConfig(value_constraints=ValueConstraints(max_value=10), consecutive_violations_required=1)
    stack.constrain({f"iot/{HEAVY}/t": config})
    first = time.time() - 20_000 * SECONDS_APART
    stack.send([_point("t", 20.0 + n % 5, first + n * SECONDS_APART, source_id=HEAVY) for n in range(20_000)])
    return 20_000


SCENARIOS: Mapping[str, Callable[[LocalStack, argparse.Namespace, FaultProxy | None], int]] = {
    "one-source": one_source,
    "many-sources": many_sources,
    "half-shard": one_source,
    "throttled-key": throttled_key,
    "many-streams": many_streams,
    "many-alarms": many_alarms,
}

HALF_RATE = {"kinesis.shard-write-bytes": 524_288, "kinesis.shard-write-records": 500}


@contextmanager
def _proxied(stack: LocalStack) -> Iterator[FaultProxy]:
    """A proxy for the calls of the classifier."""
    with FaultProxy(stack.port) as proxy, stack.configured("classifier", AWS_ENDPOINT_URL=proxy.endpoint):
        yield proxy


def _warm_up(stack: LocalStack) -> None:
    """Have as many containers started as the emulator starts: it is not their start that is measured."""
    for _ in range(3):
        for number in range(2 * _SHARDS):
            stack.send([_point("t", 1.0, time.time(), source_id=f"warm-{number}")])
        stack.drained()


def _point(stream_id: str, value: float, timestamp: float, *, source_id: str, sequence: int | None = None) -> DataPoint:
    return DataPoint(
        domain="iot", source_id=source_id, stream_id=stream_id, value=value, timestamp=timestamp, sequence=sequence
    )


def _load(stack: LocalStack, rows: Mapping[str, int]) -> int:
    """Drop a file of each source, and wait until the jobs have ended."""
    s3, bucket = stack.client("s3"), stack.target["CsvBucket"]
    for source, count in rows.items():
        s3.put_object(Bucket=bucket, Key=f"inbox/iot/{source}/file.csv", Body=_csv(count).encode())
    stack.eventually(lambda: _ended(stack) == len(rows), "all jobs have ended", within=LONGEST_SECONDS)
    return sum(rows.values())


def _csv(rows: int) -> str:
    first = 1_700_000_000
    lines = (f"{first + n},{20 + n % 997 / 97:.16f}\n" for n in range(rows))
    return "timestamp,value\n" + "".join(lines)


def _ended(stack: LocalStack) -> int:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.target["CsvJobsTable"])
    items = itertools.chain.from_iterable(page["Items"] for page in pages)
    return sum(item.get("status", {}).get("S") in ("complete", "failed") for item in items)


def _source_where(fits: Callable[[str], bool]) -> str:
    names = (f"light-{number}" for number in itertools.count())
    return next(name for name in names if fits(shard_group(f"iot/{name}", _SHARDS)))


def _records(stack: LocalStack) -> Iterator[dict[str, Any]]:
    kinesis = stack.client("kinesis")
    for name in CLASSES:
        stream = stack.target[f"{name}Stream"]
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                try:
                    answer = kinesis.get_records(ShardIterator=iterator)
                except kinesis.exceptions.ProvisionedThroughputExceededException:
                    # Of 10 MB in a call, more than a shard gives in a second: it gives none for a while.
                    time.sleep(1.0)
                    continue
                yield from answer["Records"]
                iterator = answer["NextShardIterator"]
                if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                    break
                time.sleep(0.25)


def _rendered(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return f"{cuts[49]:.2f}, {cuts[94]:.2f}, {max(seconds):.2f} s"


if __name__ == "__main__":
    main()
