"""What readers give to transports."""

from typing import NamedTuple, Self

import msgspec


class SentPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A data point as the service takes it, made from a cell of a table."""

    stream_id: str
    value: float
    timestamp: float
    stream_type: str | None = None


class Readable(NamedTuple):
    """A point that can be sent.

    Attributes:
        line: where it stands in the file, from 1.
        point: a `SentPoint`, or JSON that is sent as it is.
    """

    line: int
    point: SentPoint | msgspec.Raw


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one field of a point; the codes are the service's."""

    code: str
    field: str
    message: str


class Unreadable(NamedTuple):
    """Something in the file that no point can be made of.

    Attributes:
        line: where it stands in the file, from 1.
        text: what stands there.
        fault: why it is no point.
    """

    line: int
    text: str
    fault: Fault


Read = Readable | Unreadable
"""What a reader gives, in the order of the file."""


class Rejected(msgspec.Struct, frozen=True):
    """A point that the service did not take.

    Attributes:
        line: where it stands in the file, from 1.
        faults: everything that is wrong with it.
        point: the point.
    """

    line: int
    faults: tuple[Fault, ...]
    point: SentPoint | msgspec.Raw


class Outcome(msgspec.Struct, frozen=True):
    """What became of the points of one or more requests."""

    inserted: int = 0
    rejected: tuple[Rejected, ...] = ()

    def __add__(self, other: Self) -> "Outcome":
        return Outcome(self.inserted + other.inserted, self.rejected + other.rejected)
