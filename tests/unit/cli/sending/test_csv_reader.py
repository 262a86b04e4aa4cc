"""CSV files that are sent point by point: read as the service reads an uploaded file, each point with its line."""

import gzip
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.inference import inspect, sample_of
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.unpacking import open_unpacked
from afluente.application.csv.faults import NotReadableError
from cli.core.errors import CommandError, ExitCode
from cli.core.state import CHECKOUT
from cli.sending.csv_reader import CsvReader, show_reading
from cli.sending.inputs import Input, open_input
from cli.sending.points import Readable, SentPoint, Unreadable

NOW = 1_767_225_600.0
BEGIN = 1_700_000_000
DATA = CHECKOUT / "data"

Point = tuple[float, float, str | None]


class Reading(NamedTuple):
    """A file as it was read: points by stream, rejected rows, and why it could not be read to its end."""

    points: dict[str, list[Point]]
    rejected: list[tuple[int, str, list[tuple[str, str]]]]
    failure: str | None


def as_sent(content: bytes, name: str = "a.csv", **options: Any) -> Reading:
    """The file as `send` reads it."""
    points: dict[str, list[Point]] = {}
    rejected = []
    try:
        for read in reader_of(content, name, options).reads():
            if isinstance(read, Unreadable):
                faults = [(fault.code, fault.message) for fault in read.faults]
                rejected.append((read.line, read.text, faults))
            else:
                assert isinstance(read.point, SentPoint)
                point = read.point
                points.setdefault(point.stream_id, []).append((point.timestamp, point.value, point.stream_type))
    except CommandError as error:
        return Reading(points, rejected, error.message)
    return Reading(points, rejected, None)


def as_loaded(content: bytes, name: str = "a.csv", **options: Any) -> Reading:
    """The file as the loader of the service reads it."""
    points: dict[str, list[Point]] = {}
    rejected = []
    failure = None
    try:
        sample, is_whole = sample_of(open_unpacked(io.BytesIO(content), name))
        config = CSVIngestConfig.model_validate({**options, "source_id": "s"})
        layout = inspect(sample, is_whole=is_whole, given=config, file=name).layout
        file = open_unpacked(io.BytesIO(content), name)
        file.read(layout.begins.offset)
        reader = ChunkReader(layout, "s", part=0, parts=1, clock=lambda: NOW, now=NOW)
        for chunk in reader.chunks(file, layout.begins, lambda: 0):
            for series in chunk.series:
                its = zip(series.timestamps, series.values, strict=True)
                points.setdefault(series.stream_id, []).extend((*point, series.stream_type) for point in its)
            for row in chunk.rejected:
                text = row.row.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                rejected.append((row.line, text, [(str(fault.code), fault.message) for fault in row.faults]))
            if chunk.damage is not None:
                failure = f"{name}: {chunk.damage.message} ({chunk.damage.code})"
    except NotReadableError as error:
        failure = f"{name}: {error.reason.message} ({error.reason.code})"
    return Reading(points, rejected, failure)


def reader_of(content: bytes, name: str = "a.csv", options: Mapping[str, Any] | None = None) -> CsvReader:
    opened = Input(name, Path(name), len(content), io.BufferedReader(cast("io.RawIOBase", io.BytesIO(content))))
    return CsvReader(opened, source="s", options=options or {}, now=NOW)


@contextmanager
def reader_of_file(path: Path) -> Iterator[CsvReader]:
    with open_input(str(path)) as opened:
        yield CsvReader(opened, source="s", options={}, now=NOW)


# --- the same as the service -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(DATA.rglob("*.csv")), ids=lambda file: str(file.relative_to(DATA)))
def test_real_files_have_the_same_points_whether_they_are_sent_or_loaded(file: Path) -> None:
    sent = as_sent(file.read_bytes(), file.name)

    assert sent == as_loaded(file.read_bytes(), file.name)
    assert sent.points
    assert sent.failure is None


