"""Brings the constraints of a deployment to what a file says."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec

from afluente.application.constraint_documents import ConstraintEntry
from afluente.application.ports import ConstraintsCatalogue

_WRITERS = 8


class Counts(msgspec.Struct, frozen=True):
    """What applying a file has changed."""

    created: int
    updated: int
    unchanged: int


class OnWritten(Protocol):
    """Called after each entry that was written."""

    def __call__(self) -> None: ...


def apply(
    catalogue: ConstraintsCatalogue, entries: Sequence[ConstraintEntry], on_planned: Callable[[int], OnWritten]
) -> Counts:
    """Write the entries that are new or differ; what a file does not name stays as it is.

    Args:
        catalogue: the constraints of the deployment.
        entries: each scope once.
        on_planned: called with the number of entries that will be written; returns what is called after each of them.
    """
    present = catalogue.fetch([entry.scope for entry in entries])
    changed = [entry for entry in entries if entry.scope not in present or present[entry.scope].config != entry.config]
    on_written = on_planned(len(changed))

    def write(entry: ConstraintEntry) -> None:
        catalogue.put(entry.scope, entry.config)
        on_written()

    with ThreadPoolExecutor(_WRITERS) as pool:
        for done in [pool.submit(write, entry) for entry in changed]:
            done.result()
    created = sum(entry.scope not in present for entry in changed)
    return Counts(created, len(changed) - created, len(entries) - len(changed))
