"""Rejected points, and as many of them as an answer or a quarantined record lists."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from afluente.domain.faults import Fault, FaultCode

MAX_LISTED_BYTES = 1_000_000
"""Size of the faults that are listed, as JSON: an answer has at most 6 MB (Lambda, "Invocation payload")."""

MAX_TEXT = 1_000
"""Characters of a listed field or message, which may repeat parts of the point."""

# The index and its name, and the signs between faults.
_BYTES_BESIDE_A_FAULT = 20


class RejectedPoint(msgspec.Struct, frozen=True):
    """A point of a request with faults.

    Attributes:
        index: its place in the request, from 0.
        faults: everything that is wrong with it.
        raw: the point as it came.
    """

    index: int
    faults: tuple[Fault, ...]
    raw: object


class Omitted(msgspec.Struct, frozen=True):
    """Rejected points beyond those that are listed.

    Attributes:
        points: their number.
        faults: the number of their faults.
        by_code: the number of their faults of each code.
    """

    points: int
    faults: int
    by_code: dict[FaultCode, int]


class Listed(msgspec.Struct, frozen=True):
    """The first rejected points, each with all its faults, and the number of the others, if there are any."""

    points: Sequence[RejectedPoint]
    omitted: Omitted | None = None


def first_rejected(rejected: Sequence[RejectedPoint]) -> Listed:
    """As many of the rejected points as may be listed; texts of their faults are cut."""
    listed: list[RejectedPoint] = []
    left = MAX_LISTED_BYTES
    for point in rejected:
        faults = tuple(_cut(fault) for fault in point.faults)
        left -= sum(_BYTES_BESIDE_A_FAULT + len(msgspec.json.encode(fault)) for fault in faults)
        if left < 0 and listed:
            return Listed(listed, _counts(rejected[len(listed) :]))
        listed.append(msgspec.structs.replace(point, faults=faults))
    return Listed(listed)


def _counts(points: Sequence[RejectedPoint]) -> Omitted:
    codes = Counter(fault.code for point in points for fault in point.faults)
    return Omitted(len(points), codes.total(), dict(codes))


def _cut(fault: Fault) -> Fault:
    if len(fault.field) <= MAX_TEXT and len(fault.message) <= MAX_TEXT:
        return fault
    return Fault(fault.code, fault.field[:MAX_TEXT], fault.message[:MAX_TEXT])
