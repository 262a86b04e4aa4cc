"""Inference on files of every kind: inferred options, and refusals with their hints."""

from typing import Any

import pytest

from afluente.adapters.codecs.csv.inference import Inspection, inspect
from afluente.adapters.codecs.csv.options import CSVIngestConfig, option_faults
from afluente.adapters.codecs.csv.sampled_table import MAX_COLUMNS
from afluente.application.csv.faults import JobFailure, JobFault, NotReadableError


def look(content: str | bytes, *, is_whole: bool = True, **options: Any) -> Inspection:
    data = content if isinstance(content, bytes) else content.encode()
    given = CSVIngestConfig.model_validate({"source_id": "s", **options})
    return inspect(data, is_whole=is_whole, given=given, file="file.csv")


def refused(content: str | bytes, **options: Any) -> JobFailure:
    with pytest.raises(NotReadableError) as caught:
        look(content, **options)
    return caught.value.reason


def roles(seen: Inspection) -> dict[str, str]:
    return {column.name: column.role for column in seen.columns}


def streams(seen: Inspection) -> list[str]:
    return [column.stream for column in seen.columns if column.stream]


# --- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "encoding", "begins"),
    [
        (b"time,v\n2024-01-01,1\n", "utf-8", 7),
        ("time,v\n2024-01-01,1\n".encode("utf-8-sig"), "utf-8", 10),
        ("time,v\r\n2024-01-01,1\r\n".encode("utf-16"), "utf-16-le", 18),
        ("time,v\n2024-01-01,1\n".encode("utf-16-be"), "utf-16-be", 14),
        ("time,v\n2024-01-01,1\n".encode("utf-32"), "utf-32-le", 32),
        ("time,presión\n2024-01-01,1\n".encode("latin-1"), "latin-1", 13),
        ("time,preis €\n2024-01-01,1\n".encode("cp1252"), "cp1252", 13),
    ],
)
def test_the_encoding_is_found(content: bytes, encoding: str, begins: int) -> None:
    seen = look(content)

    assert seen.config.encoding == encoding
    assert seen.layout.begins.offset == begins
    assert seen.layout.begins.line == 2


