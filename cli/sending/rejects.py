"""Rejected points: the first of them are shown, all of them are written to a file."""

from collections.abc import Sequence
from typing import IO

import msgspec
from rich.console import Console

from cli.sending.points import Fault, Rejected, SentPoint, Unreadable

_SHOWN = 10


class RejectedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the file of rejected points.

    Attributes:
        line: place of the point in the input, from 1.
        faults: everything that is wrong with it.
        point: the point, if there is one.
        text: the line or row, if there is none.
    """

    line: int
    faults: tuple[Fault, ...]
    point: SentPoint | msgspec.Raw | None = None
    text: str | None = None


class Rejects:
    """Shows and writes rejected points.

    Args:
        console: for the first ones.
        file: for all of them, as NDJSON; None for none.
    """

    def __init__(self, console: Console, file: IO[bytes] | None) -> None:
        self._console = console
        self._file = file
        self._left = _SHOWN

    def add(self, rejected: Sequence[Rejected | Unreadable]) -> None:
        """Show and write rejected points."""
        for one in map(_line, rejected):
            if self._file is not None:
                self._file.write(msgspec.json.encode(one) + b"\n")
            self._show(one)

    def _show(self, one: RejectedLine) -> None:
        if self._left == 0:
            return
        self._left -= 1
        for fault in one.faults:
            where = f"line {one.line}: {fault.field}: "
            self._console.print(f"[yellow]rejected[/] {where}", end="")
            self._console.print(f"{fault.message} ({fault.code})", markup=False, soft_wrap=True)
        if self._left == 0:
            self._console.print("[dim]further rejected points are not shown; --rejects FILE writes all of them[/]")


def _line(one: Rejected | Unreadable) -> RejectedLine:
    if isinstance(one, Unreadable):
        return RejectedLine(one.line, one.faults, text=one.text)
    return RejectedLine(one.line, one.faults, point=one.point)
