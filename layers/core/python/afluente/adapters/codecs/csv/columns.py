"""Blocks as points, column by column with pandas: for sound blocks, which are most."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from afluente.adapters.codecs.csv.layout import Layout
from afluente.adapters.codecs.csv.options import UNITS
from afluente.adapters.codecs.csv.rows import RowsRead, Stream, Streams
from afluente.application.csv.faults import RowFault
from afluente.application.ingest.packs import Series
from afluente.domain.datapoints import MAX_FUTURE_SECONDS, MIN_TIMESTAMP

_QUOTE = b'"'
# Numbers of nanoseconds that 64 bits hold.
_NANOSECONDS = r"[+-]?\d{1,18}|[+-]?[1-8]\d{18}"
_SHORTEST_ISO = len("2000-01-01")


_Doubles = np.ndarray[Any, np.dtype[np.float64]]


class NotPlainError(Exception):
    """The block needs the exact reader."""


class ColumnReader:
    """Reads blocks of sound rows.

    Every number and every time is the same as from `RowReader`.

    Args:
        layout: of the file.
        streams: of the part.
    """

    def __init__(self, layout: Layout, streams: Streams) -> None:
        self._layout = layout
        self._streams = streams
        self._numbers = layout.notation.reader()
        # For pandas, every way to write a number that is among the nulls is a null, and thousands may be misplaced.
        self._plain_nulls = [null for null in layout.nulls if not self._numbers.is_number(null)]
        self._reads_texts = bool(layout.notation.thousands) or len(self._plain_nulls) < len(layout.nulls)
        self._values = streams.columns()
        delimiter = layout.delimiter.encode()
        self._separators = delimiter * (len(layout.columns) - 1) + b"\n"
        self._no_separators = bytes(set(range(256)) - {*delimiter, *b"\n"})
        self._options = self._reading_options()

    def read(self, block: bytes, row: int, now: float) -> RowsRead:
        """Read the rows of a block.

        Args:
            block: whole rows.
            row: the rows of data before it.
            now: Unix seconds.

        Raises:
            NotPlainError: a row has a fault, or a form that takes the exact reader.
        """
        rows = self._check_shape(block)
        try:
            frame = pd.read_csv(BytesIO(self._as_utf8(block)), **self._options)
        except (ValueError, pd.errors.ParserError, UnicodeDecodeError, OverflowError) as error:
            raise NotPlainError(type(error).__name__) from error
        if len(frame) != rows:
            raise NotPlainError("rows")
        left = rows if self._layout.max_rows is None else max(0, min(rows, self._layout.max_rows - row))
        frame = frame.head(left)
        times = self._times(frame, row)
        _check_times(times, now)
        return RowsRead(tuple(self._series(frame, times)), left)

    def _reading_options(self) -> Mapping[str, Any]:
        layout = self._layout
        types: dict[int, Any] = {}
        for column in self._values:
            types[column] = str if self._reads_texts else np.float64
        for column in layout.time_columns:
            types[column] = self._type_of_times()
        if layout.stream_column is not None:
            types[layout.stream_column] = str
        return {
            "header": None,
            "names": range(len(layout.columns)),
            "index_col": False,
            "usecols": sorted(types),
            "dtype": types,
            "delimiter": layout.delimiter,
            "decimal": layout.notation.decimal,
            "na_values": dict.fromkeys(types, self._plain_nulls),
            "keep_default_na": False,
            "encoding": "utf-8",
            "engine": "c",
            "low_memory": False,
        }

    def _type_of_times(self) -> Any:
        times = self._layout.times
        if times is None or times.format != "unix" or self._reads_texts:
            return str
        # A double is too coarse for nanoseconds since 1970.
        return str if times.unit == "ns" else np.float64

    def _check_shape(self, block: bytes) -> int:
        """Count the rows, if each line is one and has all its cells."""
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        # Every other piece is outside quotes.
        outside = b"".join(block.split(_QUOTE)[::2]) if _QUOTE in block else block
        found = outside.translate(None, self._no_separators)
        if found.removesuffix(b"\n") != (self._separators * lines).removesuffix(b"\n"):
            raise NotPlainError("cells")
        return lines

    def _as_utf8(self, block: bytes) -> bytes:
        encoding = self._layout.encoding
        if encoding.name == "utf-8" or encoding.is_wide:
            return block
        return block.decode(encoding.name).encode()

    # --- times -------------------------------------------------------------------------------------------------------

    def _times(self, frame: pd.DataFrame, row: int) -> _Doubles:
        layout = self._layout
        if layout.times is None:
            counted = np.arange(row, row + len(frame), dtype=np.float64)
            return np.asarray(layout.start + counted * layout.step)
        cells = frame[layout.time_columns[0]]
        if cells.isna().any() or (self._reads_texts and cells.isin(layout.nulls).any()):
            raise NotPlainError("no time")
        if layout.times.format == "unix":
            timer = self._unix(cells)
            return np.asarray(layout.start + timer) if layout.start else timer
        return self._calendar([frame[column] for column in layout.time_columns])

    def _unix(self, cells: "pd.Series[Any]") -> _Doubles:
        times = self._layout.times
        if times is None:
            raise NotPlainError("no times")
        if times.unit == "ns":
            if not cells.str.fullmatch(_NANOSECONDS).all():
                raise NotPlainError("nanoseconds")
            seconds, rest = np.divmod(cells.astype(np.int64).to_numpy(), 10**9)
            return seconds.astype(np.float64) + rest / 1e9
        if not pd.api.types.is_numeric_dtype(cells.dtype):
            raise NotPlainError("numbers of time")
        return np.asarray(cells.to_numpy(np.float64) / UNITS[times.unit])

    def _calendar(self, parts: Sequence["pd.Series[Any]"]) -> _Doubles:
        times = self._layout.times
        if times is None or any(part.isna().any() for part in parts):
            raise NotPlainError("no time")
        cells = parts[0].str.strip()
        for part in parts[1:]:
            cells = cells + " " + part.str.strip()
        if times.pattern is None and cells.str.len().min() < _SHORTEST_ISO:
            raise NotPlainError("short time")
        try:
            parsed = pd.to_datetime(cells, format=times.pattern or "ISO8601", utc=times.timezone == "UTC")
        except (ValueError, OverflowError) as error:
            raise NotPlainError("time") from error
        if not isinstance(parsed.dtype, pd.DatetimeTZDtype):
            if not pd.api.types.is_datetime64_dtype(parsed.dtype):
                raise NotPlainError("zones")
            parsed = parsed.dt.tz_localize(times.timezone, ambiguous="NaT", nonexistent="NaT")
        if parsed.isna().any():
            raise NotPlainError("time of no zone")
        micros = parsed.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
        return np.asarray(micros / 1e6)

    # --- points ------------------------------------------------------------------------------------------------------

    def _series(self, frame: pd.DataFrame, times: _Doubles) -> Iterator[Series]:
        if self._layout.stream_column is not None:
            yield from self._series_of_long(frame, times)
            return
        for column in self._values:
            yield from self._one(self._streams.of(column, None), frame[column], times)

    def _series_of_long(self, frame: pd.DataFrame, times: _Doubles) -> Iterator[Series]:
        names = frame[self._layout.stream_column]
        if names.isna().any() or names.str.strip().isin(self._layout.nulls).any():
            raise NotPlainError("no stream")
        # The rows of each stream together, in their order.
        for named, places in names.groupby(names, sort=False).indices.items():
            for column in self._values:
                stream = self._streams.of(column, str(named))
                if stream is not None:
                    yield from self._one(stream, frame[column].iloc[places], times[places])

    def _one(self, stream: Stream | RowFault | None, cells: "pd.Series[Any]", times: _Doubles) -> Iterator[Series]:
        """The points of one stream, if there are any."""
        if stream is None or isinstance(stream, RowFault):
            raise NotPlainError("stream")
        values, here = self._numbers_of(cells, times)
        if values:
            yield Series(*stream, here, values)

    def _numbers_of(self, cells: "pd.Series[Any]", times: _Doubles) -> tuple[list[float], list[float]]:
        """The numbers of the cells that hold one, with their times."""
        present = (cells.notna() & ~cells.isin(self._layout.nulls) if self._reads_texts else cells.notna()).to_numpy()
        if self._reads_texts:
            texts = cells[present].str.strip()
            if not texts.str.fullmatch(self._numbers.pattern).all():
                raise NotPlainError("number")
            numbers = np.array([float(self._numbers.plain(text)) for text in texts], dtype=np.float64)
        else:
            numbers = cells.to_numpy(np.float64)[present]
        if not np.isfinite(numbers).all():
            raise NotPlainError("infinite")
        return numbers.tolist(), times[present].tolist()


def _check_times(times: _Doubles, now: float) -> None:
    if len(times) and not (
        np.isfinite(times).all() and MIN_TIMESTAMP <= times.min() <= times.max() <= now + MAX_FUTURE_SECONDS
    ):
        raise NotPlainError("time out of range")
