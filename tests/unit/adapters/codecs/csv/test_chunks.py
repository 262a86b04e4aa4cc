"""Files in pieces: each row once, whatever is wrong with its neighbours, and the same points by either reader."""

import codecs
import csv
import gzip
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.adapters.codecs.csv import blocks as blocks_module
from afluente.adapters.codecs.csv.blocks import BLOCK_BYTES, blocks
from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.columns import ColumnReader, NotPlainError
from afluente.adapters.codecs.csv.inference import SAMPLE_BYTES, inspect
from afluente.adapters.codecs.csv.layout import Layout, from_document, to_document
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rows import RowReader, RowsRead, Streams
from afluente.adapters.codecs.csv.unpacking import open_unpacked
from afluente.application.csv.chunks import Chunk, Position
from afluente.application.csv.faults import JobFault, RowFaultCode

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HOUR = 3600.0
START = datetime(2024, 1, 1, tzinfo=UTC).timestamp()


def layout_of(content: bytes, **options: Any) -> Layout:
    given_options = CSVIngestConfig.model_validate({"source_id": "s", **options})
    sample = content[:SAMPLE_BYTES]
    return inspect(sample, is_whole=len(content) <= SAMPLE_BYTES, given=given_options, file="file.csv").layout


def read(
    content: bytes, *, part: int = 0, parts: int = 1, begins: Position | None = None, **options: Any
) -> list[Chunk]:
    layout = from_document(to_document(layout_of(content, **options)))
    position = begins or layout.begins
    file = io.BytesIO(content)
    file.seek(position.offset)
    reader = ChunkReader(layout, "s", part=part, parts=parts, clock=lambda: NOW, now=NOW)
    return list(reader.chunks(file, position, file.tell))


def points(chunks: Sequence[Chunk]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for chunk in chunks:
        for series in chunk.series:
            found.setdefault(series.stream_id, []).extend(zip(series.timestamps, series.values, strict=True))
    return found


def faults(chunks: Sequence[Chunk]) -> list[tuple[int, str, RowFaultCode]]:
    return [(row.line, row.row, fault.code) for chunk in chunks for row in chunk.rejected for fault in row.faults]


def hourly(count: int, step: float = HOUR) -> str:
    rows = (f"{datetime.fromtimestamp(START + step * i, UTC):%Y-%m-%dT%H:%M:%S},{i + 0.5}\n" for i in range(count))
    return "timestamp,value\n" + "".join(rows)


# --- real files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace("timestamp", "marca de tiempo ñ").encode("latin-1"),
        lambda text: text.replace(",", ";").replace(".", ",").encode(),
        lambda text: text.replace(",", '","').replace("\n", '"\n"')[:-1].join(['"', ""]).encode(),
    ],
    ids=["utf-8", "BOM", "CRLF", "utf-16", "utf-16-be", "no end of the last line", "latin-1", "semicolons", "quoted"],
)
def test_every_row_is_read_once_however_it_is_written(encode: Any) -> None:
    content = encode(hourly(50))

    chunks = read(content)

    assert points(chunks) == {"s:value": [(START + HOUR * i, i + 0.5) for i in range(50)]}
    assert (faults(chunks), sum(chunk.rows for chunk in chunks)) == ([], 50)
    assert chunks[-1].position.offset == chunks[-1].bytes_done == len(content)


def test_a_row_with_a_cell_too_many_does_not_make_up_for_one_with_a_cell_too_few() -> None:
    chunks = read(b"time,a,b\n2024-01-01,1,2\n2024-01-02,1\n2024-01-03,1,2,3\n2024-01-04,1,2\n")

    assert [(line, code) for line, _, code in faults(chunks)] == [(3, "ragged_row"), (4, "ragged_row")]
    assert [len(series) for series in points(chunks).values()] == [2, 2]


