"""Constraints are written with rights in AWS, and counted by effect."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from afluente.application.constraints import changes as manage_constraints
from afluente.application.constraints.changes import Effect
from afluente.application.constraints.documents import ConstraintEntry
from afluente.application.constraints.ports import ConstraintsCatalogue


class Counts(msgspec.Struct, frozen=True):
    """Entries by effect."""

    created: int
    updated: int
    unchanged: int

    @classmethod
    def of(cls, effects: Iterable[Effect]) -> "Counts":
        """Count effects."""
        counted = Counter(effects)
        return cls(counted[Effect.CREATED], counted[Effect.UPDATED], counted[Effect.UNCHANGED])


def apply(catalogue: ConstraintsCatalogue, entries: Sequence[ConstraintEntry]) -> Counts:
    """Write the entries that are new or differ; other constraints stay.

    Args:
        catalogue: constraints of the deployment.
        entries: each scope once.
    """
    return Counts.of(its.effect for its in manage_constraints.apply(catalogue, entries))
