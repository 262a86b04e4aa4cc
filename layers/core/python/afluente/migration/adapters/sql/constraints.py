"""The old service's tables as a store of constraints."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from afluente.application.constraints.ports import ConstraintsStore
from afluente.domain.constraints import Baseline, VersionedConfig
from afluente.domain.faults import Fault, FaultyError
from afluente.domain.stream_keys import StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.mapping import to_constraints
from afluente.migration.domain.thresholds import SensorThresholds

FindThresholds = Callable[[Iterable[StreamKey]], Mapping[StreamKey, SensorThresholds | None]]
"""`OldTables.find`, or a look-up that remembers what it gave."""

_OF_DOMAIN = f"{LEGACY_DOMAIN}/"


class SqlConstraintsManager:
    """Reads the constraints of streams out of the old thresholds: the same store as the table, for streams alone.

    A stream's version is when its thresholds were changed last, in whole milliseconds; its baseline, the sensor's last
    reading within its physical range. Thresholds that contradict each other are no constraints.

    Args:
        find: finds thresholds.
        on_contradiction: is told of a stream whose thresholds contradict each other, with how, each time it is read.
    """

    def __init__(self, find: FindThresholds, *, on_contradiction: Callable[[StreamKey, Sequence[Fault]], None]) -> None:
        self._find = find
        self._on_contradiction = on_contradiction

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """See `ConstraintsStore.fetch`."""
        # Templates are of no stream: the old service had none.
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
    """The table of constraints, and of streams that it knows nothing of, the old thresholds.

    A stream moves by being written into the table. Where there are no old thresholds either, its templates decide.
    """

    def __init__(self, table: ConstraintsStore, old: ConstraintsStore) -> None:
        self._table = table
        self._old = old

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """See `ConstraintsStore.fetch`."""
        wanted = list(scopes)
        found = dict(self._table.fetch(wanted))
        return found | dict(self._old.fetch([scope for scope in wanted if scope not in found]))
