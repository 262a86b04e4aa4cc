"""What becomes of a sensor, by what the old tables, the constraints and the last record say; writes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from afluente.application.constraints.ports import ConstraintsStore
from afluente.application.constraints.scopes import lookup_order, of_stream
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig
from afluente.domain.faults import Fault, FaultyError
from afluente.migration.application.differences import differences, is_same
from afluente.migration.application.ports import LegacyTables, MigrationRecords
from afluente.migration.application.records import (
    NOTHING_THERE,
    Origin,
    Prospect,
    SensorRecord,
    Status,
    hash_of_constraints,
    hash_of_rows,
)
from afluente.migration.application.selection import Selection
from afluente.migration.domain.mapping import METADATA, Mapped, judgement, to_constraints
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds

PAGE = 500
"""Sensors that are looked at together."""


class Choice(msgspec.Struct, frozen=True):
    """How sensors are moved.

    Attributes:
        overwrite_conflicts: constraints that did not come from the old tables are replaced.
        refresh_baselines: the last readings are written again where they are newer.
    """

    overwrite_conflicts: bool = False
    refresh_baselines: bool = False

    def __str__(self) -> str:
        return f"overwrite_conflicts={self.overwrite_conflicts} refresh_baselines={self.refresh_baselines}"


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a sensor.

    Attributes:
        thresholds: all that the old tables hold of it.
        prospect: what becomes of it.
        scope: of its constraints; empty where it can have none.
        config: the constraints that are to be there; None for none.
        writes: whether the constraints have to be written or taken away for that.
        remembers: whether its record has to be written.
        leaves: a scope that it had before and that is to be taken away: it is part of another device now.
        baseline: the reading that is written with the constraints.
        origin: where the constraints come from then.
        adjusted: what is written otherwise than in the tables, though no reading is judged otherwise for it.
        faults: why it is impossible, by column.
        notes: what people should know: how a conflict differs, what will judge the sensor instead.
        present: the constraints that are there.
        record: what is remembered of it.
    """

    thresholds: SensorThresholds
    prospect: Prospect
    scope: str = ""
    config: StreamConfig | None = None
    writes: bool = False
    remembers: bool = False
    leaves: str | None = None
    baseline: Baseline | None = None
    origin: Origin = Origin.OLD_TABLES
    adjusted: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    present: VersionedConfig | None = None
    record: SensorRecord | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why a sensor cannot be moved, a sentence each."""
        return (*(f"{fault.field}: {fault.message}" for fault in self.faults), *self.notes)


class Assessor:
    """Looks at a page of sensors with a few requests."""

    def __init__(self, *, constraints: ConstraintsStore, records: MigrationRecords) -> None:
        self._constraints = constraints
        self._records = records

    def assess(self, page: Sequence[SensorThresholds], choice: Choice = Choice()) -> list[Assessment]:  # noqa: B008 - frozen
        """What becomes of each of the sensors.

        Raises:
            UnavailableError: the store of one or the other does not answer.
        """
        records = self._records.fetch(thresholds.sensor.sensor_id for thresholds in page)
        present = self._constraints.fetch({*_scopes(page), *(record.scope for record in records.values())})
        return [_assess(thresholds, present, records.get(thresholds.sensor.sensor_id), choice) for thresholds in page]


def pages(tables: LegacyTables, selection: Selection, *, after: int | None = None) -> "Iterator[Page]":
    """The sensors by ascending id, a page at a time; of a page those that the selection takes."""
    while sensors := tables.sensors(after=after, limit=PAGE):
        after = sensors[-1].sensor.sensor_id
        yield Page([its for its in sensors if selection.takes(its.sensor)], after, len(sensors))


class Page(msgspec.Struct, frozen=True):
    """Some sensors.

    Attributes:
        sensors: those that were selected.
        last_id: of the last sensor, whether selected or not.
        looked_at: how many sensors there were, whether selected or not.
    """

    sensors: Sequence[SensorThresholds]
    last_id: int
    looked_at: int


def scope_of(thresholds: SensorThresholds) -> str:
    """The scope of a sensor's constraints.

    Raises:
        FaultyError: the sensor cannot have any.
    """
    return of_stream(thresholds.sensor.key)


def baseline_of(latest: LatestReading | None) -> Baseline | None:
    """The last reading as the baseline of a stream."""
    return Baseline(latest.timestamp, latest.value) if latest else None


def with_metadata_of(config: StreamConfig, present: VersionedConfig | None) -> StreamConfig:
    """The constraints with what people keep beside those that they replace."""
    if present is None:
        return config
    return msgspec.structs.replace(config, metadata={**present.config.metadata, **config.metadata})


def _scopes(page: Iterable[SensorThresholds]) -> set[str]:
    """All scopes that decide on the sensors: of the streams, and of the templates that stand in for them."""
    scopes: set[str] = set()
    for thresholds in page:
        sensor = thresholds.sensor
        try:
            scopes.update(lookup_order(sensor.key, sensor.sensor_type or None))
        except FaultyError:
            continue
    return scopes


class _Case(msgspec.Struct, frozen=True):
    """A sensor, and what is known of it.

    Attributes:
        thresholds: all that the old tables hold of it.
        scope: of its constraints.
        mapped: its thresholds as constraints.
        present: the constraints that are there.
        known: what is remembered of it in this scope, if it is migrated.
        choice: how sensors are moved.
    """

    thresholds: SensorThresholds
    scope: str
    mapped: Mapped | None
    present: VersionedConfig | None
    known: SensorRecord | None
    choice: Choice

    @property
    def constraints_hash(self) -> str:
        return hash_of_constraints(self.present.config if self.present else None)

    @property
    def is_as_migrated(self) -> bool:
        """Whether the constraints came from the old tables, or were the same, and nobody has changed them since."""
        known = self.known
        return (
            known is not None and known.origin is not Origin.BEFORE and known.constraints_hash == self.constraints_hash
        )

    @property
    def is_remembered(self) -> bool:
        """Whether the record says of both sides what they hold."""
        known = self.known
        return (
            known is not None
            and known.rows_hash == hash_of_rows(self.thresholds)
            and known.constraints_hash == self.constraints_hash
        )

    @property
    def is_followed(self) -> bool:
        """Whether somebody changed the constraints and the old tables have followed, as far as they can."""
        return self.known is not None and self.known.origin is Origin.CONSTRAINTS and self.is_remembered

    def found(self, prospect: Prospect, **fields: Any) -> Assessment:
        adjusted = self.mapped.adjusted if self.mapped else ()
        return Assessment(thresholds=self.thresholds, prospect=prospect, scope=self.scope, adjusted=adjusted, **fields)


def _assess(
    thresholds: SensorThresholds,
    all_present: Mapping[str, VersionedConfig],
    record: SensorRecord | None,
    choice: Choice,
) -> Assessment:
    scope = ""
    try:
        scope = scope_of(thresholds)
        mapped = to_constraints(thresholds)
    except FaultyError as error:
        return Assessment(
            thresholds=thresholds, prospect=Prospect.IMPOSSIBLE, scope=scope, faults=error.faults, record=record
        )
    migrated = record if record and record.status is Status.MIGRATED else None
    # What is remembered of another scope says nothing of this one.
    moved = migrated if migrated and migrated.scope != scope else None
    case = _Case(thresholds, scope, mapped, all_present.get(scope), None if moved else migrated, choice)
    found = _looked_at(case)
    if mapped is None and case.present is None:
        found = _with_notes(found, _templates(thresholds, all_present))
    if found.prospect is Prospect.CONFLICT and choice.overwrite_conflicts:
        prospect = Prospect.REMOVE if mapped is None else Prospect.UPDATE
        found = msgspec.structs.replace(found, prospect=prospect, writes=True, remembers=True)
    if moved and found.prospect is not Prospect.CONFLICT:
        found = _leaving(found, moved, all_present.get(moved.scope))
    return msgspec.structs.replace(found, record=record, present=case.present)


def _looked_at(case: _Case) -> Assessment:
    if case.mapped is None:
        return _without_thresholds(case)
    if case.present is None:
        return _where_nothing_is(case, case.mapped)
    if is_same(case.mapped.config, case.present.config):
        return _where_the_same_is(case, case.present)
    return _where_something_else_is(case, case.mapped, case.present)


def _without_thresholds(case: _Case) -> Assessment:
    """Nothing is in force; what was written from the old tables goes."""
    if case.present is None:
        # Gone, and not remembered to be: whoever took them away died before that, or was a person.
        is_news = case.known is not None and case.known.constraints_hash != NOTHING_THERE
        return case.found(Prospect.REMOVE if is_news else Prospect.NOTHING, remembers=not case.is_remembered)
    if case.is_as_migrated:
        return case.found(Prospect.REMOVE, writes=True, remembers=True)
    if judgement(case.present.config) == judgement(None):
        config, origin = case.present.config, Origin.BEFORE
        return case.found(Prospect.NOTHING, remembers=not case.is_remembered, config=config, origin=origin)
    note = "no thresholds are in force, but there are constraints that did not come from them"
    return case.found(Prospect.CONFLICT, notes=(note,))


def _where_nothing_is(case: _Case, mapped: Mapped) -> Assessment:
    fields = {"config": mapped.config, "baseline": baseline_of(case.thresholds.latest)}
    if case.known is None or case.known.constraints_hash == NOTHING_THERE:
        return case.found(Prospect.MIGRATE, writes=True, remembers=True, **fields)
    note = "its constraints were taken away by hand since they were migrated"
    return case.found(Prospect.CONFLICT, notes=(note,), **fields)


def _where_the_same_is(case: _Case, present: VersionedConfig) -> Assessment:
    """Nothing to write but, at first sight or where it is asked for, the baseline."""
    known = case.known
    is_ours = METADATA in present.config.metadata
    is_strange = known is None and not is_ours
    latest = baseline_of(case.thresholds.latest)
    is_newer = latest is not None and latest != present.baseline
    refreshed = is_newer and (is_strange or case.choice.refresh_baselines)
    if known is None:
        # Ours without a record: whoever wrote it died before it was remembered.
        prospect = Prospect.MIGRATE if is_ours else Prospect.UNCHANGED
        origin = Origin.OLD_TABLES if is_ours else Origin.BEFORE
    else:
        is_news = refreshed or known.constraints_hash != case.constraints_hash
        prospect = Prospect.UPDATE if is_news else Prospect.UNCHANGED
        origin = Origin.OLD_TABLES if is_ours else known.origin
    return case.found(
        prospect,
        config=present.config,
        writes=refreshed,
        remembers=refreshed or not case.is_remembered,
        baseline=latest if refreshed else present.baseline,
        origin=origin,
        notes=("its baseline is added",) if refreshed and is_strange else (),
    )


def _where_something_else_is(case: _Case, mapped: Mapped, present: VersionedConfig) -> Assessment:
    if case.is_followed and not case.choice.overwrite_conflicts:
        # A column was too narrow for what somebody wrote: it stays here.
        fields = {"config": present.config, "baseline": present.baseline, "origin": Origin.CONSTRAINTS}
        return case.found(Prospect.UNCHANGED, **fields)
    latest = baseline_of(case.thresholds.latest)
    kept = present.baseline if case.known and not case.choice.refresh_baselines else None
    fields = {"config": with_metadata_of(mapped.config, present), "baseline": kept or latest or present.baseline}
    if case.is_as_migrated:
        return case.found(Prospect.UPDATE, writes=True, remembers=True, **fields)
    differing = differences(mapped.config, present.config, strict=False)
    differing = differing or differences(mapped.config, present.config, strict=True)
    return case.found(Prospect.CONFLICT, notes=tuple(str(difference) for difference in differing), **fields)


def _leaving(found: Assessment, moved: SensorRecord, there: VersionedConfig | None) -> Assessment:
    """The sensor is part of another device now: what was written for its old stream goes, unless changed since."""
    told = msgspec.structs.replace(found, remembers=True)
    if there is None:
        return told
    if moved.constraints_hash != hash_of_constraints(there.config):
        return _with_notes(told, (f"it was {moved.scope} before; the constraints there were changed since and stay",))
    told = _with_notes(told, (f"it was {moved.scope} before; the constraints there are taken away",))
    prospect = Prospect.REMOVE if found.prospect is Prospect.NOTHING else found.prospect
    return msgspec.structs.replace(told, prospect=prospect, leaves=moved.scope)


def _templates(thresholds: SensorThresholds, present: Mapping[str, VersionedConfig]) -> tuple[str, ...]:
    sensor = thresholds.sensor
    template = next(
        (scope for scope in lookup_order(sensor.key, sensor.sensor_type or None)[1:] if scope in present), None
    )
    if template is None:
        return ()
    return (f"no thresholds are in force, so the template {template} will judge it",)


def _with_notes(found: Assessment, notes: tuple[str, ...]) -> Assessment:
    return msgspec.structs.replace(found, notes=(*found.notes, *notes))