def test_a_given_encoding_is_used() -> None:
    assert look("time,v\n2024-01-01,1\n".encode("utf-16-le"), encoding="utf-16-le").config.encoding == "utf-16-le"
    assert look("time,ž\n2024-01-01,1\n".encode("iso8859-2"), encoding="latin2").columns[1].name == "ž"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", JobFault.EMPTY_FILE, "is empty"),
        (b" \r\n\n", JobFault.EMPTY_FILE, "is empty"),
        (b"PK\x03\x04....", JobFault.NOT_CSV, "Excel workbook: save its sheet as CSV"),
        (b"PAR1....", JobFault.NOT_CSV, "Parquet"),
        (b"%PDF-1.7", JobFault.NOT_CSV, "PDF"),
        (b"\x1f\x8b\x08....", JobFault.NOT_CSV, "packed with gzip twice"),
        (b"\0\1\2\3" * 50, JobFault.NOT_CSV, "no text"),
        (b'{"a": 1}\n', JobFault.NOT_CSV, "JSON: send NDJSON"),
        (b"<html>\n", JobFault.NOT_CSV, "HTML or XML"),
        (b"time,v\r2024-01-01,1\r2024-01-02,2\r", JobFault.NOT_CSV, "no ends of lines"),
        (b"once upon a time\nthere was\n", JobFault.NO_VALUES, "no column holds numbers"),
        (b"hello world\nthis is prose\n", JobFault.NO_VALUES, "no column holds numbers"),
        (b"time,v\n", JobFault.NO_VALUES, "no column holds numbers (columns: time, v)"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(content: bytes, code: JobFault, said: str) -> None:
    reason = refused(content)

    assert reason.code == code
    assert said in reason.message


def test_a_megabyte_without_an_end_of_a_line_is_no_table() -> None:
    with pytest.raises(NotReadableError, match="no ends of lines"):
        look(b"1" * 1000, is_whole=False)


# --- table -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    table = "time,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n".replace(",", delimiter)

    assert look(table).config.delimiter == delimiter


def test_the_first_line_may_say_the_delimiter_as_excel_has_it() -> None:
    seen = look("sep=;\ntime;v\n2024-01-01;1\n")

    assert (seen.config.delimiter, seen.config.skip_rows) == (";", 1)
    assert seen.layout.begins.line == 3


def test_lines_before_the_table_are_skipped_and_noted() -> None:
    seen = look("# from station 7\n# in 2024\ntime,v\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")

    assert seen.config.skip_rows == 2
    assert "2 line(s)" in seen.notes[0]


def test_a_quoted_header_over_two_lines_is_one_row() -> None:
    seen = look('time,"temperature\n(C)"\n2024-01-01,1\n2024-01-02,2\n')

    assert seen.layout.begins.line == 3
    assert seen.layout.columns[1] == "temperature\n(C)"
    assert streams(seen) == ["s:temperature(C)"]


def test_columns_without_a_header_are_called_by_their_place() -> None:
    seen = look("2024-01-01;1\n2024-01-02;2\n")

    assert seen.config.has_header is False
    assert roles(seen) == {"column_1": "time", "column_2": "value"}
    assert seen.layout.begins.offset == 0


def test_repeated_and_empty_headers_get_names_of_their_own() -> None:
    seen = look("time,v,v,,v\n2024-01-01,1,2,3,4\n2024-01-02,1,2,3,4\n")

    assert list(roles(seen)) == ["time", "v", "v_2", "column_4", "v_3"]
    assert len(seen.notes) == 2


def test_names_of_columns_become_parts_of_keys() -> None:
    assert streams(look("time,m/s,T #1\n2024-01-01,1,2\n")) == ["s:m_s", "s:T _1"]


def test_columns_of_text_and_empty_ones_are_left_out_with_the_reason() -> None:
    seen = look("time,note,v,nothing\n2024-01-01,a,1,\n2024-01-02,b,2,\n")

    assert [(column.role, column.why) for column in seen.columns if column.role == "left_out"] == [
        ("left_out", "not numeric"),
        ("left_out", "empty"),
    ]


def test_a_column_whose_first_cells_are_empty_may_get_values_later() -> None:
    seen = look("time,v,later\n2024-01-01,1,\n2024-01-02,2,\n2024-01-03", is_whole=False)

    assert roles(seen)["later"] == "value"


def test_a_column_of_mixed_types_is_a_stream_if_most_cells_are_numbers() -> None:
    assert roles(look("time,v\n2024-01-01,1\n2024-01-02,ERR\n2024-01-03,2\n"))["v"] == "value"
    assert roles(look("time,v,w\n2024-01-01,a,1\n2024-01-02,b,1\n2024-01-03,2,1\n"))["v"] == "left_out"


def test_a_file_of_rejected_rows_can_be_sent_again_as_it_is() -> None:
    seen = look(
        "rejected_line,rejected_code,rejected_reason,time,v\n7,not_a_number,v: no number,2024-01-01,1\n"
        "9,not_a_number,v: no number,2024-01-02,2\n"
    )

    assert streams(seen) == ["s:v"]


@pytest.mark.parametrize("option", ["timestamp_column", "value_columns", "stream_column"])
def test_an_unknown_column_is_refused_with_the_known_ones(option: str) -> None:
    reason = refused("time,v\n2024-01-01,1\n", **{option: "Value"})

    assert reason.code == JobFault.UNKNOWN_COLUMN
    assert reason.message == f"{option}: the file has no column 'Value'; its columns are time, v"


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands"),
    [
        (["1.5", "2"], ".", ""),
        (["1,5", "2"], ",", ""),
        (["0,123", "2"], ",", ""),
        (["1.234,5", "990,25"], ",", "."),
        (["1 234,5", "990,25"], ",", " "),
        (["1'234.5", "990.25"], ".", "'"),
        (["1,234.5", "990.25"], ".", ","),
        (["1,234,567", "990"], ".", ","),
    ],
)
def test_the_notation_of_numbers_is_found(cells: list[str], decimal: str, thousands: str) -> None:
    seen = look("time;v\n" + "".join(f"2024-01-0{day};{cell}\n" for day, cell in enumerate(cells, start=1)))

    assert (seen.config.decimal, seen.config.thousands) == (decimal, thousands)


