"""A million readings by thresholds and by constraints: the differences, and the cost of each. In one process.

    .venv/bin/python benchmarks/shadow.py

10,000 sensors with thresholds of every shape, in PostgreSQL (it starts a server of its own), are moved by the very use
case of `afluente migrate run`. Each replays a stretch of a real series of data/, stretched to where its thresholds are;
now and then a reading is exactly at one of its bounds or deltas, far off, late, or sent twice.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import pairwise

from afluente.adapters.memory.classification import MemoryStreams
from afluente.adapters.memory.classifier import MemoryClassifier
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.ports import Classifier, Delivery, TimeLeft
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.ingest.packs import ReceivedPack
from afluente.domain.datapoints import DataPoint
from afluente.migration.adapters.memory import MemoryLegacyTables, MemoryTrial
from afluente.migration.adapters.sql.constraints import MigratedFirst, SqlConstraintsManager
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables
from afluente.migration.application.canary import event_of
from afluente.migration.application.monitor import TrialMonitor
from afluente.migration.application.pages import pages
from afluente.migration.application.ports import LegacyTables
from afluente.migration.application.selection import Selection
from afluente.migration.application.shadow_classifier import ShadowClassifier, TrialObserver
from afluente.migration.application.thresholds_lookup import ThresholdsLookup
from afluente.migration.application.trial import EventKind, TrialCounts
from afluente.migration.domain.mapping import BOUNDS
from afluente.migration.domain.thresholds import SensorThresholds
from tests.factories import NOW
from tests.migration.legacy_service import (
    IMPOSSIBLE,
    SENSORS_A_DEVICE,
    LegacyService,
    a_legacy_service,
    create_tables,
    fill,
)
from tests.migration.moving import Moving
from tests.migration.postgres import running_postgres
from tests.unit.test_expected_classes import STREAMS, points_of

MIDDLE, WIDTH = 50.0, 30.0
ROUNDS = 10
DEVICES_A_BATCH = 10


class Tally(MemoryStreams):
    """Counts points instead of keeping them."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.late = 0

    def put(self, deliveries: Sequence[Delivery], *, time_left: TimeLeft) -> None:  # noqa: ARG002
        for delivery in deliveries:
            for point in delivery.points:
                self.reasons[f"{point.classification.value}: {point.reason.value}"] += 1
                self.late += point.late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=10_000, help="in the legacy tables (default 10,000)")
    parser.add_argument("--readings", type=int, default=100, help="of each sensor (default 100)")
    parser.add_argument("--in-memory", action="store_true", help="do without PostgreSQL")
    arguments = parser.parse_args()
    service = a_legacy_service(arguments.sensors, middle=MIDDLE, width=WIDTH)
    with ExitStack() as stack:
        tables = MemoryLegacyTables(service.sensors) if arguments.in_memory else in_postgres(service, stack)
        compare(service, tables, arguments.readings)


def in_postgres(service: LegacyService, stack: ExitStack) -> LegacyTables:
    engine = legacy_engine(stack.enter_context(running_postgres()).new_database())
    stack.callback(engine.dispose)
    create_tables(engine)
    fill(engine, service)
    return SqlLegacyTables(engine)


def compare(service: LegacyService, tables: LegacyTables, readings: int) -> None:
    sensors = [its for page in pages(tables, Selection()) for its in page.sensors]
    moving = Moving(*sensors)
    moving.run()
    trial, compared = MemoryTrial(), list[TrialCounts]()
    both = shadow_classifier(moving, tables, trial, compared)
    print(f"{len(sensors):,} sensors, {len(sensors) * readings:,} readings\n")
    print("| classified by | readings | processor seconds | readings a second | µs a reading |\n|---|---|---|---|---|")
    constraints = ConstraintClassifier(ConstraintsLookup(moving.constraints, ttl_seconds=3600, clock=time.monotonic))
    by_constraints = run("constraints alone", constraints, sensors, readings)
    by_thresholds = run("legacy rules alone", shadow_classifier(moving, tables, MemoryTrial(), []), sensors, readings)
    switch_on(trial)
    shadow = run("both, compared", both, sensors, readings)
    counts = sum_of(compared)
    report(service, shadow, trial, counts)
    sound = sum(by_constraints.reasons.values()) == sum(by_thresholds.reasons.values()) == sum(shadow.reasons.values())
    print(f"the same number of points came out of each: {'yes' if sound else 'NO'}")
    if not sound or counts.differences or counts.errors:
        raise SystemExit("thresholds and constraints differ for these readings")


def shadow_classifier(
    moving: Moving, tables: LegacyTables, store: MemoryTrial, compared: list[TrialCounts]
) -> ShadowClassifier:
    thresholds = ThresholdsLookup(tables, ttl_seconds=3600, clock=time.monotonic)
    by_sql = SqlConstraintsManager(thresholds.find, on_contradiction=lambda *_: None)
    return ShadowClassifier(
        thresholds=thresholds,
        constraints=ConstraintsLookup(
            MigratedFirst(moving.constraints, by_sql), ttl_seconds=3600, clock=time.monotonic
        ),
        monitor=TrialMonitor(
            store, clock=time.monotonic, now=time.time, on_event=lambda _: None, on_unavailable=lambda _: None
        ),
        observer=TrialObserver(contradiction=lambda *_: None, error=print, compared=compared.append),
        timer=time.perf_counter,
        settling_seconds=0,
    )