def test_a_bad_row_is_rejected_and_its_neighbours_are_read() -> None:
    bad = [
        ("2024-02-01,1,2", RowFaultCode.RAGGED_ROW),
        ("2024-02-01", RowFaultCode.RAGGED_ROW),
        ("yesterday,5", RowFaultCode.UNREADABLE_TIME),
        (",7", RowFaultCode.MISSING_TIME),
        ("2024-02-01,err", RowFaultCode.NOT_A_NUMBER),
        ("2024-02-01,1_000", RowFaultCode.NOT_A_NUMBER),
        ("2024-02-01,1e999", RowFaultCode.NOT_FINITE),
        ("2024-02-01,-Infinity", RowFaultCode.NOT_FINITE),
        ('2024-02-01,"5', RowFaultCode.UNTERMINATED_QUOTE),
        ('2024-02-01,"5"6', RowFaultCode.UNTERMINATED_QUOTE),
        ("2030-01-01,4", RowFaultCode.IN_FUTURE),
    ]
    good = hourly(1_000).splitlines(keepends=True)
    lines = good[:500] + [f"{row}\n" for row, _ in bad] + good[500:]

    chunks = read("".join(lines).encode())

    assert faults(chunks) == [(501 + place, row, code) for place, (row, code) in enumerate(bad)]
    assert points(chunks) == {"s:value": [(START + HOUR * i, i + 0.5) for i in range(1_000)]}


@pytest.mark.parametrize("every", [2, 300, 9_000])
def test_bad_rows_among_many_are_rejected_and_every_other_row_is_read_in_its_order(every: int) -> None:
    lines = hourly(18_000, 60).splitlines(keepends=True)
    bad = range(1, len(lines), every)
    for place in bad:
        lines[place] = f'"{place}\n'

    chunks = read("".join(lines).encode())

    assert [line for line, _, _ in faults(chunks)] == [place + 1 for place in bad]
    expected = [(START + 60 * i, i + 0.5) for i in range(18_000) if i + 1 not in bad]
    assert points(chunks).get("s:value", []) == expected
    assert sum(chunk.rows for chunk in chunks) == 18_000


@pytest.mark.parametrize("bad", ["", "2024-01-01,x\n"])
def test_rows_are_counted_up_to_max_rows_across_halves(bad: str) -> None:
    lines = hourly(20_000, 60).splitlines(keepends=True)
    lines[5_000] = bad or lines[5_000]

    chunks = read("".join(lines).encode(), max_rows=7_000)

    assert sum(chunk.rows for chunk in chunks) == 7_000
    assert len(points(chunks)["s:value"]) == 7_000 - bool(bad)


def test_empty_cells_and_empty_rows_are_skipped() -> None:
    chunks = read(b"time;a;b\n2024-01-01;;1\n\n2024-01-02;NaN;2\n;;\n2024-01-03;3;?\n")

    assert {name: [value for _, value in its] for name, its in points(chunks).items()} == {"s:b": [1, 2], "s:a": [3]}
    assert (faults(chunks), sum(chunk.rows for chunk in chunks)) == ([], 3)


def test_cells_that_hold_no_value_can_be_given() -> None:
    chunks = read(b"time,v\n2024-01-01,-200\n2024-01-02,2\n2024-01-03,?\n2024-01-04,3\n", null_values=["-200"])

    assert [value for _, value in points(chunks)["s:v"]] == [2, 3]
    assert [code for _, _, code in faults(chunks)] == [RowFaultCode.NOT_A_NUMBER]


def test_a_number_that_holds_no_value_is_that_as_it_is_written_alone() -> None:
    table = b"time,v\n2024-01-01,-999\n2024-01-02,-999.0\n2024-01-03,-9.99e2\n2024-01-04,5\n"

    for content in (table, table + b"bad,1\n"):
        assert [value for _, value in points(read(content, null_values=["-999"]))["s:v"]] == [-999.0, -999.0, 5]


def test_one_bad_cell_of_a_row_leaves_the_others() -> None:
    chunks = read(b"time,a,b\n2024-01-01,x,1\n2024-01-02,2,2\n2024-01-03,3,3\n2024-01-04,y,z\n2024-01-05,5,5\n")

    assert {name: len(its) for name, its in points(chunks).items()} == {"s:a": 3, "s:b": 4}
    assert [(row.line, [fault.column for fault in row.faults]) for row in chunks[0].rejected] == [
        (2, ["a"]),
        (5, ["a", "b"]),
    ]


def test_a_quoted_cell_may_hold_delimiters_quotes_and_ends_of_lines() -> None:
    chunks = read(b'time,note,v\n2024-01-01,"a\nb, c",1\n2024-01-02,"say ""x""",2\n2024-01-03,bad row\n')

    assert points(chunks) == {"s:v": [(START, 1.0), (START + 24 * HOUR, 2.0)]}
    assert faults(chunks) == [(5, "2024-01-03,bad row", RowFaultCode.RAGGED_ROW)]


