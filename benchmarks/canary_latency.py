"""Latency at a steady rate while a legacy service moves: during plan and run, at 10, 50 and 100 %, and back.

    .venv/bin/python benchmarks/canary_latency.py

Starts a PostgreSQL server and a local stack of its own. Requests are sent when they are due, answered or not those
before; the time of each counts from when it was due. A request that is not answered with 202 has failed; a point that
was accepted and is not on Kinesis is lost.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from afluente.adapters.codecs.kinesis_records import lines_of
from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.application.canary_commands import CanaryCommands, Plan
from afluente.migration.application.trial import Gates, Phase
from cli.core.state import CHECKOUT, StateDir
from tests.migration.canary_fleet import CanaryFleet, Request
from tests.migration.legacy_service import a_legacy_service
from tests.migration.postgres import running_postgres
from tests.stack import LocalStack, request_body, running_stack

_SECRET = "old-sql"  # noqa: S105 - its name
_SENDERS = 4
_WARM_UP_SECONDS = 30.0
_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 60.0
_STREAMS = ("Alert", "Warning", "Anomaly", "Normal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second, of 32 points each (default 10)")
    parser.add_argument("--devices", type=int, default=40, help="that send (default 40)")
    parser.add_argument("--sensors", type=int, default=2_000, help="others in the legacy tables (default 2,000)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each phase and step (default 15)")
    parser.add_argument("--max-added-ms", type=float, default=50.0, help="gate of the latency (default 50)")
    arguments = parser.parse_args()
    with (
        running_postgres() as server,
        tempfile.TemporaryDirectory(prefix="afluente-bench-") as folder,
        running_stack(StateDir.of(Path(folder))) as stack,
    ):
        fleet = CanaryFleet(arguments.devices)
        url = server.new_database()
        fleet.fill(url, *a_legacy_service(arguments.sensors, seed=1).sensors)
        stack.client("secretsmanager").create_secret(Name=_SECRET, SecretString=url)
        with stack.configured(
            "classifier",
            AFLUENTE_USE_AGNOSTIC_CONSTRAINTS="false",
            AFLUENTE_OLD_SQL_SECRET=_SECRET,
            AFLUENTE_MIGRATION_TABLE=stack.target["MigrationTable"],
        ):
            move(stack, fleet, Commands(url, Path(folder)), arguments)


def move(stack: LocalStack, fleet: CanaryFleet, commands: "Commands", arguments: argparse.Namespace) -> None:
    trial = DynamoTrial(stack.client("dynamodb"), stack.target["MigrationTable"])
    canary = CanaryCommands(trial, clock=time.time, by="benchmark")
    gates = Gates(max_added_p95_ms=arguments.max_added_ms, min_seconds=arguments.seconds, min_points=100)
    with Traffic(stack, fleet, arguments.rate) as traffic:
        traffic.phase("warm-up", _WARM_UP_SECONDS)
        traffic.phase("before", arguments.seconds)
        for command in ("plan", "run", "verify"):
            with traffic.during(f"migrate {command}"):
                commands.run(command)
        canary.start(Plan(gates=gates))
        follow(trial, traffic)
        traffic.phase("complete", arguments.seconds / 2)
        canary.roll_back()
        traffic.phase("back", arguments.seconds)
    stack.drained()
    traffic.report(arrivals(stack))
    print()
    for event in reversed(list(trial.events())):
        p95 = event.counts.p95()
        added = "" if p95 is None else f", added latency p95 {p95:g} ms"
        counted = f"{event.counts.points:,} points the new way, {event.counts.errors} errors"
        print(
            f"* {event.kind}, {event.share_before} → {event.share} %: {counted}, "
            f"{event.counts.differences} differences{added}"
        )


def follow(trial: DynamoTrial, traffic: "Traffic") -> None:
    """Name the phases by the canary's steps until it is complete."""
    while (settings := trial.settings()).phase is Phase.RUNNING:
        traffic.name = f"{settings.share} %"
        time.sleep(_POLL_SECONDS)
    if settings.phase is not Phase.COMPLETE:
        print(f"the canary is {settings.phase}: {next(iter(trial.events())).why}")


class Sample(NamedTuple):
    """A request: when it was due, its phase, its duration and its points."""

    phase: str
    milliseconds: float
    status: int
    measurements: Sequence[tuple[str, float]]