def switch_on(store: MemoryTrial) -> None:
    before = store.settings()
    after = before.in_next_step(time.time(), shadow=True)
    counts = TrialCounts()
    store.save(after, event_of(EventKind.SHADOW_ON, before, after, counts=counts, now=time.time(), by="cli", why=""))


def run(name: str, classifier: Classifier, sensors: Sequence[SensorThresholds], readings: int) -> Tally:
    """Classify all readings; the processor's time of the use case is measured, not that of making the readings."""
    streams, seconds, count = Tally(), 0.0, 0
    classify = MemoryClassifier(classifier, streams=streams, clock=lambda: NOW)
    for number, packs in enumerate(batches(sensors, readings)):
        received = [ReceivedPack(f"m{number}", "1-of-64", number, pack) for pack in packs]
        count += sum(map(len, packs))
        began = time.process_time()
        result = classify(*received)
        seconds += time.process_time() - began
        if result.failed:
            raise SystemExit(f"packs failed: {result.failed}")
    print(f"| {name} | {count:,} | {seconds:.1f} | {count / seconds:,.0f} | {seconds / count * 1e6:.2f} |", flush=True)
    return streams


def sum_of(compared: list[TrialCounts]) -> TrialCounts:
    total = TrialCounts()
    for counts in compared:
        total = total.plus(counts)
    return total


def report(service: LegacyService, streams: Tally, trial: MemoryTrial, counts: TrialCounts) -> None:
    contradictory = len(service.of(*IMPOSSIBLE))
    print(f"\ncompared {counts.compared:,}, errors {counts.errors:,}, differences {counts.differences:,}")
    print(
        f"not compared: {sum(streams.reasons.values()) - counts.compared:,} points of {contradictory:,} sensors "
        "whose thresholds contradict each other"
    )
    for noted in trial.differences(1):
        print(f"  {noted.count:,}x {noted.example}")
    print(f"late {streams.late:,}; " + ", ".join(f"{reason} {n:,}" for reason, n in sorted(streams.reasons.items())))


# --- readings --------------------------------------------------------------------------------------------------------


def batches(sensors: Sequence[SensorThresholds], readings: int) -> Iterator[list[tuple[DataPoint, ...]]]:
    """Packs of a device each, as they would come: every device a part of its readings, then the next part."""
    devices = [sensors[i : i + SENSORS_A_DEVICE] for i in range(0, len(sensors), SENSORS_A_DEVICE)]
    part = -(-readings // ROUNDS)
    for begin in range(0, readings, part):
        for first in range(0, len(devices), DEVICES_A_BATCH):
            yield [
                tuple(point for its in device for point in points_of_sensor(its, readings)[begin : begin + part])
                for device in devices[first : first + DEVICES_A_BATCH]
            ]


def points_of_sensor(its: SensorThresholds, readings: int) -> list[DataPoint]:
    """Points of a sensor in order of arrival; the same for the same sensor."""
    sensor = its.sensor
    chance = random.Random(sensor.sensor_id)  # noqa: S311 - the same each time is what is wanted
    series = scaled_series(sorted(STREAMS)[sensor.sensor_id % len(STREAMS)])
    begin = chance.randrange(len(series))
    found: list[tuple[float, float]] = []
    for number in range(readings):
        seconds, value = series[(begin + number) % len(series)]
        at = NOW + number * seconds
        before = found[-1] if found else (at, value)
        found.append(disturbed(chance, its, (at, value), before))
    key = sensor.key
    return [
        DataPoint(
            domain=key.domain,
            source_id=key.source_id,
            stream_id=key.stream_id,
            value=value,
            timestamp=at,
            stream_type=sensor.sensor_type,
            ingested_at=NOW,
        )
        for at, value in found
    ]


def disturbed(
    chance: random.Random, its: SensorThresholds, reading: tuple[float, float], before: tuple[float, float]
) -> tuple[float, float]:
    """A reading as it is most of the time; or exactly at a bound, at a delta, far off, late, or the one before."""
    (at, value), (at_before, value_before) = reading, before
    kind = chance.randrange(100)
    if kind in (0, 1) and its.alert is not None:
        bounds = [bound for name in BOUNDS if (bound := getattr(its.alert, name)) is not None]
        return at, chance.choice(bounds or [value])
    if kind in (2, 3) and its.delta is not None and its.delta.abs_delta is not None:
        return at, value_before + its.delta.abs_delta
    if kind == 4:
        return at, chance.uniform(-10, 10) * WIDTH
    if kind == 5:
        return at_before - chance.uniform(0, 3600), value
    if kind == 6:
        return before
    return reading


@cache
def scaled_series(key: str) -> Sequence[tuple[float, float]]:
    """A real series: seconds between its points, and values that reach a little beyond where thresholds are."""
    points = points_of(key)
    ordered = sorted(point.value for point in points)
    low, high = ordered[len(ordered) // 50], ordered[-len(ordered) // 50]
    middle, half = (low + high) / 2, (high - low) / 2 or 1
    usual = sorted(after.timestamp - before.timestamp for before, after in pairwise(points))
    seconds = usual[len(usual) // 2]
    return [(seconds, MIDDLE + (point.value - middle) / half * WIDTH) for point in points]


if __name__ == "__main__":
    main()
