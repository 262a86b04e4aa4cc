"""Points between readers and transports."""

from typing import NamedTuple, Self

import msgspec


class SentPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A data point of a cell of a table, in the form of a request."""

    stream_id: str
    value: float
    timestamp: float
    stream_type: str | None = None


class Readable(NamedTuple):
    """A point that can be sent.

    Attributes:
        line: its place in the file, from 1.
        point: a `SentPoint`, or JSON that is sent as it is.
    """

    line: int
    point: SentPoint | msgspec.Raw


class Fault(msgspec.Struct, frozen=True):
    """A fault of one field of a point; the codes are those of the service."""

    code: str
    field: str
    message: str


class Unreadable(NamedTuple):
    """A line, or a row or cells of it, that is no point.

    Attributes:
        line: its place in the file, from 1.
        text: of the line or row.
        faults: everything that is wrong with it.
    """

    line: int
    text: str
    faults: tuple[Fault, ...]


Read = Readable | Unreadable
"""An item of a reader, in the order of the file."""


class Rejected(msgspec.Struct, frozen=True):
    """A point that was rejected by the service or the transport.

    Attributes:
        line: its place in the file, from 1.
        faults: everything that is wrong with it.
        point: the point.
    """

    line: int
    faults: tuple[Fault, ...]
    point: SentPoint | msgspec.Raw


class Outcome(msgspec.Struct, frozen=True):
    """The result of one or more requests: the number of accepted points, and the rejected ones."""

    inserted: int = 0
    rejected: tuple[Rejected, ...] = ()

    def __add__(self, other: Self) -> "Outcome":
        return Outcome(self.inserted + other.inserted, self.rejected + other.rejected)