def test_a_comma_that_can_be_either_is_not_guessed() -> None:
    table = "time;v\n2024-01-01;1,234\n2024-01-02;2,345\n"

    reason = refused(table)
    assert reason.code == JobFault.AMBIGUOUS_NUMBERS
    assert "1234 (a comma between thousands) or 1.234 (a decimal comma)" in reason.message
    assert look(table, decimal=",").config.thousands == ""
    assert look(table, decimal=".", thousands=",").config.decimal == "."


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "form", "pattern", "first"),
    [
        (["2024-02-14 14:27:00", "2024-02-14 14:32:00"], "iso8601", None, "2024-02-14T14:27:00Z"),
        (["2024-02-14T14:27:00.5+02:00", "2024-02-14T14:32:00Z"], "iso8601", None, "2024-02-14T12:27:00.500000Z"),
        (["Jan 1 2000", "Feb 3 2000"], "custom", "%b %d %Y", "2000-01-01T00:00:00Z"),
        (["01-Feb-24 10:00", "02-Feb-24 10:00"], "custom", "%d-%b-%y %H:%M", "2024-02-01T10:00:00Z"),
        (["13/01/2024 10:00", "14/01/2024 10:00"], "custom", "%d/%m/%Y %H:%M", "2024-01-13T10:00:00Z"),
        (["1/13/24 5:00 PM", "1/14/24 5:00 AM"], "custom", "%m/%d/%y %I:%M %p", "2024-01-13T17:00:00Z"),
        (["31.12.2023", "01.01.2024"], "custom", "%d.%m.%Y", "2023-12-31T00:00:00Z"),
        (["2024/01/02 03:04", "2024/01/03 03:04"], "custom", "%Y/%m/%d %H:%M", "2024-01-02T03:04:00Z"),
        (["2000-01", "2000-02"], "custom", "%Y-%m", "2000-01-01T00:00:00Z"),
        (["Jan 2000", "Feb 2000"], "custom", "%b %Y", "2000-01-01T00:00:00Z"),
        (
            ["2024-01-02 03:04:05 UTC", "2024-01-03 03:04:05 UTC"],
            "custom",
            "%Y-%m-%d %H:%M:%S UTC",
            "2024-01-02T03:04:05Z",
        ),
        (["20240102", "20240103"], "custom", "%Y%m%d", "2024-01-02T00:00:00Z"),
        (["1713628800", "1713628801"], "unix", None, "2024-04-20T16:00:00Z"),
        (["1713628800123", "1713628801123"], "unix", None, "2024-04-20T16:00:00.123000Z"),
        (["1713628800123456", "1713628801123456"], "unix", None, "2024-04-20T16:00:00.123456Z"),
    ],
)
def test_the_form_of_times_is_found(cells: list[str], form: str, pattern: str | None, first: str) -> None:
    seen = look("time;v\n" + "".join(f"{cell};1\n" for cell in cells))

    assert (seen.config.timestamp_format, seen.config.timestamp_pattern) == (form, pattern)
    assert seen.first_times[0] == first


@pytest.mark.parametrize(
    "column", ["timestamp", "Time", "date", "DateTime", "ts", "fecha", "Fecha y hora", "createdTime", "Zeit", "x"]
)
def test_the_column_of_times_is_found_by_name_and_content(column: str) -> None:
    assert roles(look(f"v,{column}\n1,2024-01-01\n2,2024-01-02\n"))[column] == "time"


def test_date_and_time_of_day_in_two_columns_belong_together() -> None:
    seen = look("Date;Time;CO(GT)\n10/03/2004;18.00.00;2,6\n20/03/2004;19.00.00;2\n")

    assert seen.config.timestamp_column == ("Date", "Time")
    assert seen.first_times[0] == "2004-03-10T18:00:00Z"


def test_day_and_month_are_never_guessed() -> None:
    reason = refused("date,v\n01/02/2024,1\n03/04/2024,2\n")

    assert reason.code == JobFault.AMBIGUOUS_DATES
    assert (
        "1 February 2024 (timestamp_pattern %d/%m/%Y) or 2 January 2024 (timestamp_pattern %m/%d/%Y)" in reason.message
    )
    assert "no day of the first rows decides it" in reason.message


def test_a_file_in_which_both_orders_are_is_refused() -> None:
    reason = refused("date,v\n01/02/2024,1\n13/04/2024,2\n04/13/2024,2\n05/06/2024,1\n")

    assert reason.code == JobFault.AMBIGUOUS_DATES
    assert "rows of both kinds are there" in reason.message


def test_one_damaged_time_does_not_hide_the_form_of_the_others() -> None:
    seen = look("date,v\nunknown,1\n13/04/2024,2\n14/04/2024,2\n15/04/2024,2\n")

    assert seen.config.timestamp_pattern == "%d/%m/%Y"
    assert seen.first_times[0] == "unreadable"


