"""Sends the items of a reader over a transport, batch by batch, and counts them."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from cli.sending.points import Outcome, Read, Readable, Rejected, Unreadable


class Transport(Protocol):
    """Sends points of one source to the service."""

    def send(self, points: Sequence[Readable]) -> Outcome:
        """Send points, in this order, and return when the service has them."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class Totals(msgspec.Struct, frozen=True):
    """Counts of a file that is sent.

    Attributes:
        read: items of the reader that are done.
        inserted: points that the service accepted.
        rejected: points and items that the service or the reader rejected.
        line: the last line that is done.
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
        reads: the items of a reader, from the beginning of the input.
        transport: sends the points.
        batch: points of one request.
        begin: what is done already; as many of `reads` are skipped.
        on_rejected: called after each batch with the rejected points and items, in the order of the input.
        on_progress: called after each batch, when everything up to there is done.
    """
    totals = begin
    rest = itertools.islice(reads, begin.read, None)
    while items := _next_batch(rest, batch):
        points = [read for read in items if isinstance(read, Readable)]
        outcome = transport.send(points) if points else Outcome()
        refused: list[Rejected | Unreadable] = [*outcome.rejected]
        refused += [read for read in items if isinstance(read, Unreadable)]
        if refused:
            on_rejected(sorted(refused, key=lambda one: one.line))
        totals = Totals(
            read=totals.read + len(items),
            inserted=totals.inserted + outcome.inserted,
            rejected=totals.rejected + len(refused),
            line=items[-1].line,
        )
        on_progress(totals)
    return totals


def _next_batch(reads: Iterator[Read], points: int) -> list[Read]:
    """The next items: so many points with the unreadable items between them."""
    items: list[Read] = []
    readable = 0
    for read in reads:
        items.append(read)
        readable += isinstance(read, Readable)
        if readable == points:
            break
    return items
