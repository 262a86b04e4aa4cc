"""The legacy database is unavailable for a while: readings wait, and each is classified by its thresholds."""

import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import msgspec
import pytest

from afluente.application.ingest.packs import shard_group
from afluente.domain.datapoints import DataPoint
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.domain.mapping import class_of
from afluente.migration.domain.rules import evaluate
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds
from tests.factories import NOW
from tests.migration.legacy_service import Shape, a_legacy_service, create_tables, fill
from tests.migration.postgres import PostgresServer
from tests.outbox import Document, Outbox
from tests.reference import SHARDS
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

SENSORS = 12

Classes = dict[tuple[str, float], str]
"""The class of each reading, by its stream and time."""


class LegacyFleet:
    """Sensors of a legacy service with thresholds in its database, and the expected classes of their readings."""

    def __init__(self, url: str) -> None:
        # Of seeds nobody else has: sources are to be those of this fleet alone.
        service = a_legacy_service(2 * SENSORS, seed=secrets.randbits(32))
        # Without a last reading, so that the first one is classified by the zones alone.
        sensors = [msgspec.structs.replace(its, latest=None) for its in service.sensors]
        engine = legacy_engine(url)
        create_tables(engine)
        fill(engine, service._replace(sensors=sensors))
        engine.dispose()
        full = {its.sensor.sensor_id for its in service.of(Shape.FULL)}
        self.sensors = [its for its in sensors if its.sensor.sensor_id in full]
        self.expected: Classes = {}
        self._latest: dict[int, LatestReading] = {}

    @property
    def sources(self) -> set[str]:
        return {its.sensor.key.source for its in self.sensors}

    def readings(self, begin: float) -> Iterator[Sequence[DataPoint]]:
        """Requests of readings of every class, one a sensor; what has to come of them is known from then on."""
        for its in self.sensors:
            key = its.sensor.key
            points = [
                DataPoint(
                    domain=key.domain,
                    source_id=key.source_id,
                    stream_id=key.stream_id,
                    value=value,
                    timestamp=NOW + begin + 10 * place,
                )
                for place, value in enumerate(_values(its))
            ]
            for point in points:
                self.expected[key.stream_id, point.timestamp] = self._class_of(its, point)
            yield points

    def _class_of(self, its: SensorThresholds, point: DataPoint) -> str:
        sensor_id, alert = its.sensor.sensor_id, its.alert
        latest = self._latest.get(sensor_id)
        verdict = evaluate(point.value, point.timestamp, latest=latest, thresholds=its)
        assert alert is not None
        assert alert.physical_min is not None
        assert alert.physical_max is not None
        if alert.physical_min <= point.value <= alert.physical_max:
            self._latest[sensor_id] = LatestReading(point.value, point.timestamp)
        return class_of(verdict).value


@pytest.mark.parametrize(
    "absence",
    [
        pytest.param(PostgresServer.away, id="it is stopped"),
        pytest.param(PostgresServer.silent, id="it answers nothing"),
    ],
)
def test_readings_wait_for_the_database_and_are_classified_by_its_thresholds(
    absence: Callable[[PostgresServer], AbstractContextManager[None]],
    local_stack: LocalStack,
    outbox: Outbox,
    postgres: PostgresServer,
    source_id: str,
) -> None:
    url = postgres.new_database()
    fleet = LegacyFleet(url)
    secret = f"old-sql-{secrets.token_hex(4)}"
    local_stack.client("secretsmanager").create_secret(Name=secret, SecretString=url)
    with local_stack.configured(
        "classifier",
        AFLUENTE_USE_AGNOSTIC_CONSTRAINTS="false",
        AFLUENTE_OLD_SQL_SECRET=secret,
        # Nothing is cached: every pack asks the database.
        AFLUENTE_CONSTRAINTS_TTL_SECONDS="0",
    ):
        for points in fleet.readings(0):
            local_stack.send(points)
        local_stack.drained()
        before = classes_of(outbox, fleet)
        assert before == fleet.expected
        assert set(before.values()) == {"alert", "warning", "anomaly", "normal"}

        with absence(postgres):
            for points in fleet.readings(100):
                local_stack.send(points)
            local_stack.eventually(
                lambda: failures(local_stack, since=0) >= 3, "the database was asked again and again"
            )
            # Of another domain: nothing of it is in the database.
            ward = a_source_apart(fleet, source_id)
            local_stack.send([DataPoint(domain="health", source_id=ward, stream_id="pulse", value=60, timestamp=NOW)])
            local_stack.eventually(lambda: outbox.points(f"health/{ward}"), "points of another domain go on")
            assert classes_of(outbox, fleet) == before
            assert local_stack.packs_under_way() > 0

        for points in fleet.readings(200):
            local_stack.send(points)
        local_stack.drained()
        assert classes_of(outbox, fleet) == fleet.expected
        assert local_stack.dead_letters() == 0


def a_source_apart(fleet: LegacyFleet, name: str) -> str:
    """A source of the domain `health` that shares its message group, and so its order, with none of the fleet."""
    waiting = {shard_group(source, SHARDS) for source in fleet.sources}
    names = (f"{name}-{number}" for number in itertools.count())
    return next(one for one in names if shard_group(f"health/{one}", SHARDS) not in waiting)


def classes_of(outbox: Outbox, fleet: LegacyFleet) -> Classes:
    """The classes of the fleet's readings that were delivered, none of them without its thresholds."""
    points: list[Document] = [point for source in sorted(fleet.sources) for point in outbox.points(source)]
    assert [point for point in points if point["reason"] == "no_constraints"] == []
    return {(point["stream_id"], point["timestamp"]): point["classification"] for point in points}


def failures(stack: LocalStack, *, since: float) -> int:
    """The number of times that the classifier found the database unavailable."""
    return sum("LEGACY_TABLES_UNAVAILABLE" in line for line in stack.log_lines("classifier", since=since))


def _values(its: SensorThresholds) -> list[float]:
    """Values in every zone, and between them such as are no further from the last than the deltas allow, or are."""
    alert, delta = its.alert, its.delta
    assert alert is not None
    assert delta is not None
    bounds = [alert.warning_min, alert.warning_max, alert.threshold_max, alert.physical_max, delta.abs_delta]
    warning_min, warning_max, threshold_max, physical_max, abs_delta = (float(bound or 0) for bound in bounds)
    middle = (warning_min + warning_max) / 2
    return [
        middle,
        middle + min(abs_delta, middle / 10) / 2,
        (warning_max + threshold_max) / 2,
        (threshold_max + physical_max) / 2,
        physical_max + 1,
        middle,
        warning_min,
        warning_max,
    ]