class Traffic:
    """Requests at a steady rate, each device's in their order; a device waits for its last answer first."""

    def __init__(self, stack: LocalStack, fleet: CanaryFleet, rate: float) -> None:
        self.name = "warm-up"
        self._stack = stack
        self._fleet = fleet
        self._rate = rate
        self._ended = threading.Event()
        self._samples: list[Sample] = []
        self._thread = threading.Thread(target=self._send_all)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def phase(self, name: str, seconds: float) -> None:
        """Go on for so long."""
        self.name = name
        time.sleep(seconds)

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Go on while something else is done."""
        self.name = name
        yield

    def report(self, arrived: dict[tuple[str, float], float]) -> None:
        """Report requests and points of each phase; `arrived` has the seconds from acceptance on."""
        print("| phase | requests | failed | points | lost | answer p50 | p95 | p99 | to Kinesis p50 | p95 | p99 |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        phases: dict[str, list[Sample]] = defaultdict(list)
        for sample in self._samples:
            phases[sample.phase].append(sample)
        for name, samples in phases.items():
            points = [its for sample in samples if sample.status == _ACCEPTED for its in sample.measurements]
            came = [arrived[its] * 1000 for its in points if its in arrived]
            failed = sum(sample.status != _ACCEPTED for sample in samples)
            answers = cuts([sample.milliseconds for sample in samples])
            print(
                f"| {name} | {len(samples):,} | {failed} | {len(points):,} | {len(points) - len(came)} "
                f"| {' | '.join(answers)} | {' | '.join(cuts(came))} |"
            )

    def _send_all(self) -> None:
        began = time.perf_counter()
        requests = itertools.chain.from_iterable(self._fleet.next_requests() for _ in itertools.count())
        with ThreadPoolExecutor(_SENDERS) as pool:
            busy: dict[str, threading.Event] = {}
            for number, request in enumerate(requests):
                due = began + number / self._rate
                time.sleep(max(due - time.perf_counter(), 0))
                if self._ended.is_set():
                    break
                before, busy[request.source] = busy.get(request.source), threading.Event()
                pool.submit(self._send, self.name, due, request, (before, busy[request.source]))

    def _send(
        self, phase: str, due: float, request: Request, turns: tuple[threading.Event | None, threading.Event]
    ) -> None:
        before, done = turns
        if before is not None:
            before.wait(_PATIENCE_SECONDS)
        try:
            status = self._stack.post(request_body(request.points)).status_code
        except Exception as error:  # noqa: BLE001 - whatever it is, the request has failed
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            status = 0
        milliseconds = (time.perf_counter() - due) * 1000
        self._samples.append(Sample(phase, milliseconds, status, list(request.expected)))
        done.set()


_ACCEPTED = 202


def arrivals(stack: LocalStack) -> dict[tuple[str, float], float]:
    """Seconds from the acceptance of each measurement until it was on Kinesis."""
    kinesis = stack.client("kinesis")
    arrived: dict[tuple[str, float], float] = {}
    for name in _STREAMS:
        stream = stack.target[f"{name}Stream"]
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = kinesis.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    at = record["ApproximateArrivalTimestamp"].timestamp()
                    for line in lines_of(record["Data"]):
                        point = json.loads(line)
                        arrived.setdefault((point["stream_id"], point["timestamp"]), at - point["ingested_at"])
                iterator = answer["NextShardIterator"]
                if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                    break
    return arrived


def cuts(milliseconds: Sequence[float]) -> list[str]:
    if len(milliseconds) < 2:
        return ["", "", ""]
    found = statistics.quantiles(milliseconds, n=100)
    return [f"{found[place]:.0f} ms" for place in (49, 94, 98)]


class Commands:
    """`afluente migrate`, on the benchmark's own database and stack."""

    def __init__(self, url: str, state: Path) -> None:
        self._environment = {**os.environ, "AFLUENTE_SQL_URL": url, "AFLUENTE_STATE_DIR": str(state)}

    def run(self, command: str) -> None:
        """Run one to its end; sensors that cannot be moved are named, and no failure."""
        words: list[Any] = [Path(sys.executable).with_name("afluente"), "migrate", command, "--json"]
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 4}:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    os.chdir(CHECKOUT)
    main()