@pytest.mark.parametrize("bad", ["", "2024-01-01,bad,row,1\n"])
def test_long_quoted_cells_are_whole_wherever_a_piece_is_halved(bad: str) -> None:
    # Short ones first: a first look is at some lines alone.
    cells = ["short"] * 220 + ["a\n" * 25_000 if place % 4 == 0 else "b" * 5_000 for place in range(80)]
    rows = [f'2024-01-01T00:{place // 60:02d}:{place % 60:02d},"{cell}",{place}\n' for place, cell in enumerate(cells)]

    chunks = read(("time,note,v\n" + "".join(rows[:260]) + bad + "".join(rows[260:])).encode())

    assert [value for _, value in points(chunks)["s:v"]] == list(range(300))
    assert len(faults(chunks)) == bool(bad)


def test_very_short_rows_come_in_smaller_chunks() -> None:
    chunks = read(b"v\n" + b"1\n" * 300_000)

    assert sum(chunk.rows for chunk in chunks) == 300_000
    assert max(chunk.rows for chunk in chunks) <= 100_000


def test_a_quote_that_is_never_closed_costs_its_own_row_alone() -> None:
    good = hourly(20_000, 60).splitlines(keepends=True)
    content = "".join([*good[:10], '2024-03-01T00:00:00,"7\n', *good[10:]]).encode()

    chunks = read(content)

    assert [(line, code) for line, _, code in faults(chunks)] == [(11, RowFaultCode.UNTERMINATED_QUOTE)]
    assert len(points(chunks)["s:value"]) == 20_000


def test_a_file_that_was_cut_off_in_a_row_gives_the_rows_before() -> None:
    content = hourly(20)[:-12].encode()

    chunks = read(content)

    assert len(points(chunks)["s:value"]) == 19
    assert [code for _, _, code in faults(chunks)] == [RowFaultCode.RAGGED_ROW]


def test_bytes_that_are_no_text_cost_their_row_alone() -> None:
    chunks = read("time,naïve,v\n2024-01-01,x,1\n".encode() + b"2024-01-02,x,\xff\n2024-01-03,\xff,3\n")

    assert [value for _, value in points(chunks)["s:v"]] == [1, 3]
    assert faults(chunks) == [(3, "2024-01-02,x,\udcff", RowFaultCode.UNDECODABLE)]


def test_hours_that_a_clock_showed_twice_or_never_are_not_guessed() -> None:
    table = b"time,v\n2024-10-27 01:30,1\n2024-10-27 02:30,2\n2024-03-31 02:30,3\n2024-10-27 03:30,4\n"

    rejected = read(table, timezone="Europe/Madrid")
    earlier, later = (read(table, timezone="Europe/Madrid", ambiguous_times=which) for which in ("earlier", "later"))

    assert [(line, code) for line, _, code in faults(rejected)] == [
        (3, RowFaultCode.AMBIGUOUS_TIME),
        (4, RowFaultCode.NONEXISTENT_TIME),
    ]
    first = datetime(2024, 10, 26, 23, 30, tzinfo=UTC).timestamp()
    assert [time - first for time, _ in points(rejected)["s:v"]] == [0, 3 * HOUR]
    assert [time - first for time, _ in points(earlier)["s:v"]] == [0, HOUR, 3 * HOUR]
    assert [time - first for time, _ in points(later)["s:v"]] == [0, 2 * HOUR, 3 * HOUR]


@pytest.mark.parametrize(
    ("unit", "cells", "seconds"),
    [
        ("s", ["1713628800.25", "0"], [1713628800.25, 0.0]),
        ("ms", ["1713628800123", "8.5"], [1713628800.123, 0.0085]),
        ("us", ["1713628800123456", "7"], [1713628800.123456, 7e-6]),
        ("ns", ["1713628800123456789", "7"], [1713628800.1234567, 7e-9]),
    ],
)
def test_unix_times_are_of_the_given_unit(unit: str, cells: list[str], seconds: list[float]) -> None:
    table = "t,v\n" + "".join(f"{cell},1\n" for cell in cells)

    assert [time for time, _ in points(read(table.encode(), timestamp_unit=unit))["s:v"]] == seconds
    assert [time for time, _ in points(read(f"{table}bad,1\n".encode(), timestamp_unit=unit))["s:v"]] == seconds


