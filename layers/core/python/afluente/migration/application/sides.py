"""Both sides of a moved sensor: its thresholds in the legacy tables, and its constraints."""

from typing import Any

import msgspec

from afluente.domain.constraints import StreamConfig, VersionedConfig
from afluente.domain.faults import FaultyError
from afluente.migration.application.assess import scope_of
from afluente.migration.application.records import SensorRecord, hash_of_constraints, hash_of_rows
from afluente.migration.domain.mapping import classify_alike, effect_of, to_constraints
from afluente.migration.domain.thresholds import SensorThresholds


class Sides(msgspec.Struct, frozen=True):
    """A sensor on both sides.

    Attributes:
        record: hashes of both sides when they were last equivalent.
        thresholds: None if the sensor was deleted from the legacy tables.
        present: its constraints; None without any.
    """

    record: SensorRecord
    thresholds: SensorThresholds | None
    present: VersionedConfig | None

    @property
    def config(self) -> StreamConfig | None:
        """The constraints without their version."""
        return self.present.config if self.present else None

    @property
    def tables_changed(self) -> bool:
        """True if the thresholds are not those of the record."""
        return self.record.rows_hash != hash_of_rows(self.thresholds)

    @property
    def constraints_changed(self) -> bool:
        """True if the constraints are not those of the record."""
        return self.record.constraints_hash != hash_of_constraints(self.config)

    @property
    def agree(self) -> bool:
        """True if both sides are equivalent."""
        if self.thresholds is None:
            return effect_of(self.config) == effect_of(None)
        return classify_alike(self.thresholds, self.config)

    @property
    def thresholds_contradict(self) -> bool:
        """True if no constraints are equivalent to the thresholds."""
        if self.thresholds is None:
            return False
        try:
            scope_of(self.thresholds)
            to_constraints(self.thresholds)
        except FaultyError:
            return True
        return False

    def rows(self) -> dict[str, Any]:
        """The rows in force by table, as plain values."""
        alert, delta = (self.thresholds.alert, self.thresholds.delta) if self.thresholds else (None, None)
        rows = {"alert_thresholds": msgspec.to_builtins(alert), "delta_thresholds": msgspec.to_builtins(delta)}
        return {table: row for table, row in rows.items() if row is not None}