@pytest.mark.parametrize(
    "content",
    [
        b"time,a,b\n2024-01-01,1,2.5\n\n2024-01-02,,3\n",
        b"time;a\r\n2024-01-01 10:00;1,5\r\n2024-01-01 11:00;2,75\r\n",
        b"date,hora,valor\n2024-01-13,10:00,1\n2024-01-14,10:30,2\n",
        b"time,symbol,price\n2024-01-01,A,1\n2024-01-01,B,2\n2024-01-02,A,3\n2024-01-02,B,x\n",
        b"a,b\n1,2\n3,4\n",
        b"Report of today\n\ntime,a\n2024-01-01,1\n2024-01-02,2\n",
        b"sep=;\ntime;a\n2024-01-01;1\n",
        b'time,a\n2024-01-01,"1\n2024-01-02,2\n2024-01-03,3"4\n2024-01-04,4\n',
        b"time,a\n2024-01-01,1,2\n2024-01-02\nyesterday,3\n,4\n2024-01-05,NaN\n2030-01-01,6\n2024-01-07,1e999\n",
        b"time,a\n2024-01-01,1\n2024-01-02,\xff\n",
        "time,tempé\n2024-01-01,1\n".encode("latin-1"),
        "time,a\n2024-01-01,1\n2024-01-02,2\n".encode("utf-16"),
        b"time,a/b,a+b\n2024-01-01,1,2\n",
        b"rejected_line,rejected_code,rejected_reason,time,a\n2,not_a_number,x,2024-01-01,'=1\n3,x,y,2024-01-02,2\n",
        b"time,a\n0,1\n1,2\n2,3\n",
        b"date,a\n01/02/2024,1\n02/03/2024,2\n",
        b"time,a\n2024-01-01,x\n",
        b"PK\x03\x04",
        b"",
        b"\n",
        b"time,a",
    ],
    ids=lambda content: f"{content[:30]!r} ({len(content)})",
)
def test_a_file_gives_the_same_points_rejects_and_refusals_whether_it_is_sent_or_loaded(content: bytes) -> None:
    assert as_sent(content) == as_loaded(content)


@pytest.mark.parametrize(
    "options",
    [
        {"value_columns": ["b"]},
        {"stream_type": "temperature"},
        {"stream_type": {"a": "temperature"}},
        {"timezone": "Europe/Madrid"},
        {"max_rows": 3},
        {"timestamp_column": [], "start": 5.0, "step": 2.0},
        {"stream_column": "b", "value_columns": ["a"]},
        {"value_columns": ["c"]},
    ],
)
def test_options_count_the_same_whether_a_file_is_sent_or_loaded(options: dict[str, Any]) -> None:
    content = b"time,a,b\n" + b"".join(b"2024-01-01 10:%02d,%d,%d\n" % (i, i, i % 2) for i in range(10))

    assert as_sent(content, **options) == as_loaded(content, **options)


