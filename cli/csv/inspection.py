"""Inspection of a CSV file on this machine: the options and columns that the service would infer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afluente.adapters.codecs.csv.inference import Column, Inspection, inspect, sample_of
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.unpacking import open_unpacked
from afluente.application.csv.faults import NotReadableError
from afluente.application.csv.files import FOLDER_OPTIONS, SIDE_FILE_SUFFIX
from cli.core.errors import CommandError, ExitCode
from cli.csv.files import LocalFile
from cli.csv.rendering import json_text

_SHOWN_CELL_LENGTH = 30
_ROLES = {
    "time": "[cyan]time[/]",
    "value": "[green]value[/]",
    "stream": "[magenta]stream[/]",
    "left_out": "[dim]left out[/]",
}


class InspectionReport(msgspec.Struct, frozen=True):
    """An inspection as `--json` writes it."""

    file: str
    options: dict[str, Any]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    first_times: tuple[str, ...]


def inspect_file(file: LocalFile, options: Mapping[str, Any]) -> Inspection:
    """Infer how the service would read a file, from its beginning.

    Raises:
        CommandError: it cannot be read, or is ambiguous.
    """
    try:
        with file.path.open("rb") as packed:
            sample, is_whole = sample_of(open_unpacked(packed, file.name))
        given = CSVIngestConfig.model_validate(dict(options))
        return inspect(sample, is_whole=is_whole, given=given, file=file.name)
    except NotReadableError as error:
        raise CommandError(f"{file.path}: {error.reason.message} ({error.reason.code})") from None


def report_of(file: LocalFile, found: Inspection) -> InspectionReport:
    """An inspection for a program."""
    return InspectionReport(
        file.name, found.config.given(), found.columns, found.notes, found.first_rows, found.first_times
    )


def show_inspection(console: Console, file: LocalFile, found: Inspection) -> None:
    """Show an inspection."""
    summary = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    summary.add_column(style="dim", no_wrap=True)
    summary.add_column(overflow="fold")
    for name, value in _facts(file, found):
        summary.add_row(name, escape(value))
    console.print(summary)
    columns = Table("column", "role", "stream", "why", "first cells", box=None, padding=(0, 2, 0, 0))
    for place, column in enumerate(found.columns):
        cells = [_short(row[place]) for row in found.first_rows if place < len(row)]
        rest = (column.stream or "", column.why, " · ".join(cells))
        columns.add_row(escape(column.name), _ROLES.get(column.role, column.role), *map(escape, rest))
    console.print(columns)
    for note in found.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)


def show_use_of_options(console: Console, file: LocalFile, saved: Path | None) -> None:
    """Show the places where saved options are used."""
    begin = f"saved as {saved}: " if saved else "--save OPTIONS.json writes these options: "
    console.print(
        f"{begin}give them to 'afluente csv send --options', or put them into the bucket as {file.name}"
        f"{SIDE_FILE_SUFFIX} beside the file, or as {FOLDER_OPTIONS} for all files of its folder: first the options",
        markup=False,
        soft_wrap=True,
    )


def check_free(path: Path, *, force: bool) -> None:
    """Check that no file is overwritten unasked.

    Raises:
        CommandError: there is a file.
    """
    if path.exists() and not force:
        raise CommandError(f"{path} exists", hint="--force overwrites it", code=ExitCode.USAGE)


def save_options(path: Path, found: Inspection) -> None:
    """Write the inferred options, for people to read and change."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found.config.given())) + b"\n")


def _facts(file: LocalFile, found: Inspection) -> Iterator[tuple[str, str]]:
    config = found.config
    yield "file", str(file.path)
    yield "encoding", config.encoding or ""
    yield "delimiter", json_text(config.delimiter)
    thousands = f", thousands {json_text(config.thousands)}" if config.thousands else ""
    yield "decimal sign", f"{json_text(config.decimal)}{thousands}"
    skipped = f", after {config.skip_rows} lines" if config.skip_rows else ""
    yield "header", f"{'yes' if config.has_header else 'no'}{skipped}"
    if config.timestamp_column:
        yield "time", f"{' and '.join(config.timestamp_column)}, as {_form(config)}"
        if config.timestamp_format != "unix":
            yield "time zone", f"{config.timezone or 'UTC'}, where a time names none"
    else:
        yield "time", "by the place of the row: from `start`, one each `step` seconds"
    if found.first_rows and found.first_times:
        yield "first time", f"{found.first_times[0]}{_as_written(found)}"


def _form(config: CSVIngestConfig) -> str:
    if config.timestamp_format == "unix":
        return f"Unix time in {config.timestamp_unit or 's'}"
    return config.timestamp_pattern or "ISO 8601"


def _as_written(found: Inspection) -> str:
    places = [place for place, column in enumerate(found.columns) if column.role == "time"]
    cells = [found.first_rows[0][place] for place in places if place < len(found.first_rows[0])]
    return f", written {' '.join(cells)}" if cells else ""


def _short(cell: str) -> str:
    return cell if len(cell) <= _SHOWN_CELL_LENGTH else f"{cell[: _SHOWN_CELL_LENGTH - 1]}…"