def test_a_day_decides_it_however_late_among_the_first_rows() -> None:
    rows = "".join(f"{1 + day % 12:02d}/{1 + day % 11:02d}/{1900 + day // 10},1\n" for day in range(1_000))

    assert look(f"date,v\n{rows}31/01/2024,1\n").config.timestamp_pattern == "%d/%m/%Y"


@pytest.mark.parametrize(
    ("name", "unit"), [("timer_ms", "ms"), ("time (us)", "us"), ("elapsed_ns", "ns"), ("time_s", "s")]
)
def test_the_unit_of_a_timer_is_inferred_from_its_name(name: str, unit: str) -> None:
    assert look(f"{name},hr\n0,530\n8.5,531\n17,540\n").config.timestamp_unit == unit


def test_the_unit_of_a_timer_that_no_name_gives_is_not_guessed() -> None:
    table = "timer,hr\n0,530\n8.5,531\n17,540\n"

    reason = refused(table)
    assert reason.code == JobFault.AMBIGUOUS_UNIT
    assert '{"timestamp_unit": "ms"}' in reason.message
    assert look(table, timestamp_unit="ms").first_times[1] == "1970-01-01T00:00:00.008500Z"
    assert look(table, timestamp_unit="ms", start="2024-01-01").first_times[:2] == (
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.008500Z",
    )


def test_without_a_column_of_times_rows_are_counted() -> None:
    assert look("hr\n530\n531\n").first_times == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z")
    assert look("hr\n530\n531\n", start="2024-01-01T00:00:00Z", step=0.01).first_times == (
        "2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00.010000Z",
    )
    assert look("time,hr\n2024-01-01,531\n", timestamp_column=[]).config.timestamp_column == ()


def test_times_of_no_known_form_are_refused_with_an_example() -> None:
    reason = refused("time,v\nfirst,1\nsecond,2\n", timestamp_column="time")

    assert reason.code == JobFault.UNREADABLE_TIMES
    assert "'first'" in reason.message


@pytest.mark.parametrize(
    "cells", [["43831.5", "43832.5"], ["monday", "tuesday"], ["12:00", "12:01"], ["2000-Q1", "2000-Q2"]]
)
def test_a_column_that_is_a_time_by_its_name_is_not_overlooked(cells: list[str]) -> None:
    table = "date,v\n" + "".join(f"{cell},1\n" for cell in cells)

    reason = refused(table)
    assert reason.code in {JobFault.UNREADABLE_TIMES, JobFault.AMBIGUOUS_UNIT}
    assert "'date'" in reason.message
    assert look(table, timestamp_column=[]).config.timestamp_column == ()


def test_years_are_times_where_the_name_says_so() -> None:
    table = "year,country,pop\n1955,A,8.9\n1960,A,9.8\n1955,B,4.1\n1960,B,4.2\n"

    assert (look(table).config.timestamp_pattern, look(table).config.stream_column) == ("%Y", "country")
    assert roles(look("model,v\n1955,1\n1960,2\n"))["model"] == "value"


def test_a_given_pattern_finds_the_column() -> None:
    seen = look("v;moment\n1;kw 01-02-2024\n2;kw 02-02-2024\n", timestamp_pattern="kw %d-%m-%Y")

    assert roles(seen) == {"v": "value", "moment": "time"}


def test_times_that_say_utc_are_in_no_other_zone() -> None:
    table = "time,v\n2024-01-02 03:04:05 UTC,1\n"

    assert refused(table, timezone="Europe/Madrid").code == JobFault.INVALID_OPTIONS


def test_row_numbers_that_programs_put_before_a_table_are_no_stream() -> None:
    seen = look(",time,v\n0,2024-01-01,5\n1,2024-01-02,6\n2,2024-01-03,7\n")

    assert (roles(seen)["column_1"], seen.columns[0].why) == ("left_out", "row numbers")
    assert roles(look(",time,v\n5,2024-01-01,5\n7,2024-01-02,6\n"))["column_1"] == "value"


def test_times_given_as_unix_times_must_be_numbers() -> None:
    assert refused("time,v\n2024-01-01,1\n", timestamp_format="unix").code == JobFault.UNREADABLE_TIMES


# --- long format -----------------------------------------------------------------------------------------------------


def test_a_column_that_names_the_stream_of_each_row_is_found_by_its_name() -> None:
    seen = look("symbol,date,price\nMSFT,2000-01-01,1\nMSFT,2000-02-01,2\nIBM,2000-03-01,3\nIBM,2000-04-01,3\n")

    assert seen.config.stream_column == "symbol"
    assert streams(seen) == ["s:{symbol}"]
    assert seen.distinct_streams == 2


