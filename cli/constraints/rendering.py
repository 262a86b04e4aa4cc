"""Constraints, their history and faults, for people."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.table import Table

from cli.constraints.differences import differences, number
from cli.core.output import err
from cli.core.times import iso_time

if TYPE_CHECKING:
    from afluente.application.constraints.documents import EntryFaults
    from cli.constraints.api import Change


def show_faults(faulty: "Iterable[EntryFaults]") -> None:
    """Show the faults of entries of a file."""
    table = Table("entry", "for", "field", "fault", box=None, padding=(0, 2, 0, 0))
    for entry in faulty:
        for fault in entry.faults:
            table.add_row(str(entry.index + 1), entry.name, fault.field, f"{fault.message} ({fault.code})")
    err().print(table, markup=False)


def entries_table(entries: Iterable[Mapping[str, Any]]) -> Table:
    """Constraints, a row for each scope."""
    table = Table("for", "values", "changes", "alarm", "version", box=None, padding=(0, 2, 0, 0))
    table.columns[0].overflow = "fold"
    for entry in entries:
        name = entry.get("key") or " ".join(entry[part] for part in ("domain", "stream_type") if part in entry)
        required = entry.get("consecutive_violations_required", 3)
        alarm = f"{required} in a row,\n{number(entry.get('cooldown_seconds', 300))} s apart"
        table.add_row(
            name,
            _bounds(entry.get("value_constraints", {})),
            _bounds(entry.get("rate_constraints", {})),
            alarm,
            str(entry["version"]),
        )
    return table


def history_table(changes: "Sequence[Change]", limit: int) -> Table:
    """Changes with the fields that they changed.

    Args:
        changes: the newest first; one more than are shown, with which the last of them is compared.
        limit: how many are shown.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("version", justify="right", no_wrap=True)
    for name in ("when", "who"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    before = {change.version: older for change, older in pairwise(changes)}
    for change in changes[:limit]:
        older = before.get(change.version)
        what = [change.kind.replace("_", " ")] if change.restored is None else [f"as in version {change.restored}"]
        if change.constraints is not None:
            what += differences(older.constraints if older else None, change.constraints)
        table.add_row(str(change.version), iso_time(change.at), change.by, "\n".join(what))
    return table


def _bounds(bounds: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} {number(bound)}" for name, bound in bounds.items()) or "-"
