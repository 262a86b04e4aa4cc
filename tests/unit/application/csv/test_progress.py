"""Progress of a part: counts of rejected rows and of points."""

from afluente.application.csv.faults import (
    RejectedRow,
    RowFault,
    RowFaultCode,
)
from afluente.application.csv.progress import FIRST_OF_EACH, PartProgress, with_counts


def a_row(line: int, *codes: RowFaultCode, row: str = "x") -> RejectedRow:
    return RejectedRow(line, row, tuple(RowFault(code, "a", f"line {line}") for code in codes))


def test_rows_are_counted_once_and_each_of_their_faults() -> None:
    rows = [a_row(2, RowFaultCode.NOT_A_NUMBER, RowFaultCode.MISSING_TIME), a_row(3, RowFaultCode.NOT_A_NUMBER)]

    part = with_counts(
        with_counts(PartProgress(), rejected=rows, streams={}, named_streams=9),
        rejected=[rows[0]],
        streams={},
        named_streams=9,
    )

    assert part.rows_rejected == 3
    assert {code: errors.count for code, errors in part.errors.items()} == {
        RowFaultCode.NOT_A_NUMBER: 3,
        RowFaultCode.MISSING_TIME: 2,
    }


def test_of_each_error_the_first_rows_are_shown_and_of_long_rows_the_beginning() -> None:
    rows = [a_row(line, RowFaultCode.RAGGED_ROW, row="y" * 1_000) for line in range(2, 20)]

    errors = with_counts(PartProgress(), rejected=rows, streams={}, named_streams=9).errors[RowFaultCode.RAGGED_ROW]

    assert [shown.line for shown in errors.first] == list(range(2, 2 + FIRST_OF_EACH))
    assert all(shown.row == "y" * 200 and shown.message == f"line {shown.line}" for shown in errors.first)


def test_points_are_counted_by_stream_and_so_many_streams_are_named() -> None:
    first = with_counts(PartProgress(), rejected=[], streams={f"s{i}": 1 for i in range(9)}, named_streams=9)

    part = with_counts(first, rejected=[], streams={"s0": 4, "another": 1}, named_streams=9)

    assert part.streams["s0"] == 5
    assert len(part.streams) == 9
    assert part.rows_rejected == 0
