"""A file of constraints is written over the API: all of it, or nothing if an entry has faults."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import TimeRemainingColumn

from afluente.application.constraints.documents import ConstraintEntry
from cli.constraints.api import ConstraintsApi
from cli.constraints.files import load
from cli.constraints.rendering import show_faults
from cli.constraints.updates import Counts
from cli.core.errors import CommandError
from cli.core.output import err
from cli.core.progress import bars

_SHOWN_FROM = 100
"""Number of entries from which on a bar is shown."""


def entries_without_faults(file: Path) -> list[ConstraintEntry]:
    """The entries of a file.

    Raises:
        CommandError: some have faults, which are shown.
    """
    entries, faulty = load(file)
    if faulty:
        show_faults(faulty)
        raise CommandError(
            f"{len(faulty)} of {len(entries) + len(faulty)} entries have faults; nothing was written",
            hint="correct them; 'afluente constraints validate FILE' checks without writing",
        )
    return entries


def apply_entries(constraints: ConstraintsApi, entries: Sequence[ConstraintEntry]) -> Counts:
    """Write the entries that are new or differ, with a bar if there are many.

    Raises:
        CommandError: not all are written.
    """
    with bars(err(), TimeRemainingColumn(), is_shown=len(entries) >= _SHOWN_FROM) as progress:
        task = progress.add_task("writing", total=len(entries))
        return constraints.apply(entries, lambda written: progress.advance(task, written))
