"""A file that is sent: its points, and the position up to which it has been sent."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cli.core.errors import CommandError, ExitCode
from cli.core.output import err
from cli.sending.inputs import STDIN, Format, Input, open_input
from cli.sending.ndjson_reader import read_ndjson
from cli.sending.points import Read
from cli.sending.positions import Position, PositionFile
from cli.sending.progress import SendingProgress
from cli.sending.rejects import Rejects
from cli.sending.run import Totals, Transport, send_all

_SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Choices:
    """The file to send, and how it is read.

    Attributes:
        file: a path, or `-` for standard input.
        source: of the points.
        options: of a CSV file; those that are not given are inferred.
        resume: go on where an earlier run stopped.
    """

    file: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """An open file with the position to begin at.

    Attributes:
        input: the file.
        reads: the items of its reader.
        bytes_read: gives the bytes of the file that were read.
        began_at: time of the first run, by which points of the future are rejected, in Unix seconds.
        begin: totals of earlier runs.
        position: file of the position; None for standard input, which cannot be read again.
    """

    input: Input
    reads: Iterator[Read]
    bytes_read: Callable[[], int]
    began_at: float
    begin: Totals
    position: PositionFile | None


@contextlib.contextmanager
def open_job(choices: Choices, positions: Path, destination: Sequence[str]) -> Iterator[Job]:
    """Open a file to send, for the block.

    Args:
        choices: the file.
        positions: folder of the saved positions.
        destination: everything that names the destination; another destination has a position of its own.

    Raises:
        CommandError: it cannot be read, or not from the position where an earlier run stopped.
    """
    if choices.file == STDIN and choices.resume:
        raise CommandError("standard input cannot be read again", hint="send a file", code=ExitCode.USAGE)
    with open_input(choices.file) as opened:
        if opened.path is None:
            began_at = time.time()
            yield Job(opened, *_reads(opened, choices, began_at), began_at, Totals(), None)
            return
        options = msgspec.json.encode(choices.options, order="deterministic").decode()
        position = PositionFile(positions, opened.path, (*destination, choices.source, options))
        saved = position.load()
        resumed = saved if choices.resume else None
        began_at = resumed.began_at if resumed else time.time()
        reads, bytes_read = _reads(opened, choices, began_at)
        _show_position(saved, resume=choices.resume)
        begin = Totals(resumed.read, resumed.inserted, resumed.rejected) if resumed else Totals()
        yield Job(opened, reads, bytes_read, began_at, begin, position)


def run(job: Job, transport: Transport, *, batch: int, progress: SendingProgress, rejects: Rejects) -> Totals:
    """Send the rest of the file; if that ends early, the position is saved."""
    with progress.shown(), _saving_position(job) as save:

        def on_progress(totals: Totals) -> None:
            save(totals)
            progress.update(totals)

        return send_all(
            job.reads, transport, batch=batch, begin=job.begin, on_rejected=rejects.add, on_progress=on_progress
        )


def _reads(opened: Input, choices: Choices, now: float) -> tuple[Iterator[Read], Callable[[], int]]:
    """The items of the file's reader, and what gives the bytes that it has read."""
    if opened.format() is Format.NDJSON:
        if choices.options:
            raise CommandError(
                "--column, --stream-type, --option and --options are for tables; a line of NDJSON says all itself",
                code=ExitCode.USAGE,
            )
        return read_ndjson(opened.lines()), opened.bytes_read
    from cli.sending.csv_reader import CsvReader, show_reading  # noqa: PLC0415 - NDJSON is sent without pydantic

    reader = CsvReader(opened, source=choices.source, options=choices.options, now=now)
    show_reading(err(), reader.inspection, with_left_out="value_columns" not in choices.options)
    return reader.reads(), reader.bytes_read


def _show_position(saved: Position | None, *, resume: bool) -> None:
    if saved is not None and resume:
        err().print(f"going on after {saved.read:,} points")
    elif saved is not None:
        err().print(f"an earlier run stopped after {saved.read:,} points; --resume would go on from there")
    elif resume:
        err().print("no earlier run of this file stopped on the way: sending it from the beginning")


@contextlib.contextmanager
def _saving_position(job: Job) -> Iterator[Callable[[Totals], None]]:
    """Save the position about every second, so that even a killed run can be resumed, and when the block ends early."""
    latest = job.begin
    saved_at = time.monotonic()

    def save(totals: Totals) -> None:
        nonlocal latest, saved_at
        latest = totals
        if job.position is not None and time.monotonic() - saved_at >= _SAVE_SECONDS:
            job.position.save(totals, job.began_at)
            saved_at = time.monotonic()

    try:
        yield save
    except BaseException:
        if job.position is not None and latest.read:
            job.position.save(latest, job.began_at)
            err().print(f"stopped after {latest.read:,} points (line {latest.line}); --resume goes on from there")
        raise
    if job.position is not None:
        job.position.clear()
