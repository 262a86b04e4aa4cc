"""Tables: which column is the time, which are streams, and what becomes of every cell."""

from collections.abc import Iterable

import pytest

from cli.core.errors import CommandError, ExitCode
from cli.sending.csv_reader import Table, read_table
from cli.sending.points import Readable, SentPoint, Unreadable


def table(text: str, columns: Iterable[str] = (), stream_type: str | None = None) -> Table:
    return read_table(text.splitlines(keepends=True), source="s", columns=tuple(columns), stream_type=stream_type)


def points(text: str, columns: Iterable[str] = ()) -> list[SentPoint]:
    reads = list(table(text, columns).points)
    assert all(isinstance(read, Readable) for read in reads)
    return [read.point for read in reads if isinstance(read, Readable) and isinstance(read.point, SentPoint)]


def faults(text: str) -> list[tuple[int, str, str]]:
    reads = table(text).points
    return [(read.line, read.fault.field, read.fault.code) for read in reads if isinstance(read, Unreadable)]


def refusal(text: str, columns: Iterable[str] = ()) -> str:
    with pytest.raises(CommandError) as caught:
        list(table(text, columns).points)
    return caught.value.message


def test_every_numeric_column_is_a_stream_of_the_source() -> None:
    assert points("time,a,b\n10,1,2.5\n") == [SentPoint("s:a", 1.0, 10.0), SentPoint("s:b", 2.5, 10.0)]


def test_the_stream_type_is_on_every_point() -> None:
    (read,) = table("time,a\n10,1\n", stream_type="temperature").points
    assert isinstance(read, Readable)
    assert read.point == SentPoint("s:a", 1.0, 10.0, "temperature")


def test_points_know_their_line() -> None:
    reads = table("time,a\n10,1\n\n11,2\n").points
    assert [read.line for read in reads] == [2, 4]


def test_an_empty_cell_is_no_point() -> None:
    assert points("time,a,b\n10,,2\n11, ,3\n") == [SentPoint("s:b", 2.0, 10.0), SentPoint("s:b", 3.0, 11.0)]


@pytest.mark.parametrize("name", ["timestamp", "TIME", "Date", "datetime", "ts"])
def test_the_time_column_is_found_by_its_name_in_any_case(name: str) -> None:
    assert table(f"a,{name}\n1,10\n").time_column == name


def test_timestamp_comes_before_other_names_of_a_time_column() -> None:
    found = table("date,timestamp\n3,10\n")
    assert found.time_column == "timestamp"
    assert found.streams == {"date": "s:date"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01 00:01:00", 60.0),
        ("1970-01-01T01:01:00+01:00", 60.0),
        ("1970-01-02", 86_400.0),
        ("2016-11-24 13:58:58.081000", 1_479_995_938.081),
        ("60", 60.0),
        ("60.5", 60.5),
        ("6e1", 60.0),
    ],
)
def test_times_are_iso_8601_in_utc_or_unix_seconds(text: str, seconds: float) -> None:
    assert points(f"time,a\n{text},1\n") == [SentPoint("s:a", 1.0, seconds)]


def test_a_time_of_the_other_kind_is_no_point_rather_than_a_guess() -> None:
    assert faults("time,a\n2024-01-01,1\n1700000000,2\nnonsense,3\n") == [
        (3, "time", "wrong_type"),
        (4, "time", "wrong_type"),
    ]


def test_the_first_time_that_can_be_read_says_of_which_kind_all_are() -> None:
    assert faults("time,a\n?,1\n60,2\n") == [(2, "time", "wrong_type")]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("abc", "wrong_type"),
        ("1_0", "wrong_type"),
        ('"1,5"', "wrong_type"),
        ("nan", "not_finite"),
        ("-inf", "not_finite"),
    ],
)
def test_a_cell_that_is_no_finite_number_is_told_never_left_out(cell: str, code: str) -> None:
    rows = "".join(f"{row},1\n" for row in range(5))
    assert faults(f"time,a\n{rows}9,{cell}\n") == [(7, "a", code)]


def test_a_row_with_too_few_or_too_many_cells_is_no_point() -> None:
    assert faults("time,a\n1,2,3\n1\n2,3\n") == [(2, "row", "malformed"), (3, "row", "malformed")]


def test_columns_that_are_not_numeric_are_left_out_and_named() -> None:
    found = table("time,symbol,price\n10,A,1\n11,B,2\n")
    assert found.streams == {"price": "s:price"}
    assert found.left_out == ("symbol",)


def test_a_column_that_is_empty_at_first_is_not_lost() -> None:
    rows = "".join(f"{row},1,\n" for row in range(300))
    assert points(f"time,a,late\n{rows}400,1,7\n")[-1] == SentPoint("s:late", 7.0, 400.0)


def test_a_column_without_a_name_is_left_out() -> None:
    assert table(",time,a\n0,10,1\n").streams == {"a": "s:a"}


def test_chosen_columns_are_sent_and_no_others() -> None:
    assert points("time,a,b\n10,1,2\n", columns=["b"]) == [SentPoint("s:b", 2.0, 10.0)]


def test_a_chosen_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert refusal("time,a,b\n10,1,2\n", columns=["c"]) == "the table has no column 'c' to send; it has a, b"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_recognised(delimiter: str) -> None:
    assert points(f"time{delimiter}a\n10{delimiter}1\n") == [SentPoint("s:a", 1.0, 10.0)]


def test_quoted_cells_are_read() -> None:
    assert points('"time","a, really"\n"10","1"\n') == [SentPoint("s:a, really", 1.0, 10.0)]


def test_a_table_without_a_time_column_is_refused_before_anything_is_sent() -> None:
    assert "no column is called timestamp" in refusal("when,a\n10,1\n")


def test_a_table_without_times_is_refused() -> None:
    assert "'Jan 1 2000' is neither ISO 8601 nor Unix seconds" in refusal("date,a\nJan 1 2000,1\n")


def test_a_table_without_numbers_is_refused() -> None:
    assert refusal("time,a\n10,x\n11,y\n") == "no column of the table is numeric"


@pytest.mark.parametrize("text", ["", "\n", ",,\n"])
def test_an_empty_table_is_refused(text: str) -> None:
    assert refusal(text) == "the table is empty"


def test_a_table_with_a_header_alone_has_no_points() -> None:
    assert points("time,a\n") == []


def test_two_columns_of_one_name_are_refused() -> None:
    assert refusal("time,a,a\n10,1,2\n") == "two columns are called 'a'"


def test_what_is_no_table_is_refused_with_its_line() -> None:
    text = f"time,a\n10,1\n11,{'9' * 200_000}\n"
    assert refusal(text).startswith("line 3 is no row of a table")


def test_a_refusal_is_wrong_usage() -> None:
    with pytest.raises(CommandError) as caught:
        table("a\n1\n")
    assert caught.value.code is ExitCode.USAGE
