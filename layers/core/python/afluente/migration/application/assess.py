"""The assessment of sensors: the change that a run makes, by legacy tables, constraints and records; writes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from afluente.application.constraints.ports import ConstraintsStore
from afluente.application.constraints.scopes import lookup_order, of_stream
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig
from afluente.domain.faults import Fault, FaultyError
from afluente.migration.application.field_differences import field_differences, is_same
from afluente.migration.application.ports import MigrationRecords
from afluente.migration.application.records import (
    NOTHING_THERE,
    Origin,
    Prospect,
    SensorRecord,
    Status,
    hash_of_constraints,
    hash_of_rows,
)
from afluente.migration.domain.mapping import (
    METADATA,
    Mapped,
    effect_of,
    to_constraints,
)
from afluente.migration.domain.thresholds import LatestReading, SensorThresholds


class Choice(msgspec.Struct, frozen=True):
    """The options of a run.

    Attributes:
        overwrite_conflicts: replace constraints that did not come from the legacy tables.
        refresh_baselines: write the last readings again if they are newer.
    """

    overwrite_conflicts: bool = False
    refresh_baselines: bool = False

    def __str__(self) -> str:
        return f"overwrite_conflicts={self.overwrite_conflicts} refresh_baselines={self.refresh_baselines}"


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The assessment of a sensor.

    Attributes:
        thresholds: the sensor with all its rows.
        prospect: the change that a run makes.
        scope: of its constraints; empty if it cannot have any.
        config: its constraints after the run; None for none.
        writes: whether its constraints are written or deleted.
        records: whether its record is written.
        leaves: the scope that it had as part of another device, whose constraints are deleted.
        baseline: the reading that is written with the constraints.
        origin: of the constraints after the run.
        adjusted: each difference from the tables, in a sentence; no reading gets another class for it.
        faults: the contradictions that make it impossible, by column.
        notes: sentences for people: the differences of a conflict, the template that applies instead.
        present: its current constraints.
        record: of the last run.
    """

    thresholds: SensorThresholds
    prospect: Prospect
    scope: str = ""
    config: StreamConfig | None = None
    writes: bool = False
    records: bool = False
    leaves: str | None = None
    baseline: Baseline | None = None
    origin: Origin = Origin.LEGACY_TABLES
    adjusted: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    present: VersionedConfig | None = None
    record: SensorRecord | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons why the sensor cannot be moved, a sentence each."""
        return (*(f"{fault.field}: {fault.message}" for fault in self.faults), *self.notes)


class Assessor:
    """Assesses a page of sensors with a few requests."""

    def __init__(self, *, constraints: ConstraintsStore, records: MigrationRecords) -> None:
        self._constraints = constraints
        self._records = records

    def assess(self, page: Sequence[SensorThresholds], choice: Choice = Choice()) -> list[Assessment]:  # noqa: B008 - frozen
        """Assess each sensor of a page.

        Raises:
            UnavailableError: a store does not answer.
        """
        records = self._records.fetch(thresholds.sensor.sensor_id for thresholds in page)
        present = self._constraints.fetch({*_scopes(page), *(record.scope for record in records.values())})
        return [_assess(thresholds, present, records.get(thresholds.sensor.sensor_id), choice) for thresholds in page]


def scope_of(thresholds: SensorThresholds) -> str:
    """The scope of a sensor's constraints.

    Raises:
        FaultyError: the sensor cannot have constraints.
    """
    return of_stream(thresholds.sensor.key)


def baseline_of(latest: LatestReading | None) -> Baseline | None:
    """The last reading as the baseline of a stream."""
    return Baseline(latest.timestamp, latest.value) if latest else None


def with_metadata_of(config: StreamConfig, present: VersionedConfig | None) -> StreamConfig:
    """The constraints, with the metadata that people added to those that they replace."""
    if present is None:
        return config
    return msgspec.structs.replace(config, metadata={**present.config.metadata, **config.metadata})


def _scopes(page: Iterable[SensorThresholds]) -> set[str]:
    """The scopes of the sensors' streams, and of the templates that apply without them."""
    scopes: set[str] = set()
    for thresholds in page:
        sensor = thresholds.sensor
        try:
            scopes.update(lookup_order(sensor.key, sensor.sensor_type or None))
        except FaultyError:
            continue
    return scopes


