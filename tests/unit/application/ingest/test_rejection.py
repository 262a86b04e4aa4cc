"""Rejected points that are listed, and those that are counted."""

import msgspec

from afluente.application.ingest.rejection import (
    MAX_LISTED_BYTES,
    MAX_TEXT,
    Omitted,
    RejectedPoint,
    first_rejected,
)
from afluente.domain.faults import Fault, FaultCode


def a_rejected_point(index: int, message: str = "is required", faults: int = 1) -> RejectedPoint:
    return RejectedPoint(index, (Fault(FaultCode.MISSING, "value", message),) * faults, {})


def test_few_rejected_points_are_all_listed() -> None:
    rejected = [a_rejected_point(index) for index in range(100)]

    listed = first_rejected(rejected)

    assert (listed.points, listed.omitted) == (rejected, None)


def test_of_many_the_first_are_listed_and_the_others_counted_by_code() -> None:
    rejected = [a_rejected_point(index, "é" * MAX_TEXT, faults=2) for index in range(1_000)]

    listed = first_rejected(rejected)

    size = len(msgspec.json.encode([point.faults for point in listed.points]))
    assert 0.9 * MAX_LISTED_BYTES < size <= MAX_LISTED_BYTES
    others = 1_000 - len(listed.points)
    assert listed.omitted == Omitted(others, 2 * others, {FaultCode.MISSING: 2 * others})


def test_long_texts_are_cut_and_the_first_point_is_always_listed() -> None:
    listed = first_rejected([a_rejected_point(0, "x" * MAX_LISTED_BYTES, faults=1_000), a_rejected_point(1)])

    ((point,), omitted) = listed.points, listed.omitted
    assert {len(fault.message) for fault in point.faults} == {MAX_TEXT}
    assert omitted == Omitted(1, 1, {FaultCode.MISSING: 1})
