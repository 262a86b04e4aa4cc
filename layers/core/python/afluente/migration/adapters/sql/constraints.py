"""The legacy tables as a store of constraints."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from afluente.application.constraints.ports import ConstraintsStore
from afluente.domain.constraints import Baseline, VersionedConfig
from afluente.domain.faults import Fault, FaultyError
from afluente.domain.stream_keys import StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.mapping import to_constraints
from afluente.migration.domain.thresholds import SensorThresholds

FindThresholds = Callable[[Iterable[StreamKey]], Mapping[StreamKey, SensorThresholds | None]]
"""`LegacyTables.find`, or a cached look-up."""

_OF_DOMAIN = f"{LEGACY_DOMAIN}/"


class SqlConstraintsManager:
    """Maps the thresholds of streams to constraints on each read; it has no constraints of other scopes.

    A version is the time of the last change of the thresholds, in whole milliseconds; a baseline is the sensor's last
    reading within its physical range. Thresholds that contradict each other have no constraints.

    Args:
        find: finds thresholds.
        on_contradiction: called with a stream whose thresholds contradict each other and the faults, at each read.
    """

    def __init__(self, find: FindThresholds, *, on_contradiction: Callable[[StreamKey, Sequence[Fault]], None]) -> None:
        self._find = find
        self._on_contradiction = on_contradiction

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        # Scopes of templates are not of a stream: the legacy service has no templates.
        streams = {scope: StreamKey.parse(scope) for scope in scopes if scope.startswith(_OF_DOMAIN)}
        if not streams:
            return {}
        thresholds = self._find(streams.values())
        found = {scope: self._config(key, thresholds.get(key)) for scope, key in streams.items()}
        return {scope: config for scope, config in found.items() if config}

    def _config(self, key: StreamKey, thresholds: SensorThresholds | None) -> VersionedConfig | None:
        if thresholds is None:
            return None
        try:
            mapped = to_constraints(thresholds)
        except FaultyError as error:
            self._on_contradiction(key, error.faults)
            return None
        if mapped is None:
            return None
        latest = thresholds.latest
        baseline = Baseline(latest.timestamp, latest.value) if latest else None
        return VersionedConfig(mapped.config, round(thresholds.updated_at * 1000), baseline)


class MigratedFirst:
    """The table of constraints, and for streams without an entry there the legacy thresholds.

    A stream moves by an entry in the table. Without thresholds as well, its templates apply.
    """

    def __init__(self, table: ConstraintsStore, legacy: ConstraintsStore) -> None:
        self._table = table
        self._legacy = legacy

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        wanted = list(scopes)
        found = dict(self._table.fetch(wanted))
        return found | dict(self._legacy.fetch([scope for scope in wanted if scope not in found]))
