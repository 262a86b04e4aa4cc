"""Ports of constraints: the store that the classifier reads, and the catalogue that is written to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from afluente.application.constraints.history import ConstraintsChange
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig


class ConstraintsStore(Protocol):
    """Constraints by scope; see `afluente.application.constraints.scopes` for what a scope is."""

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """The constraints of those of the scopes that have some.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...


class StaleConstraintsError(Exception):
    """The constraints of a scope are not of the version that was expected; they were left as they are."""


class ConstraintsCatalogue(ConstraintsStore, Protocol):
    """The constraints store as those see it who write constraints, in the name of whom it was made for.

    Each change has a version, one more than the change before, deletions included: none comes twice. It is kept in the
    history together with what it changes, or nothing is changed.
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
            scope: which.
            config: the constraints.
            baseline: of the stream, from before it was known; without one, what was written with earlier constraints
                stays.
            expected_version: that the constraints have now, 0 for none; without one, whatever is there is replaced.
            restored: the version that is written again, where it is one.

        Returns:
            Their version.

        Raises:
            StaleConstraintsError: they are not of the expected version.
            UnavailableError: the store does not answer, or others write all the time.
        """
        ...

    def put_all(self, configs: Sequence[tuple[str, StreamConfig]]) -> Sequence[int]:
        """Write the constraints of many scopes, each named once, in the place of whatever is there.

        Returns:
            Their versions, in order.

        Raises:
            UnavailableError: as for `put`; some may be written, and writing all of them again is safe.
        """
        ...

    def changed_at(self, scope: str) -> float | None:
        """When the constraints of a scope were written last, in Unix seconds; None where there are none."""
        ...

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        """Take the constraints of a scope away; says whether there were any.

        Raises:
            StaleConstraintsError: there are some, and not of the expected version.
            UnavailableError: as for `put`.
        """
        ...

    def list(self) -> Iterable[tuple[str, VersionedConfig]]:
        """Every scope with its constraints, in no order."""
        ...

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        """Scopes of a domain that have constraints, the first in the order of their characters.

        Args:
            domain: which.
            start: the first that there may be.
            end: none from this one on; itself no scope.
            limit: how many.

        What was written a moment ago may be missing.
        """
        ...

    def history(self, scope: str, *, before: int | None = None, limit: int) -> Sequence[ConstraintsChange]:
        """Changes of the constraints of a scope, the newest first.

        Args:
            scope: which.
            before: the version before which they are; None for all.
            limit: how many.
        """
        ...
