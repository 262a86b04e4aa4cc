"""Takes everything a reader gives to a transport, batch by batch, and keeps count."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from cli.sending.points import Outcome, Read, Readable, Rejected, Unreadable


class Transport(Protocol):
    """Takes points of one source to the service."""

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order, and return when the service has them."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class Totals(msgspec.Struct, frozen=True):
    """How far a sending is.

    Attributes:
        read: points and unreadable things of the input that are dealt with.
        inserted: points the service took.
        rejected: points the service did not take, and what was unreadable.
        line: the last line that was dealt with.
    """

    read: int = 0
    inserted: int = 0
    rejected: int = 0
    line: int = 0


def send_all(
    reads: Iterator[Read],
    transport: Transport,
    *,
    batch: int,
    begin: Totals,
    on_rejected: Callable[[Sequence[Rejected | Unreadable]], None],
    on_progress: Callable[[Totals], None],
) -> Totals:
    """Send everything, in order and `batch` points at a time.

    Args:
        reads: what a reader gives, from the beginning of the input.
        transport: takes the points.
        batch: points of one request.
        begin: what is done already; as many of `reads` are passed over.
        on_rejected: called after each batch with what was not taken, in the order of the input.
        on_progress: called after each batch, when everything up to there is dealt with.
    """
    totals = begin
    rest = itertools.islice(reads, begin.read, None)
    while taken := _take_batch(rest, batch):
        points = [read for read in taken if isinstance(read, Readable)]
        outcome = transport.send(points) if points else Outcome()
        refused: list[Rejected | Unreadable] = [*outcome.rejected]
        refused += [read for read in taken if isinstance(read, Unreadable)]
        if refused:
            on_rejected(sorted(refused, key=lambda one: one.line))
        totals = Totals(
            read=totals.read + len(taken),
            inserted=totals.inserted + outcome.inserted,
            rejected=totals.rejected + len(refused),
            line=taken[-1].line,
        )
        on_progress(totals)
    return totals


def _take_batch(reads: Iterator[Read], points: int) -> list[Read]:
    """What to deal with next: so many points with the unreadable things between them."""
    taken: list[Read] = []
    readable = 0
    for read in reads:
        taken.append(read)
        readable += isinstance(read, Readable)
        if readable == points:
            break
    return taken