class _Case(msgspec.Struct, frozen=True):
    """A sensor with everything that its assessment depends on.

    Attributes:
        thresholds: the sensor with all its rows.
        scope: of its constraints.
        mapped: its thresholds as constraints.
        present: its current constraints.
        known: its record in this scope, if it is migrated.
        choice: the options of the run.
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
        """True if the constraints are unchanged since they were migrated, or changed by hand and carried over."""
        known = self.known
        return (
            known is not None and known.origin is not Origin.BEFORE and known.constraints_hash == self.constraints_hash
        )

    @property
    def is_recorded(self) -> bool:
        """True if the record has the current hashes of both sides."""
        known = self.known
        return (
            known is not None
            and known.rows_hash == hash_of_rows(self.thresholds)
            and known.constraints_hash == self.constraints_hash
        )

    @property
    def is_followed(self) -> bool:
        """True if the constraints were changed by hand and the legacy tables followed, as far as they can."""
        return self.known is not None and self.known.origin is Origin.CONSTRAINTS and self.is_recorded

    def assessed(self, prospect: Prospect, **fields: Any) -> Assessment:
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
    # The record of another scope says nothing about this one.
    moved = migrated if migrated and migrated.scope != scope else None
    case = _Case(thresholds, scope, mapped, all_present.get(scope), None if moved else migrated, choice)
    found = _assess_case(case)
    if mapped is None and case.present is None:
        found = _with_notes(found, _templates(thresholds, all_present))
    if found.prospect is Prospect.CONFLICT and choice.overwrite_conflicts:
        prospect = Prospect.REMOVE if mapped is None else Prospect.UPDATE
        found = msgspec.structs.replace(found, prospect=prospect, writes=True, records=True)
    if moved and found.prospect is not Prospect.CONFLICT:
        found = _leaving(found, moved, all_present.get(moved.scope))
    return msgspec.structs.replace(found, record=record, present=case.present)


def _assess_case(case: _Case) -> Assessment:
    if case.mapped is None:
        return _without_thresholds(case)
    if case.present is None:
        return _without_constraints(case, case.mapped)
    if is_same(case.mapped.config, case.present.config):
        return _with_equivalent_constraints(case, case.present)
    return _with_other_constraints(case, case.mapped, case.present)


def _without_thresholds(case: _Case) -> Assessment:
    """No thresholds are in force: migrated constraints are deleted."""
    if case.present is None:
        # Deleted without a record of it: by a run that was killed before it wrote the record, or by a person.
        is_unrecorded = case.known is not None and case.known.constraints_hash != NOTHING_THERE
        return case.assessed(Prospect.REMOVE if is_unrecorded else Prospect.NOTHING, records=not case.is_recorded)
    if case.is_as_migrated:
        return case.assessed(Prospect.REMOVE, writes=True, records=True)
    if effect_of(case.present.config) == effect_of(None):
        config, origin = case.present.config, Origin.BEFORE
        return case.assessed(Prospect.NOTHING, records=not case.is_recorded, config=config, origin=origin)
    note = "no thresholds are in force, but there are constraints that did not come from them"
    return case.assessed(Prospect.CONFLICT, notes=(note,))


def _without_constraints(case: _Case, mapped: Mapped) -> Assessment:
    fields = {"config": mapped.config, "baseline": baseline_of(case.thresholds.latest)}
    if case.known is None or case.known.constraints_hash == NOTHING_THERE:
        return case.assessed(Prospect.MIGRATE, writes=True, records=True, **fields)
    note = "its constraints were taken away by hand since they were migrated"
    return case.assessed(Prospect.CONFLICT, notes=(note,), **fields)


def _with_equivalent_constraints(case: _Case, present: VersionedConfig) -> Assessment:
    """Equivalent constraints exist: at most the baseline is written, at the first run or if it is to be refreshed."""
    known = case.known
    is_migrated = METADATA in present.config.metadata
    is_foreign = known is None and not is_migrated
    latest = baseline_of(case.thresholds.latest)
    is_newer = latest is not None and latest != present.baseline
    refreshed = is_newer and (is_foreign or case.choice.refresh_baselines)
    if known is None:
        # Migrated without a record: by a run that was killed before it wrote the record.
        prospect = Prospect.MIGRATE if is_migrated else Prospect.UNCHANGED
        origin = Origin.LEGACY_TABLES if is_migrated else Origin.BEFORE
    else:
        is_changed = refreshed or known.constraints_hash != case.constraints_hash
        prospect = Prospect.UPDATE if is_changed else Prospect.UNCHANGED
        origin = Origin.LEGACY_TABLES if is_migrated else known.origin
    return case.assessed(
        prospect,
        config=present.config,
        writes=refreshed,
        records=refreshed or not case.is_recorded,
        baseline=latest if refreshed else present.baseline,
        origin=origin,
        notes=("its baseline is added",) if refreshed and is_foreign else (),
    )


def _with_other_constraints(case: _Case, mapped: Mapped, present: VersionedConfig) -> Assessment:
    if case.is_followed and not case.choice.overwrite_conflicts:
        # A column was too narrow for the value of a person, which stays in the constraints.
        fields = {"config": present.config, "baseline": present.baseline, "origin": Origin.CONSTRAINTS}
        return case.assessed(Prospect.UNCHANGED, **fields)
    latest = baseline_of(case.thresholds.latest)
    kept = present.baseline if case.known and not case.choice.refresh_baselines else None
    fields = {"config": with_metadata_of(mapped.config, present), "baseline": kept or latest or present.baseline}
    if case.is_as_migrated:
        return case.assessed(Prospect.UPDATE, writes=True, records=True, **fields)
    differing = field_differences(mapped.config, present.config, strict=False)
    differing = differing or field_differences(mapped.config, present.config, strict=True)
    return case.assessed(Prospect.CONFLICT, notes=tuple(str(difference) for difference in differing), **fields)


def _leaving(found: Assessment, moved: SensorRecord, present: VersionedConfig | None) -> Assessment:
    """The sensor is part of another device now: the constraints of its former stream go, unless changed since."""
    recorded = msgspec.structs.replace(found, records=True)
    if present is None:
        return recorded
    if moved.constraints_hash != hash_of_constraints(present.config):
        note = f"it was {moved.scope} before; the constraints there were changed since and stay"
        return _with_notes(recorded, (note,))
    recorded = _with_notes(recorded, (f"it was {moved.scope} before; the constraints there are taken away",))
    prospect = Prospect.REMOVE if found.prospect is Prospect.NOTHING else found.prospect
    return msgspec.structs.replace(recorded, prospect=prospect, leaves=moved.scope)


def _templates(thresholds: SensorThresholds, present: Mapping[str, VersionedConfig]) -> tuple[str, ...]:
    sensor = thresholds.sensor
    template = next(
        (scope for scope in lookup_order(sensor.key, sensor.sensor_type or None)[1:] if scope in present), None
    )
    if template is None:
        return ()
    return (f"no thresholds are in force, so the template {template} will apply to it",)


def _with_notes(found: Assessment, notes: tuple[str, ...]) -> Assessment:
    return msgspec.structs.replace(found, notes=(*found.notes, *notes))