def test_it_is_found_by_its_content_too() -> None:
    seen = look("place,t,temp,hum\nA,2024-01-01,1,2\nB,2024-01-01,3,4\nA,2024-01-02,5,6\nB,2024-01-02,7,8\n")

    assert streams(seen) == ["s:{place}:temp", "s:{place}:hum"]


def test_a_column_of_text_that_distinguishes_no_streams_is_left_out() -> None:
    seen = look("status,time,temp\nok,2024-01-01,1\nok,2024-01-02,3\nbad,2024-01-03,5\nok,2024-01-04,7\n")

    assert roles(seen)["status"] == "left_out"


@pytest.mark.parametrize("column", ["sensor_id", "host", "Device", "patient_id"])
@pytest.mark.parametrize("names", [["1", "2", "3"], ["a", "", "c"], ["a", "a", "a"], ["NA", "b", "c"]])
def test_a_column_that_is_called_so_names_the_stream_whatever_it_holds(column: str, names: list[str]) -> None:
    rows = "".join(f"2024-01-{day:02d},{name},{day}\n" for day in range(1, 5) for name in names)

    assert look(f"time,{column},v\n{rows}").config.stream_column == column


def test_of_two_columns_that_could_name_the_stream_none_is_guessed() -> None:
    rows = "".join(f"2024-01-{day:02d},{host},{metric},1\n" for day in range(1, 5) for host in "ab" for metric in "xy")

    assert refused(f"time,host,metric,v\n{rows}").code == JobFault.AMBIGUOUS_STREAMS
    assert look(f"time,host,metric,v\n{rows.replace(',b,', ',a,')}").config.stream_column == "metric"


@pytest.mark.parametrize(
    "table",
    [
        "No,year,month,day,hour,pm\n" + "".join(f"{n},2010,1,{1 + n // 24},{n % 24},{n}\n" for n in range(72)),
        "date,hour,price\n" + "".join(f"2024-01-{1 + n // 24:02d},{n % 24},{n}.5\n" for n in range(72)),
        "country,product,date,v\n"
        + "".join(f"{c},{p},2024-01-{d:02d},1\n" for d in range(1, 9) for c in "abc" for p in "xyz"),
    ],
    ids=["year, month, day, hour", "date and hour", "two labels"],
)
def test_rows_that_share_their_time_are_not_read_as_one_stream(table: str) -> None:
    reason = refused(table)
    assert reason.code == JobFault.AMBIGUOUS_STREAMS
    assert "say stream_column" in reason.message


def test_rows_of_a_quick_measurement_may_share_their_time() -> None:
    rows = "".join(f"2024-01-01 00:00:{n // 2:02d},{n}\n" for n in range(100))

    assert roles(look(f"time,hr\n{rows}"))["hr"] == "value"


def test_the_time_of_the_measurement_is_chosen_not_another_one() -> None:
    seen = look("patient,date_of_birth,timestamp,hr\n1,1950-01-01,2024-01-01,60\n1,1950-01-01,2024-01-02,61\n")
    cur = look("bill/StartDate,line/UsageStartDate,cost\n2024-01-01,2024-01-01,1\n2024-01-01,2024-01-02,2\n")

    assert seen.config.timestamp_column == ("timestamp",)
    assert cur.config.timestamp_column == ("line/UsageStartDate",)


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["202401010000", "202401010010"], "%Y%m%d%H%M"),
        (["2024010100", "2024010101"], "%Y%m%d%H"),
        (["20240101000000", "20240101000010"], "%Y%m%d%H%M%S"),
    ],
)
def test_times_in_digits_alone_are_no_unix_times(cells: list[str], pattern: str) -> None:
    assert look("MESS_DATUM;v\n" + "".join(f"{cell};1\n" for cell in cells)).config.timestamp_pattern == pattern


@pytest.mark.parametrize("column", ["Fecha y hora", "Elapsed Time (s)", "Time since start", "Date/Time", "uptime"])
def test_a_name_that_holds_a_time_is_not_overlooked(column: str) -> None:
    assert refused(f"{column},v\n1-ene-2024 a. m.,1\n2-ene-2024 a. m.,2\n").code == JobFault.UNREADABLE_TIMES


def test_a_response_time_is_no_time_of_a_row() -> None:
    assert roles(look("response_time,v\n0.5,1\n0.25,2\n")) == {"response_time": "value", "v": "value"}