@pytest.mark.parametrize(
    ("name", "pack"), [("a.csv.gz", gzip.compress), ("a.csv.zst", zstd.compress), ("A.CSV.GZ", gzip.compress)]
)
def test_packed_files_are_read_and_of_damaged_ones_all_that_comes_before(name: str, pack: Any) -> None:
    content = b"time,a\n" + b"".join(b"%d,%d\n" % (BEGIN + i, i * 7_919) for i in range(20_000))
    packed = pack(content)

    whole, cut = as_sent(packed, name), as_sent(packed[: len(packed) // 2], name)

    assert len(whole.points["s:a"]) == 20_000
    assert cut == as_loaded(packed[: len(packed) // 2], name)
    assert 0 < len(cut.points["s:a"]) < 20_000
    assert "damaged_archive" in (cut.failure or "")


_CELLS = st.sampled_from(["", "1", "-2.5", "x", "NaN", "1e3", '"7"', '"8', '9"', '"a\n1"', "2024-01-01", "1,5"])
_ROWS = st.tuples(st.integers(0, 28 * 24), st.lists(_CELLS, min_size=1, max_size=3))


@given(st.lists(_ROWS, max_size=60), st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_any_table_gives_the_same_points_and_rejects(
    rows: list[tuple[int, list[str]]], delimiter: str, end: str
) -> None:
    lines = [delimiter.join(["time", "a", "b"])]
    lines += [delimiter.join([f"2024-02-{hour // 24 + 1:02d}T{hour % 24:02d}:00:00Z", *cells]) for hour, cells in rows]
    content = end.join([*lines, ""]).encode()

    assert as_sent(content) == as_loaded(content)


# --- lines, order and progress ---------------------------------------------------------------------------------------


def test_points_come_in_the_order_of_rows_and_cells_each_with_its_line() -> None:
    content = b'title\ntime,a,b,note\n2024-01-01,1,2,"two\nlines"\n\n2024-01-02,x,3,\n2024-01-03,4,5,\n'

    reads = list(reader_of(content).reads())

    assert [read.line for read in reads] == [3, 3, 6, 6, 7, 7]
    values = [read.point.value for read in reads if isinstance(read, Readable) and isinstance(read.point, SentPoint)]
    assert values == [1, 2, 3, 4, 5]
    assert isinstance(reads[3], Unreadable)
    assert (reads[3].text, reads[3].faults[0].field) == ("2024-01-02,x,3,", "a")


def test_a_fault_of_a_whole_row_is_one_of_the_row() -> None:
    [rejected] = [
        read for read in reader_of(b"time,a\n2024-01-01,1\n2024-01-02\n").reads() if isinstance(read, Unreadable)
    ]

    assert [(fault.field, fault.code) for fault in rejected.faults] == [("row", "ragged_row")]


def test_bytes_that_are_no_text_can_be_written_as_json() -> None:
    reads = list(reader_of(b"time,a\n2024-01-01,1\n2024-01-02,2\n2024-01-03,\xc3\xa9\xff\n").reads())

    assert isinstance(reads[-1], Unreadable)
    assert reads[-1].text == "2024-01-03,é\ufffd"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_the_bytes_that_were_read_grow_row_by_row_up_to_all_of_them(tmp_path: Path, name: str) -> None:
    content = b"time,a\n" + b"".join(b"%d,%d\n" % (BEGIN + i, i) for i in range(1_000))
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with reader_of_file(path) as reader:
        seen = [reader.bytes_read() for _ in reader.reads()]

        assert seen == sorted(seen)
        assert len(set(seen)) > 100
        assert reader.bytes_read() == path.stat().st_size


def test_standard_input_is_read_as_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"time,a\n" + b"".join(b"%d,%d\n" % (BEGIN + i, i) for i in range(100))
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin:
        os.write(writing, content)
        os.close(writing)
        monkeypatch.setattr(sys, "stdin", stdin)
        with open_input("-") as opened:
            reads = list(CsvReader(opened, source="s", options={}, now=NOW).reads())

    assert reads == list(reader_of(content).reads())
    assert len(reads) == 100


def test_a_row_that_is_too_long_is_rejected_and_the_next_one_is_read() -> None:
    content = b"time,a\n2024-01-01,1\n" + b"x" * 9_000_000 + b"\n2024-01-02,2\n"

    sent = as_sent(content)

    assert sent == as_loaded(content)
    assert [(line, codes[0][0]) for line, _, codes in sent.rejected] == [(3, "row_too_long")]
    assert len(sent.points["s:a"]) == 2


# --- what people see -------------------------------------------------------------------------------------------------


def shown(content: bytes, *, with_left_out: bool = True, **options: Any) -> str:
    console = Console(record=True, width=200, quiet=False)
    show_reading(console, reader_of(content, options=options).inspection, with_left_out=with_left_out)
    return console.export_text()


def test_time_streams_and_columns_that_are_left_out_are_shown() -> None:
    content = b"timestamp,temperature,state\n2024-01-01,71.2,on\n2024-01-02,71.3,on\n"

    assert shown(content) == "time: timestamp · streams: s:temperature\nleft out: state (not numeric)\n"
    assert "left out" not in shown(content, with_left_out=False)


def test_a_file_without_times_is_shown_to_be_counted() -> None:
    text = shown(b"a,b\n1,2\n3,4\n")

    assert "time: by the place of the row · streams: s:a, s:b" in text
    assert "note: no column holds times" in text


def test_a_refusal_is_wrong_usage_with_a_hint_how_to_say_it() -> None:
    with pytest.raises(CommandError) as caught:
        reader_of(b"date,a\n01/02/2024,1\n02/03/2024,2\n")

    assert caught.value.code is ExitCode.USAGE
    assert "(ambiguous_dates)" in caught.value.message
    assert "--option" in caught.value.hint
