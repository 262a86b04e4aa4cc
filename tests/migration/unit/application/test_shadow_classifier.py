"""The shadow classifier: the points that are delivered, also where constraints differ or fail, and its counts."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf, nextafter
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.adapters.memory.classification import MemoryStates, MemoryStreams
from afluente.adapters.memory.classifier import MemoryClassifier
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.classification.classify_packs import BatchResult
from afluente.application.classification.ports import Delivery, TimeLeft
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.domain import evaluation
from afluente.domain.constraints import Baseline, ValueConstraints, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.faults import Fault
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from afluente.migration.adapters.memory import MemoryLegacyTables, MemoryTrial
from afluente.migration.adapters.sql.constraints import MigratedFirst, SqlConstraintsManager
from afluente.migration.application.canary import event_of
from afluente.migration.application.monitor import TrialMonitor
from afluente.migration.application.shadow_classifier import ShadowClassifier, TrialObserver
from afluente.migration.application.thresholds_lookup import ThresholdsLookup
from afluente.migration.application.trial import (
    DifferenceCause,
    EventKind,
    Gates,
    Phase,
    PointDifference,
    TrialCounts,
    TrialEvent,
    added,
)
from afluente.migration.domain.mapping import to_constraints
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW, Clock, a_config, a_point, a_received_pack, points
from tests.migration.thresholds import DEVICE, a_delta, all_thresholds, readings, thresholds

SENSOR = thresholds(42, warning_max=30, physical_max=50, consecutive_violations=1, cooldown_seconds=0)
CONTRADICTORY = thresholds(43, warning_min=30, warning_max=10, consecutive_violations=1)
SCOPE = f"iot/{DEVICE}/42"


class World(MemoryConstraints):
    """All that is outside, in memory; the table of constraints, the tables and the streams may be away."""

    def __init__(self, *sensors: SensorThresholds, settling_seconds: float = 0.0) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.clock = Clock(0.0)
        self.seconds_of = {"constraints": 0.0, "tables": 0.0}
        self.tables = _Tables(self, sensors or (SENSOR, CONTRADICTORY))
        self.store = MemoryTrial()
        self.states = MemoryStates()
        self.streams = _Streams(self)
        self.alarms = MemoryAlarms()
        self.contradictions: list[tuple[str, Sequence[Fault]]] = []
        self.errors: list[Exception] = []
        self.compared: list[TrialCounts] = []
        self.events: list[TrialEvent] = []
        lookup = ThresholdsLookup(self.tables, ttl_seconds=60, clock=self.clock)
        by_sql = SqlConstraintsManager(lookup.find, on_contradiction=lambda *_: None)
        self.classifier = ShadowClassifier(
            thresholds=lookup,
            constraints=ConstraintsLookup(MigratedFirst(self, by_sql), ttl_seconds=60, clock=self.clock),
            monitor=TrialMonitor(
                self.store,
                clock=self.clock,
                now=lambda: NOW + self.clock.now,
                on_event=self.events.append,
                on_unavailable=self.errors.append,
            ),
            observer=TrialObserver(
                contradiction=lambda key, faults: self.contradictions.append((str(key), faults)),
                error=self.errors.append,
                compared=self.compared.append,
            ),
            timer=self.clock,
            settling_seconds=settling_seconds,
        )
        self.numbers = 0

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        self.ask("constraints")
        return super().fetch(scopes)

    def ask(self, part: str) -> None:
        self.clock.now += self.seconds_of.get(part, 0.0)
        if part in self.away:
            raise UnavailableError(part)

    def change(self, **changes: Any) -> None:
        before = self.store.settings()
        after = before.in_next_step(NOW, **changes)
        nothing = TrialCounts()
        assert self.store.save(
            after, event_of(EventKind.SET, before, after, counts=nothing, now=NOW, by="cli", why="because")
        )

    def canary(self, share: int = 100) -> None:
        self.change(phase=Phase.RUNNING, share=share, gates=Gates(min_points=10**9, max_differences=10**9))

    def classify(self, *its_points: DataPoint) -> BatchResult:
        self.numbers += 1
        return self.classify_packs(a_received_pack(self.numbers, *its_points))

    def classify_packs(self, *packs: ReceivedPack) -> BatchResult:
        classify = MemoryClassifier(
            self.classifier, states=self.states, streams=self.streams, alarms=self.alarms, clock=Clock()
        )
        return classify(*packs)

    def classify_values(self, *values: float, sensor: int = 42, at: float = 0.0) -> BatchResult:
        return self.classify(
            *(of_sensor(value, at + second, sensor=sensor) for second, value in enumerate(values)),
        )

    def written(self) -> dict[float, str]:
        """The class of each value on the streams."""
        return {point.value: name.value for name, found in self.streams.points.items() for point in found}

    def versions(self) -> set[int | None]:
        return {point.config_version for found in self.streams.points.values() for point in found}

    def counts(self) -> TrialCounts:
        """The counts of the step, without times."""
        found = self.store.counts(self.store.settings().step)
        return msgspec.structs.replace(found, added_ms=TrialCounts().added_ms)

    def differences(self) -> list[tuple[str, int]]:
        found = self.store.differences(self.store.settings().step)
        return [(noted.example.cause.value, noted.count) for noted in found]


class _Tables(MemoryLegacyTables):
    def __init__(self, world: World, sensors: Sequence[SensorThresholds]) -> None:
        super().__init__(sensors)
        self._world = world

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        self._world.ask("tables")
        return super().find(streams)


class _Streams(MemoryStreams):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def put(self, deliveries: Sequence[Delivery], *, time_left: TimeLeft) -> None:
        self._world.ask("streams")
        super().put(deliveries, time_left=time_left)


def failed_groups(result: BatchResult) -> list[str]:
    return [failed.pack.group for failed in result.failed]


def of_sensor(value: float, at: float = 0.0, *, sensor: int = 42, **fields: Any) -> DataPoint:
    return a_point(value, at, **({"source_id": DEVICE, "stream_id": str(sensor)} | fields))


# --- thresholds, constraints or both ---------------------------------------------------------------------------------


def test_sensors_are_classified_by_their_thresholds_alone_until_there_is_a_trial() -> None:
    world = World()
    world.put(SCOPE, a_config(max_value=1))
    world.away = {"constraints"}

    world.classify_values(20, 40, 60)

    assert world.written() == {20: "normal", 40: "warning", 60: "alert"}
    assert [event.value for event in world.alarms.events] == [40, 60]
    assert (world.compared, world.counts()) == ([], TrialCounts())


def test_streams_of_no_sensor_are_classified_by_their_constraints() -> None:
    world = World()
    world.change(shadow=True)
    world.put("iot", a_config(max_value=10))
    world.put("health", a_config(max_value=1))

    world.classify(a_point(20), a_point(5, domain="health"), a_point(9, stream_id="humidity"))

    assert world.written() == {20: "alert", 5: "alert", 9: "normal"}
    assert world.compared == []


def test_streams_of_no_sensor_wait_for_their_constraints() -> None:
    world = World()
    world.away = {"constraints"}

    assert failed_groups(world.classify(a_point(20))) == ["3-of-64"]


def test_points_of_sensors_do_not_wait_with_them() -> None:
    world = World()
    world.away = {"constraints"}

    result = world.classify_packs(
        a_received_pack(1, of_sensor(40)),
        a_received_pack(1, of_sensor(20, source_id="of-no-sensor"), group="10-of-64"),
    )

    assert failed_groups(result) == ["10-of-64"]
    assert world.written() == {40: "warning"}


@pytest.mark.parametrize("shadow", [False, True])
def test_points_of_sensors_wait_for_the_legacy_tables(shadow: bool) -> None:
    world = World()
    world.change(shadow=shadow)
    world.away = {"tables"}

    assert failed_groups(world.classify_values(20)) == ["3-of-64"]
    world.away = set()
    assert world.classify_values(20).failed == []


@pytest.mark.parametrize("shadow", [False, True])
def test_points_of_other_streams_do_not_wait_with_them(shadow: bool) -> None:
    world = World()
    world.change(shadow=shadow)
    world.away = {"tables"}

    message = world.classify_packs(
        a_received_pack(1, of_sensor(20)),
        a_received_pack(1, a_point(30), group="10-of-64"),
        a_received_pack(1, a_point(40, domain="health"), group="11-of-64"),
    )

    assert failed_groups(message) == ["3-of-64"]
    assert world.written() == {30: "normal", 40: "normal"}


def test_a_source_in_the_canary_is_classified_by_both_and_gets_the_points_by_constraints() -> None:
    world = World()
    world.canary()
    world.put(SCOPE, a_config(warning_max=30, max_value=50, consecutive_violations_required=1, cooldown_seconds=0))

    world.classify_values(20, 40, 60)

    assert world.written() == {20: "normal", 40: "warning", 60: "alert"}
    assert world.versions() == {1}
    assert world.counts() == TrialCounts(points=3, compared=3, invocations=1)


def test_constraints_of_a_sensor_that_has_not_moved_are_those_of_its_thresholds() -> None:
    world = World(thresholds(42, warning_max=30, updated_at=1.5))
    world.canary()

    world.classify_values(20, 40)

    assert world.written() == {20: "normal", 40: "warning"}
    assert world.counts() == TrialCounts(points=2, compared=2, invocations=1)


def test_contradictory_thresholds_are_never_on_trial_and_are_reported() -> None:
    world = World()
    world.canary()

    world.classify_values(20, sensor=43)

    assert world.written() == {20: "warning"}
    assert [(key, [fault.field for fault in faults]) for key, faults in world.contradictions] == [
        (f"iot/{DEVICE}/43", ["alert_thresholds.warning_min"])
    ]
    assert world.counts() == TrialCounts()


def test_in_the_shadow_points_by_thresholds_are_delivered_and_differences_are_counted_by_cause() -> None:
    world = World()
    world.change(shadow=True)
    world.put(SCOPE, a_config(warning_max=25, max_value=50))

    world.classify_values(20, 27, 28, 60)

    assert world.written() == {20: "normal", 27: "normal", 28: "normal", 60: "alert"}
    assert world.counts() == TrialCounts(compared=4, invocations=1, differences=2)
    (noted,) = world.store.differences(1)
    assert noted.count == 2
    assert noted.example == PointDifference(
        stream=SCOPE,
        cause=DifferenceCause.THRESHOLDS_DIFFER,
        legacy_class=Classification.NORMAL,
        constraints_class=Classification.WARNING,
        value=27,
        timestamp=NOW - 3599,
        point_id=noted.example.point_id,
        baseline=Baseline(NOW - 3600, 20),
    )
    assert noted.example.point_id in {point.point_id for point in world.streams.points[Classification.NORMAL]}


def test_both_classify_from_the_state_of_the_points_that_are_delivered() -> None:
    world = World(thresholds(42, abs_delta=5, physical_max=50))
    world.change(shadow=True)
    world.put(SCOPE, a_config(abs_delta=5, max_value=100))

    world.classify_values(10, 70, at=0)
    world.classify_values(12, at=2)

    # By thresholds 70 is no baseline; nor is it by constraints, once points by thresholds are delivered.
    assert world.written() == {10: "normal", 70: "alert", 12: "normal"}
    assert world.counts().differences == 1


@pytest.mark.parametrize("latest", [LatestReading(10, NOW - 3700), None])
def test_a_new_stream_has_the_same_baseline_for_both(latest: LatestReading | None) -> None:
    world = World(thresholds(42, abs_delta=5, latest=latest))
    world.change(shadow=True)
    world.put(SCOPE, a_config(abs_delta=5), baseline=Baseline(NOW - 3650, 12))

    world.classify_values(16)

    assert world.written() == {16: "anomaly" if latest else "normal"}
    assert world.counts() == TrialCounts(compared=1, invocations=1)


def test_a_sensor_without_thresholds_differs_where_a_template_applies() -> None:
    world = World(thresholds(42))
    world.change(shadow=True)
    world.put("iot", a_config(warning_max=30))

    world.classify_values(40)

    assert world.written() == {40: "normal"}
    assert world.differences() == [("no_constraints", 1)]


def test_rules_follow_their_thresholds() -> None:
    world = World()
    world.classify_values(25)

    world.tables.put(thresholds(42, warning_max=20))
    world.clock.now += 61
    world.classify_values(26, at=1)

    assert world.written() == {25: "normal", 26: "warning"}


# --- failures of constraints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0, 100])
def test_without_constraints_points_by_thresholds_are_delivered_and_errors_are_counted(share: int) -> None:
    world = World()
    world.canary(share)
    world.change(shadow=True)
    world.away = {"constraints"}

    assert world.classify_values(20, 40).failed == []

    assert world.written() == {20: "normal", 40: "warning"}
    assert world.compared[0].errors == 2
    assert [str(error) for error in world.errors] == ["constraints"]


def test_where_constraints_fail_the_points_by_thresholds_are_delivered() -> None:
    world = World(SENSOR, thresholds(44, warning_max=30))
    world.canary()
    broken: Any = None
    world._configs[SCOPE] = VersionedConfig(broken, 1)

    world.classify(of_sensor(20), of_sensor(40, 1), of_sensor(41, sensor=44))

    assert world.written() == {20: "normal", 40: "warning", 41: "warning"}
    assert world.compared == [msgspec.structs.replace(world.compared[0], points=3, compared=3, errors=2)]
    assert [type(error) for error in world.errors] == [AttributeError]


def test_of_several_failures_of_a_batch_the_first_is_reported() -> None:
    world = World(SENSOR, thresholds(44, warning_max=30))
    world.canary()
    broken: Any = None
    world._configs |= {scope: VersionedConfig(broken, 1) for scope in (SCOPE, f"iot/{DEVICE}/44")}

    world.classify(of_sensor(20), of_sensor(41, sensor=44))

    assert (len(world.errors), world.compared[0].errors) == (1, 2)


# --- what is counted -------------------------------------------------------------------------------------------------


def test_points_that_come_again_are_counted_once_they_are_through() -> None:
    world = World()
    world.canary()
    world.away = {"streams"}
    assert world.classify_values(20, 40).failed != []
    assert world.compared == []

    world.away = set()
    world.numbers = 0
    world.classify_values(20, 40)
    world.numbers = 0
    assert world.classify_values(20, 40).counts.repeated == 2

    assert world.counts() == TrialCounts(points=2, compared=2, invocations=1)


def test_sources_whose_states_are_not_saved_are_not_counted() -> None:
    world = World()
    world.canary()
    batch = world.classifier.look_up({StreamKey("iot", DEVICE, "42"): None})
    batch.classify(StreamKey("iot", DEVICE, "42"), [of_sensor(20)], StreamState(), NOW)

    batch.done({f"iot/{DEVICE}"})

    assert world.compared == []


def test_the_added_time_is_that_of_constraints_less_that_of_thresholds() -> None:
    world = World()
    world.canary()
    world.seconds_of = {"constraints": 0.029, "tables": 0.010}

    world.classify_values(20)
    world.clock.now += 61
    world.classify_values(21, at=1)

    # The legacy tables are asked once; constraints find the thresholds in the cache.
    assert [counts.added_ms for counts in world.compared] == [added(0), added(19)]


def test_the_first_look_up_of_constraints_is_no_added_time() -> None:
    world = World(SENSOR, thresholds(44, warning_max=30))
    world.classify_values(20)
    world.classify_values(20, sensor=44)
    world.canary()
    world.seconds_of = {"constraints": 0.029, "tables": 0.010}
    world.clock.now += 2

    world.classify_values(21, at=1)
    world.classify(of_sensor(22, 2), of_sensor(22, 2, sensor=44))
    world.classify(of_sensor(23, 3), of_sensor(23, 3, sensor=44))

    assert [counts.added_ms for counts in world.compared] == [added(0)] * 3


def test_differences_do_not_count_while_a_change_settles() -> None:
    world = World(settling_seconds=180)
    world.change(shadow=True)
    world.put(SCOPE, a_config(warning_max=25, max_value=50))

    world.classify_values(27)
    world.clock.now += 179
    world.classify_values(27.5, at=1)
    assert world.counts() == TrialCounts(compared=2, invocations=2)
    world.clock.now += 2
    world.classify_values(28, at=2)

    assert world.differences() == [("thresholds_differ", 1)]


def test_a_change_that_shows_at_few_readings_has_no_more_time() -> None:
    world = World(settling_seconds=180)
    world.change(shadow=True)
    world.put(SCOPE, a_config(warning_max=25, max_value=50))

    world.classify_values(20)
    for second in range(1, 6):
        world.clock.now += 40
        world.classify_values(20, at=second)
    world.classify_values(27, at=6)

    assert world.differences() == [("thresholds_differ", 1)]


def test_the_next_change_has_its_time_again_once_both_agreed() -> None:
    world = World(settling_seconds=180)
    world.change(shadow=True)
    mapped = to_constraints(SENSOR)
    assert mapped
    for second, config in enumerate((a_config(max_value=25), mapped.config, a_config(max_value=25))):
        world.put(SCOPE, config)
        world.classify_values(27, at=second)
        world.clock.now += 100

    assert world.counts() == TrialCounts(compared=3, invocations=3)


def test_another_change_has_its_own_time() -> None:
    world = World(settling_seconds=180)
    world.change(shadow=True)
    for second, warning_max in enumerate((25, 25, 26, 26)):
        world.put(SCOPE, a_config(warning_max=warning_max, max_value=50))
        world.classify_values(27, at=second)
        world.clock.now += 100

    assert world.counts() == TrialCounts(compared=4, invocations=4)


# --- a defect of constraints -----------------------------------------------------------------------------------------


def test_a_wrong_comparison_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = evaluation.violated_values

    def wrong(value: float, bounds: ValueConstraints) -> Mapping[str, float]:
        return {"warning_max": value} if value == bounds.warning_max else right(value, bounds)

    monkeypatch.setattr(evaluation, "violated_values", wrong)
    # A value at its bound is looked at bound by bound.
    band = evaluation.normal_band
    monkeypatch.setattr(evaluation, "normal_band", lambda bounds: (band(bounds)[0], nextafter(band(bounds)[1], -inf)))
    world = World()
    world.change(phase=Phase.RUNNING, share=100)

    world.classify_values(29, 30, 31)

    assert world.differences() == []  # of the next step
    (noted,) = world.store.differences(1)
    assert (noted.example.cause, noted.example.value) == ("value_zone", 30)
    assert [(event.kind, event.share) for event in world.events] == [("rolled_back", 0)]
    world.classify_values(30, at=9)
    assert world.streams.points[Classification.NORMAL][-1].value == 30


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    all_thresholds,
    st.none() | st.builds(LatestReading, readings, st.just(NOW - 3600)),
    st.lists(st.lists(st.tuples(readings, st.integers(min_value=-2, max_value=9)), max_size=6), max_size=4),
    st.booleans(),
)
def test_both_agree_on_sound_thresholds_whatever_comes(
    its: SensorThresholds,
    latest: LatestReading | None,
    packs: list[list[tuple[float, int]]],
    goes_new_way: bool,
) -> None:
    its = msgspec.structs.replace(its, latest=latest)
    world = World(its)
    world.change(shadow=True, phase=Phase.RUNNING, share=100 if goes_new_way else 0)
    key = its.sensor.key
    for pack in filter(None, packs):
        world.classify(*(a_point(value, at, source_id=key.source_id, stream_id=key.stream_id) for value, at in pack))

    assert world.errors == []
    assert sum(counts.differences for counts in world.compared) == 0
    compared = sum(counts.compared for counts in world.compared)
    assert compared == (0 if world.contradictions else sum(len(found) for found in world.streams.points.values()))


def test_migrated_constraints_classify_as_the_thresholds_do() -> None:
    world = World(msgspec.structs.replace(SENSOR, deltas=(a_delta(abs_delta=3),)))
    mapped = to_constraints(world.tables.sensors()[0])
    assert mapped is not None
    world.put(SCOPE, mapped.config)
    world.change(shadow=True)

    world.classify_values(*range(0, 60, 2), 1, 35, 35, 34)
    world.classify(*points(1, 2, source_id=DEVICE, stream_id="42"))

    assert world.counts().differences == 0
    assert world.counts().compared > 30
