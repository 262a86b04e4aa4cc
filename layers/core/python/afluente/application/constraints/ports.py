"""Ports of constraints: the store that the classifier reads, and the catalogue that is written to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from afluente.application.constraints.history import ConstraintsChange
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig


class ConstraintsStore(Protocol):
    """Constraints by scope (`afluente.application.constraints.scopes`)."""

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """The constraints of those scopes that have any.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...


class StaleConstraintsError(Exception):
    """The constraints of a scope are not of the expected version; they were left as they are."""


class ConstraintsCatalogue(ConstraintsStore, Protocol):
    """Constraints that can be listed and changed, in the name of one author.

    Each change, deletions included, has a version, one more than the change before. A change and its entry in the
    history are written together or not at all.
    """

    def put(
        self,
        scope: str,
        config: StreamConfig,
        *,
        baseline: Baseline | None = None,
        expected_version: int | None = None,
        restored: int | None = None,
    ) -> int:
        """Write the constraints of a scope.

        Args:
            scope: of the constraints.
            config: the constraints.
            baseline: of the stream, from before its first point; None leaves the stored one.
            expected_version: of the present constraints, 0 for none; None to replace any.
            restored: the version that a roll back restores.

        Returns:
            Their version.

        Raises:
            StaleConstraintsError: they are not of the expected version.
            UnavailableError: the store does not answer, or other writers are faster in every attempt.
        """
        ...

    def put_all(self, configs: Sequence[tuple[str, StreamConfig]]) -> Sequence[int]:
        """Write the constraints of many scopes, each named once, whatever their present version.

        Returns:
            Their versions, in order.

        Raises:
            UnavailableError: as for `put`; some may be written, and writing all of them again is safe.
        """
        ...

    def changed_at(self, scope: str) -> float | None:
        """The time of the last change of the constraints of a scope, in Unix seconds; None if there are none."""
        ...

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        """Delete the constraints of a scope; True if there were any.

        Raises:
            StaleConstraintsError: they are not of the expected version.
            UnavailableError: as for `put`.
        """
        ...

    def list(self) -> Iterable[tuple[str, VersionedConfig]]:
        """Every scope with its constraints, in no order."""
        ...

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        """Scopes of a domain that have constraints, in the order of their characters, eventually consistent.

        Args:
            domain: of the scopes.
            start: of the range.
            end: of the range, exclusive; itself no scope.
            limit: number of scopes.
        """
        ...

    def history(self, scope: str, *, before: int | None = None, limit: int) -> Sequence[ConstraintsChange]:
        """Changes of the constraints of a scope, the newest first.

        Args:
            scope: of the constraints.
            before: the version before which to begin; None for the newest.
            limit: number of changes.
        """
        ...
