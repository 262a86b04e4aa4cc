"""In-memory twins of the ports of constraints."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from afluente.application.constraints.history import ChangeKind, ConstraintsChange
from afluente.application.constraints.ports import StaleConstraintsError
from afluente.application.constraints.scopes import domain_of
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig


class MemoryConstraints:
    """Constraints by scope, and their history.

    Args:
        clock: gives the time in Unix seconds.
        by: the author of changes.
    """

    def __init__(self, clock: Callable[[], float] = time.time, by: str = "memory") -> None:
        self._configs: dict[str, VersionedConfig] = {}
        self._changed_at: dict[str, float] = {}
        self._changes: dict[str, list[ConstraintsChange]] = {}
        self._lock = threading.RLock()
        self._clock = clock
        self._by = by

    def written_by(self, by: str) -> "MemoryConstraints":
        """The same constraints, for changes of another author."""
        other = MemoryConstraints(self._clock, by)
        other._configs, other._changed_at, other._changes = self._configs, self._changed_at, self._changes
        other._lock = self._lock
        return other

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        return {scope: self._configs[scope] for scope in scopes if scope in self._configs}

    def put(
        self,
        scope: str,
        config: StreamConfig,
        *,
        baseline: Baseline | None = None,
        expected_version: int | None = None,
        restored: int | None = None,
    ) -> int:
        with self._lock:
            before = self._configs.get(scope)
            if expected_version not in {None, before.version if before else 0}:
                raise StaleConstraintsError(scope)
            kind = ChangeKind.PUT if restored is None else ChangeKind.ROLL_BACK
            version = self._enter(scope, kind, msgspec.to_builtins(config), restored)
            self._configs[scope] = VersionedConfig(config, version, baseline or (before.baseline if before else None))
            self._changed_at[scope] = self._clock()
            return version

    def put_all(self, configs: Sequence[tuple[str, StreamConfig]]) -> Sequence[int]:
        return [self.put(scope, config) for scope, config in configs]

    def changed_at(self, scope: str) -> float | None:
        return self._changed_at.get(scope)

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        with self._lock:
            found = self._configs.get(scope)
            if found is None:
                return False
            if expected_version not in {None, found.version}:
                raise StaleConstraintsError(scope)
            self._enter(scope, ChangeKind.DELETE, None, None)
            del self._configs[scope], self._changed_at[scope]
            return True

    def list(self) -> Iterator[tuple[str, VersionedConfig]]:
        return iter(list(self._configs.items()))

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        found = (scope for scope in self._configs if domain_of(scope) == domain and start <= scope < end)
        return sorted(found)[:limit]

    def history(self, scope: str, *, before: int | None = None, limit: int) -> Sequence[ConstraintsChange]:
        newest_first = reversed(self._changes.get(scope, []))
        return [change for change in newest_first if before is None or change.version < before][:limit]

    def _enter(self, scope: str, kind: ChangeKind, config: dict[str, Any] | None, restored: int | None) -> int:
        changes = self._changes.setdefault(scope, [])
        version = len(changes) + 1
        changes.append(
            ConstraintsChange(
                version=version, kind=kind, at=self._clock(), by=self._by, config=config, restored=restored
            )
        )
        return version