def test_milliseconds_given_as_seconds_are_rejected() -> None:
    chunks = read(b"t,v\n1713628800123,1\n", timestamp_format="unix", timestamp_unit="s")

    assert [code for _, _, code in faults(chunks)] == [RowFaultCode.NOT_SECONDS]


def test_rows_are_counted_where_no_column_holds_times() -> None:
    rows = "".join(f"{i}\n" for i in range(10))

    chunks = read(f"hr\n{rows}".encode(), start=100, step=0.5)
    with_a_bad_row = read(f"hr\n{rows[:10]}err\n{rows[10:]}".encode(), start=100, step=0.5)

    assert points(chunks)["s:hr"] == [(100 + i / 2, float(i)) for i in range(10)]
    assert points(with_a_bad_row)["s:hr"][5:] == [(100 + (i + 1) / 2, float(i)) for i in range(5, 10)]


def test_no_more_rows_are_read_than_max_rows() -> None:
    content = hourly(50).encode()

    assert len(points(read(content, max_rows=7))["s:value"]) == 7
    assert len(points(read(content.replace(b",3.5", b",x"), max_rows=7))["s:value"]) == 6


def test_a_column_names_the_stream_of_each_row() -> None:
    table = b"symbol,date,price,volume\nA,2024-01-01,1,5\nB,2024-01-01,2,6\nA,2024-01-02,3,\n B/x ,2024-01-02,4,8\n"

    chunks = read(table, stream_column="symbol", stream_type={"A": "share", "volume": "volume"})

    assert {name: [value for _, value in its] for name, its in points(chunks).items()} == {
        "s:A:price": [1, 3],
        "s:A:volume": [5],
        "s:B:price": [2],
        "s:B:volume": [6],
        "s:B_x:price": [4],
        "s:B_x:volume": [8],
    }
    types = {series.stream_id: series.stream_type for chunk in chunks for series in chunk.series}
    assert (types["s:A:price"], types["s:B:volume"], types["s:B:price"]) == ("share", "volume", None)


def test_a_row_that_names_no_stream_or_a_bad_one_is_rejected() -> None:
    table = "symbol,date,price\nA,2024-01-01,1\n,2024-01-02,2\n" + "x" * 200 + ",2024-01-03,3\n"

    chunks = read(table.encode(), stream_column="symbol")

    assert [code for _, _, code in faults(chunks)] == [RowFaultCode.MISSING_STREAM, RowFaultCode.BAD_STREAM_NAME]
    assert list(points(chunks)) == ["s:A"]


# --- packed files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "pack"), [("f.csv.gz", gzip.compress), ("F.CSV.ZST", zstd.compress)])
def test_a_packed_file_is_as_what_is_in_it(name: str, pack: Any) -> None:
    content = hourly(500).encode()
    file = io.BytesIO(pack(content) + pack(b""))

    unpacked = open_unpacked(cast("BinaryIO", file), name)

    assert b"".join(iter(lambda: unpacked.read(1_000), b"")) == content


@pytest.mark.parametrize(("name", "pack"), [("f.csv.gz", gzip.compress), ("f.csv.zst", zstd.compress)])
def test_of_an_archive_that_was_cut_off_the_rows_before_are_read(name: str, pack: Any) -> None:
    content = hourly(40_000, 60).encode()
    packed = io.BytesIO(pack(content)[:-1_000])
    layout = layout_of(content)
    unpacked = open_unpacked(cast("BinaryIO", packed), name)
    unpacked.read(layout.begins.offset)

    reader = ChunkReader(layout, "s", part=0, parts=1, clock=lambda: NOW, now=NOW)
    chunks = list(reader.chunks(unpacked, layout.begins, packed.tell))

    assert len(points(chunks)["s:value"]) > 10_000
    damage = chunks[-1].damage
    assert damage is not None
    assert damage.code == JobFault.DAMAGED_ARCHIVE
    assert "cut off" in damage.message


def test_a_file_that_is_no_archive_is_reported() -> None:
    layout = layout_of(b"time,v\n2024-01-01,1\n")

    [block] = blocks(open_unpacked(cast("BinaryIO", io.BytesIO(b"time,v\n")), "f.csv.gz"), layout)

    assert (block.data, block.damage and block.damage.code) == (b"", JobFault.DAMAGED_ARCHIVE)


