"""Files of rejected rows: no cell of them runs in a spreadsheet, and sent again they say what was sent first."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.inference import inspect
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rejects import COLUMNS, header, line_of, marked, unmarked
from afluente.application.csv.chunks import Chunk
from afluente.application.csv.faults import RejectedRow, RowFault, RowFaultCode
from tests.factories import NOW

FORMULAS = (
    "=1+1",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =cmd|' /C calc'!A0",
    '=HYPERLINK("http://x","y")',
    "\uff1d1+1",
    "'=1",
    "-A1",
)
HARMLESS = ("", "1", "-1", "-1.5", "+1,234.5", "-1e-5", "-", "--", "'x", "a=b", "2023-01-01", " -7 ", "x-1", "-.5")
RUNNING = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_could_run_is_marked(cell: str) -> None:
    assert marked(cell) == f"'{cell}"
    assert unmarked(marked(cell)) == cell


@pytest.mark.parametrize("cell", HARMLESS)
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert (marked(cell), unmarked(cell)) == (cell, cell)


@given(st.text(alphabet="'=+-@\t 1a.,eE"))
def test_every_cell_comes_back_as_it_was(cell: str) -> None:
    assert unmarked(marked(cell)) == cell


@given(st.lists(st.text(alphabet="'=+-@\t 1a;\n\"", max_size=8), min_size=1, max_size=4), st.sampled_from(",;\t|"))
def test_no_cell_of_a_line_runs_whatever_the_row_was(cells: list[str], delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    rejected = RejectedRow(2, text.getvalue().removesuffix("\r\n"), (RowFault(RowFaultCode.RAGGED_ROW, "=v", "why"),))

    [row] = csv.reader(io.StringIO(line_of(rejected, delimiter), newline=""), delimiter=delimiter)

    assert row[:3] == ["2", "ragged_row", "'=v: why"]
    assert not [cell for cell in row if cell.lstrip(" ").startswith(RUNNING) and marked(cell) != cell]
    assert [unmarked(cell) for cell in row[3:]] == cells


@pytest.mark.parametrize("row", ['2023-01-01,"=never closed', 'a,"b"=c,=d', '"\n=x', "=a\n,=b", '"=a'])
def test_nor_does_one_of_a_row_whose_quotes_do_not_match(row: str) -> None:
    fault = RowFault(RowFaultCode.UNTERMINATED_QUOTE, None, "its quotes do not match")

    line = line_of(RejectedRow(2, row, (fault,)), ",")

    row = line.split("match,", 1)[1]
    assert not [cell for cell in row.replace("\n", ",").split(",") if cell.strip(' "').startswith(RUNNING)]


def chunks_of(content: bytes) -> list[Chunk]:
    config = CSVIngestConfig(source_id="oven-1")
    layout = inspect(content, is_whole=True, given=config, file="a.csv").layout
    reader = ChunkReader(layout, "oven-1", part=0, parts=1, clock=lambda: NOW, now=NOW)
    file = io.BytesIO(content)
    file.seek(layout.begins.offset)
    return list(reader.chunks(file, layout.begins, file.tell))


def rejects_of(content: bytes, columns: list[str], *, is_marked: bool = False) -> bytes:
    rows = [row for chunk in chunks_of(content) for row in chunk.rejected]
    lines = [line_of(row, ",", is_marked=is_marked) for row in rows]
    return (header(columns, ",") + "\n" + "".join(lines)).encode()


def test_a_name_with_an_end_of_line_is_one_cell_of_the_header() -> None:
    [names] = csv.reader(io.StringIO(header(["time", "=v\nin °C"], ","), newline=""))

    assert names == [*COLUMNS, "time", "'=v\nin °C"]


def test_corrected_and_sent_again_the_streams_have_the_names_that_were_sent() -> None:
    first = (
        b"time,sensor,=v\n"
        + b"2023-01-01T00:00:00Z,-a,1\n" * 9
        + b"2023-01-01T00:01:00Z,=b(),oops\n2023-01-01T00:02:00Z,'=c,no\n"
    )

    rejects = rejects_of(first, ["time", "sensor", "=v"])
    corrected = rejects.replace(b"oops", b"2").replace(b",no", b",3")

    assert rejects.startswith(b"rejected_line,rejected_code,rejected_reason,time,sensor,'=v\n")
    named = {series.stream_id: list(series.values) for chunk in chunks_of(corrected) for series in chunk.series}
    assert named == {"oven-1:=b()": [2.0], "oven-1:'=c": [3.0]}


def test_rejected_again_a_cell_is_not_marked_twice() -> None:
    first = b"time,v\n" + b"".join(b"2023-01-01T00:00:0%dZ,1\n" % second for second in range(9))
    first += b"2023-01-01T00:01:00Z,=1+1\n"
    once = rejects_of(first, ["time", "v"])
    assert once.splitlines()[1].endswith(b",'=1+1")

    once += b"".join(b"2,not_a_number,why,2023-01-01T00:02:0%dZ,1\n" % number for number in range(9))
    twice = rejects_of(once, [*COLUMNS, "time", "v"], is_marked=True)

    assert twice.splitlines()[1].endswith(b",'=1+1")