def test_months_in_capitals_do_not_hide_the_time_of_day() -> None:
    rows = "".join(f"01-OCT-2024,{hour:02d}:00,{hour}\n" for hour in range(24))

    assert look(f"Date,Time,v\n{rows}").config.timestamp_column == ("Date", "Time")


def test_comments_before_a_table_are_skipped_however_many_cells_they_have() -> None:
    seen = look("# a, b\n#group, x\ntime,v\n2024-01-01,1\n2024-01-02,2\n")

    assert (roles(seen), seen.config.skip_rows) == ({"time": "time", "v": "value"}, 2)


def test_a_header_without_the_delimiter_that_every_row_ends_with_is_the_header() -> None:
    seen = look("time;a;b\n2024-01-01;1,5;2;\n2024-01-02;2,5;3;\n")

    assert roles(seen) == {"time": "time", "a": "value", "b": "value", "column_4": "left_out"}
    assert seen.layout.begins.line == 2


def test_a_header_without_a_name_for_row_numbers_is_the_header() -> None:
    seen = look('"time","a","b"\n"1",2024-01-01,5,2\n"2",2024-01-02,6,3\n"3",2024-01-03,7,3\n')

    assert roles(seen) == {"column_1": "left_out", "time": "time", "a": "value", "b": "value"}


def test_a_dot_that_can_be_between_thousands_is_not_guessed_where_a_comma_could_be_the_decimal_sign() -> None:
    table = "time;v\n2024-01-01;1.234\n2024-01-02;2.345\n"

    assert "1234 (a dot between thousands) or 1.234 (a decimal dot)" in refused(table).message
    assert look(table + "2024-01-03;0.5\n").config.decimal == "."
    assert look(table.replace(";", ",")).config.decimal == "."


def test_cells_of_many_lines_hide_no_table() -> None:
    trace = "\n".join(f"at line {n}" for n in range(60))
    rows = "".join(f'2024-01-{day:02d},"{trace}",{day}\n' for day in range(1, 20))

    assert roles(look(f"time,trace,v\n{rows}"))["v"] == "value"


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timestamp_pattern": "%Y-%Y"}, "no pattern of Python's strptime"),
        ({"timestamp_pattern": "%Y-%m-%d %H:%M %H"}, "no pattern of Python's strptime"),
        ({"timestamp_pattern": "%Y %Q"}, "no pattern of Python's strptime"),
        ({"timestamp_pattern": "%d.%m."}, "names no year"),
        ({"encoding": "idna"}, "is no encoding"),
        ({"encoding": "cp037"}, "write them in UTF-8"),
        ({"encoding": "nothing"}, "is no encoding"),
        ({"value_columns": ["v", "v"]}, "names a column twice"),
        ({"value_columns": ["t", "v"], "timestamp_column": "t"}, "cannot be two of"),
        ({"value_columns": ["s", "v"], "stream_column": "s"}, "cannot be two of"),
        ({"decimal": ",", "thousands": ","}, "the same sign"),
        ({"delimiter": '"'}, "one ASCII character"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
    ],
)
def test_options_that_cannot_be_are_refused_before_a_file_is_read(options: dict[str, Any], said: str) -> None:
    assert any(said in fault.message for fault in option_faults(options))


@pytest.mark.parametrize(
    "pattern", ["%d.%m.%Y %H:%M", "%b %d %Y", "%Y-%m-%dT%H:%M:%S.%f%z", "%I:%M:%S %p %d/%m/%y", "%Y"]
)
def test_valid_patterns_are_accepted(pattern: str) -> None:
    assert option_faults({"timestamp_pattern": pattern}) == ()


def test_a_column_of_values_is_not_the_time_too() -> None:
    assert refused("time,v\n2024-01-01,1\n", value_columns=["time", "v"]).code == JobFault.INVALID_OPTIONS


def test_a_file_of_too_many_columns_is_refused_with_a_hint() -> None:
    names = ",".join(f"c{place}" for place in range(MAX_COLUMNS + 1))

    reason = refused(f"{names}\n{','.join('1' * (MAX_COLUMNS + 1))}\n")
    assert "write it in long format" in reason.message


# --- saved options ---------------------------------------------------------------------------------------------------


def test_saved_options_are_read_as_they_were_found() -> None:
    table = "Date;Time;CO(GT)\n10/03/2004;18.00.00;2,6\n20/03/2004;19.00.00;2\n"
    found = look(table)

    again = look(table, **found.config.given())

    assert again.layout == found.layout