# --- pieces ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pieces that are small enough for a file of a few of them to be read often; gives their size."""
    size = 256 * 1024
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", size)
    return size


def test_a_large_file_comes_in_chunks_that_can_be_continued_from(small_blocks: int) -> None:
    content = hourly(20_000, 60).encode()

    chunks = read(content)

    assert len(chunks) == 1 + len(content) // small_blocks
    assert sum(chunk.rows for chunk in chunks) == 20_000
    for place, chunk in enumerate(chunks[:-1], start=1):
        again = read(content, begins=chunk.position)
        assert again == chunks[place:]


@pytest.mark.usefixtures("small_blocks")
def test_lines_are_counted_across_pieces() -> None:
    lines = hourly(20_000, 60).splitlines(keepends=True)
    lines[16_000] = "2024-01-01,bad\n"

    assert faults(read("".join(lines).encode())) == [(16_001, "2024-01-01,bad", RowFaultCode.NOT_A_NUMBER)]


def test_pieces_end_where_no_quote_is_open() -> None:
    rows = "".join(
        f'{datetime.fromtimestamp(START + i, UTC):%Y-%m-%d %H:%M:%S},"a\nb{"x" * 1_000}\n",{i}\n' for i in range(3_000)
    )

    chunks = read(f"time,note,v\n{rows}".encode())

    assert len(chunks) > 1
    assert points(chunks)["s:v"] == [(START + i, float(i)) for i in range(3_000)]
    assert faults(chunks) == []


def test_a_row_beyond_all_measure_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "MAX_ROW_BYTES", BLOCK_BYTES + 100)
    monkeypatch.setattr(blocks_module, "_READ_BYTES", 64 * 1024)
    lines = hourly(40).splitlines(keepends=True)
    content = "".join([*lines[:20], "x" * (BLOCK_BYTES * 2), "\n", *lines[20:]]).encode()

    chunks = read(content)

    assert len(points(chunks)["s:value"]) == 40
    assert [(line, code) for line, _, code in faults(chunks)] == [(21, RowFaultCode.ROW_TOO_LONG)]


def test_parts_read_each_stream_once() -> None:
    table = "time," + ",".join(f"c{i}" for i in range(7)) + "\n"
    table += (
        "".join(f"2024-01-{day:02d}," + ",".join(map(str, range(7))) + "\n" for day in range(1, 20)) + "2024-01-20,1\n"
    )

    whole = points(read(table.encode()))
    parts = [read(table.encode(), part=part, parts=3) for part in range(3)]

    assert [len(points(part)) for part in parts] == [3, 2, 2]
    assert {name: its for part in parts for name, its in points(part).items()} == whole
    # What is wrong with a row as a whole, one of them tells.
    assert [len(faults(part)) for part in parts] == [1, 0, 0]


def test_parts_of_a_long_file_read_each_stream_once() -> None:
    table = "symbol,date,price\n" + "".join(f"S{i % 10},2024-01-{1 + i // 10:02d},{i}\n" for i in range(200))

    parts = [points(read(table.encode(), part=part, parts=4)) for part in range(4)]

    assert {name: its for part in parts for name, its in part.items()} == points(read(table.encode()))
    assert sum(map(len, parts)) == 10


# --- both readers ----------------------------------------------------------------------------------------------------

# Of clocks that name no zone, as hypothesis wants them.
_EARLIEST, _LATEST = datetime(1900, 1, 1), datetime(2025, 12, 31)  # noqa: DTZ001
_numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.sampled_from(["", "NaN", "1.", ".5", "+3", "-0", "007", "1E5", "0x10", "1e400", "inf", "1 2", "1,5", "½", "x"]),
)
_times = st.one_of(
    st.datetimes(_EARLIEST, _LATEST).map(str),
    st.datetimes(_EARLIEST, _LATEST).map(lambda time: time.isoformat(timespec="milliseconds")),
    st.datetimes(_EARLIEST, _LATEST).map(lambda time: f"{time:%Y-%m-%dT%H:%M}+02:00"),
    st.dates(_EARLIEST.date(), _LATEST.date()).map(str),
    st.sampled_from(["", "2024", "2024-01", "2024-13-01", "2024-02-30", "24:00", "now", "2024-01-01T24:00:00"]),
)
_unix_times = st.one_of(st.integers(-(10**10), 10**10).map(str), st.floats(-1e9, 1e9).map(repr), _numbers)


