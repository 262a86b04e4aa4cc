"""Reports of a migration: a line for each sensor, as CSV or NDJSON."""

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import msgspec


class Report(Protocol):
    """A report that is open."""

    def add(self, line: msgspec.Struct) -> None:
        """Write a line."""
        ...


class _Nowhere:
    def add(self, line: msgspec.Struct) -> None:
        del line


class _Ndjson:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, line: msgspec.Struct) -> None:
        self._file.write(msgspec.json.encode(_plain(line)).decode() + "\n")


class _Csv:
    def __init__(self, file: IO[str], columns: Sequence[str], *, header: bool) -> None:
        self._writer = csv.DictWriter(file, columns, extrasaction="ignore")
        if header:
            self._writer.writeheader()

    def add(self, line: msgspec.Struct) -> None:
        fields = _plain(line)
        self._writer.writerow(
            {name: "; ".join(value) if isinstance(value, list) else value for name, value in fields.items()}
        )


class ReportFile:
    """Opens a report for a block: CSV if the file is named so, else NDJSON.

    Args:
        path: of the file; None for no report.
        columns: of a line, in order.
        goes_on: append to the lines that are there.
    """

    def __init__(self, path: Path | None, columns: Sequence[str], *, goes_on: bool = False) -> None:
        self._path = path
        self._columns = columns
        self._goes_on = goes_on and path is not None and path.exists()
        self._file: IO[str] | None = None

    def __enter__(self) -> Report:
        if self._path is None:
            return _Nowhere()
        # Line by line: a command that is killed leaves whole lines, of all the sensors before.
        mode = "a" if self._goes_on else "w"
        self._file = self._path.open(mode, buffering=1, encoding="utf-8", newline="")
        if self._path.suffix.lower() == ".csv":
            return _Csv(self._file, self._columns, header=not self._goes_on)
        return _Ndjson(self._file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _plain(line: msgspec.Struct) -> dict[str, Any]:
    """The fields of a line for JSON; items of tuples as texts."""
    return {name: _plain_value(getattr(line, name)) for name in line.__struct_fields__}


def _plain_value(value: object) -> object:
    if isinstance(value, tuple):
        return [str(part) for part in value]
    return value
