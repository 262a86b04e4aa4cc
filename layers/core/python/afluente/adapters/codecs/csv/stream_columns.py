"""The streams of a table: named by a column, or one for each column of numbers."""

import re
from collections.abc import Sequence

from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rejects import REJECTED
from afluente.adapters.codecs.csv.sampled_table import SampledTable
from afluente.adapters.codecs.csv.sampling import ENOUGH, MOST, share
from afluente.adapters.codecs.csv.time_columns import TimeColumns, word
from afluente.adapters.codecs.csv.times import looks_like_clock
from afluente.application.csv.faults import JobFault, NotReadableError

# Rows measured more often than the clock ticks may share their time; not so many of them.
_FEW = 8
_LEAST_DISTINCT = 0.4
# A column so called names the stream of a row, whatever it holds.
_STREAM_NAMES = frozenset(
    str.split(
        "symbol ticker sensor sensor_id sensorid sensor_name stream stream_id metric metric_name series series_id tag "
        "tag_name variable channel device device_id deviceid device_name station station_id meter meter_id host "
        "hostname instance node_id patient patient_id building_id machine machine_id asset asset_id"
    )
)


class StreamColumns:
    """The columns that name streams or hold their values.

    Attributes:
        named_by: the column that names the stream of each row (long format), if there is one.
        values: the columns that hold values.
    """

    def __init__(self, table: SampledTable, times: TimeColumns, given: CSVIngestConfig) -> None:
        self._table = table
        self._times = times
        self._given = given
        self.named_by = self._naming_column()
        self._check_times()
        self.values = self._values({*times.names, *([self.named_by] if self.named_by else [])})

    def _naming_column(self) -> str | None:
        """The column that names the stream of each row (long format)."""
        if self._given.stream_column is not None:
            self._table.check_known("stream_column", (self._given.stream_column,))
            return self._given.stream_column
        if not self._times.names:
            return None
        others = {*self._times.names, *(self._given.value_columns or ())}
        called = [
            name
            for name in self._table.names
            if name not in others and word(name) in _STREAM_NAMES and self._table.cells[name]
        ]
        # A column that is the same throughout names no streams, if there are others.
        called = [name for name in called if len(set(self._table.cells[name])) > 1] or called[:1]
        if len(called) > 1:
            message = (
                f"the columns {', '.join(called)} can each name the stream of a row; say which is the stream_column"
            )
            raise NotReadableError(JobFault.AMBIGUOUS_STREAMS, message)
        return called[0] if called else self._distinguishing_column(others)

    def _distinguishing_column(self, others: set[str]) -> str | None:
        """The first column of text that distinguishes rows of the same time."""
        places = [self._table.names.index(name) for name in self._times.names]
        rows = [row for row in self._table.data_rows if len(row) >= len(self._table.names)]
        times = [" ".join(row[place].strip() for place in places) for row in rows]
        for place, name in enumerate(self._table.names):
            cells = self._table.cells[name]
            if name in others or len(cells) < ENOUGH * len(rows) or share(cells, self._table.numbers.is_number) > MOST:
                continue
            if not looks_like_clock(cells) and _names_streams([row[place] for row in rows], times):
                return name
        return None

    def _check_times(self) -> None:
        """Refuse a file most of whose rows share their time, though no column names their streams."""
        if self.named_by is not None or self._given.timestamp_column is not None or not self._times.names:
            return
        times = self._times.of_rows()
        distinct = len(set(times))
        if len(times) >= _FEW and distinct < _LEAST_DISTINCT * len(times):
            column = " ".join(self._times.names)
            message = (
                f"{len(times)} rows have {distinct} times between them in column {column!a}: a column may name their "
                "stream (say stream_column), or the time be in several columns (say timestamp_column as a list); to "
                "read the file as it is, say timestamp_column"
            )
            raise NotReadableError(JobFault.AMBIGUOUS_STREAMS, message)

    def _values(self, others: set[str]) -> tuple[str, ...]:
        if self._given.value_columns is not None:
            self._table.check_known("value_columns", self._given.value_columns)
            for name in others & set(self._given.value_columns):
                message = (
                    f"value_columns: {name!a} is taken for the time or for the name of the stream; say which it is"
                )
                raise NotReadableError(JobFault.INVALID_OPTIONS, message)
            return self._given.value_columns
        values = tuple(
            name for name, cells in self._table.cells.items() if name not in others and self._is_value(name, cells)
        )
        if not values:
            names = ", ".join(self._table.names)
            message = f"no column holds numbers (columns: {names}); say value_columns, delimiter or decimal"
            raise NotReadableError(JobFault.NO_VALUES, message)
        return values

    def _is_value(self, name: str, cells: Sequence[str]) -> bool:
        if name.startswith(REJECTED) or self._table.are_row_numbers(name):
            return False
        if not cells:
            # Its first cells are empty; later ones may not be.
            return not self._table.is_whole and not re.fullmatch(r"column_\d+", name)
        return share(cells, self._table.numbers.is_number) > MOST


def _names_streams(named: Sequence[str], times: Sequence[str]) -> bool:
    """Tell whether a column names streams: then a time comes once for each of its values."""
    distinct = len(set(named))
    if distinct == 1 or distinct > MOST * len(named):
        return False
    return len(set(times)) <= MOST * len(times) and len(set(zip(named, times, strict=False))) >= ENOUGH * len(times)