def _exactly(layout: Layout, block: bytes) -> RowsRead:
    return RowReader(layout, Streams(layout, "s", 0, 1)).read(block.decode(), layout.begins, NOW)


def _quickly(layout: Layout, block: bytes) -> RowsRead | None:
    try:
        return ColumnReader(layout, Streams(layout, "s", 0, 1)).read(block, layout.begins.row, NOW)
    except NotPlainError:
        return None


def _by_stream(read_rows: RowsRead) -> dict[tuple[str, str | None], list[tuple[float, float]]]:
    return {
        (series.stream_id, series.stream_type): list(zip(series.timestamps, series.values, strict=True))
        for series in read_rows.series
    }


def _assert_alike(layout: Layout, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=layout.delimiter, lineterminator="\n").writerows(rows)
    block = text.getvalue().encode()
    quick = _quickly(layout, block)
    if quick is not None:
        exact = _exactly(layout, block)
        assert (_by_stream(quick), quick.rows, ()) == (_by_stream(exact), exact.rows, exact.rejected)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(_times, _numbers, _numbers), min_size=1, max_size=8), st.sampled_from(["UTC", "Europe/Madrid"])
)
def test_both_readers_give_the_same_of_calendar_times(rows: list[tuple[str, str, str]], zone: str) -> None:
    layout = layout_of(
        b"time,a,b\n2024-01-01,1,2\n", timezone=zone, timestamp_format="iso8601", decimal=".", thousands=""
    )

    _assert_alike(layout, rows)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(_unix_times, _numbers), min_size=1, max_size=8), st.sampled_from(["s", "ms", "us", "ns"]))
def test_both_readers_give_the_same_of_unix_times(rows: list[tuple[str, str]], unit: str) -> None:
    layout = layout_of(b"time,a\n1,1\n", timestamp_unit=unit, decimal=".", thousands="")

    _assert_alike(layout, rows)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(["A", "B", "", "a/b", "$"]), _times, _numbers), min_size=1, max_size=8))
def test_both_readers_give_the_same_of_the_long_format(rows: list[tuple[str, str, str]]) -> None:
    layout = layout_of(b"k,time,a\nA,2024-01-01,1\n", stream_column="k", timestamp_format="iso8601", decimal=".")

    _assert_alike(layout, rows)


@pytest.mark.parametrize(
    ("decimal", "thousands", "cells"),
    [(",", ".", ["1.234,5", "2", "-3,25"]), (".", ",", ["1,234.5", "2", "1e3"]), (",", "", ["0,5", "2", "-3,25e2"])],
)
def test_the_quick_reader_reads_all_notations(decimal: str, thousands: str, cells: list[str]) -> None:
    layout = layout_of(b"time;a\n2024-01-01;1\n", decimal=decimal, thousands=thousands)
    block = "".join(f"2024-01-01;{cell}\n" for cell in cells).encode()

    quick = _quickly(layout, block)

    assert quick is not None
    assert _by_stream(quick) == _by_stream(_exactly(layout, block))


def test_the_quick_reader_reads_what_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or all of the above would hold of a reader that never reads anything."""

    def no_text(*_: object) -> None:
        raise AssertionError("read row by row")

    monkeypatch.setattr(RowReader, "read", no_text)
    cases: list[tuple[bytes, dict[str, Any]]] = [
        (hourly(50).encode(), {}),
        (codecs.BOM_UTF8 + hourly(50).replace("\n", "\r\n").encode(), {}),
        (hourly(50).encode("utf-16"), {}),
        (b'time,note,v\n2024-01-01,"a, b",1\n', {}),
        (b"time,v\n13/01/2024 10:00,1\n", {"timezone": "Europe/Madrid"}),
        (b"Date;Time;v\n13/01/2024;10.00.00;1,5\n", {}),
        (b"t,v\n1713628800123456789,1\n", {}),
        (b"symbol,date,price\nA,2024-01-01,1\nB,2024-01-01,\n", {"stream_column": "symbol"}),
        (b"hr\n1\n2\n", {}),
    ]
    for content, options in cases:
        assert points(read(content, **options))
