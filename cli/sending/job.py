"""A file on its way to the service: what is read from it, from where on, and how the place is kept."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.core.errors import CommandError, ExitCode
from cli.core.output import err
from cli.sending.csv_reader import read_table
from cli.sending.inputs import STDIN, Format, Input, open_input
from cli.sending.ndjson_reader import read_ndjson
from cli.sending.points import Read
from cli.sending.positions import PositionFile
from cli.sending.progress import SendingProgress
from cli.sending.rejects import Rejects
from cli.sending.run import Totals, Transport, send_all

_SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Choices:
    """What is to be read, and how.

    Attributes:
        file: a path, or `-` for standard input.
        source: the source; a CSV column is its stream `{source}:{column}`.
        columns: CSV columns to send; none for all numeric ones.
        stream_type: type of the streams of a CSV file.
        resume: go on where an earlier run stopped.
    """

    file: str
    source: str
    columns: tuple[str, ...] = ()
    stream_type: str | None = None
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """An open file with the place to begin at.

    Attributes:
        input: the file.
        reads: what its reader gives.
        begin: what earlier runs have done.
        position: where the place is kept; None for standard input, which nobody can read again.
    """

    input: Input
    reads: Iterator[Read]
    begin: Totals
    position: PositionFile | None


@contextlib.contextmanager
def open_job(choices: Choices, positions: Path, destination: Sequence[str]) -> Iterator[Job]:
    """What is to be sent, open for the block.

    Args:
        choices: what to read.
        positions: folder of the kept places.
        destination: everything that says where it is sent to; another destination has another place.

    Raises:
        CommandError: it cannot be read, or not from the place where an earlier run stopped.
    """
    if choices.file == STDIN and choices.resume:
        raise CommandError("standard input cannot be read again", hint="send a file", code=ExitCode.USAGE)
    with open_input(choices.file) as opened:
        reads = _reads(opened, choices)
        if opened.path is None:
            yield Job(opened, reads, Totals(), None)
            return
        decisive = (*destination, choices.source, repr(choices.stream_type), *choices.columns)
        position = PositionFile(positions, opened.path, decisive)
        yield Job(opened, reads, _begin(position, resume=choices.resume), position)


def run(job: Job, transport: Transport, *, batch: int, display: SendingProgress, rejects: Rejects) -> Totals:
    """Send what is left of the file; where that ends early, the place is kept."""
    with display.shown(), _keeping_place(job) as keep:

        def on_progress(totals: Totals) -> None:
            keep(totals)
            display.update(totals)

        return send_all(
            job.reads, transport, batch=batch, begin=job.begin, on_rejected=rejects.add, on_progress=on_progress
        )


def _reads(opened: Input, choices: Choices) -> Iterator[Read]:
    if opened.format() is Format.NDJSON:
        if choices.columns or choices.stream_type:
            raise CommandError(
                "--column and --stream-type are for tables; a line of NDJSON says both itself", code=ExitCode.USAGE
            )
        return read_ndjson(opened.lines())
    table = read_table(opened.lines(), source=choices.source, columns=choices.columns, stream_type=choices.stream_type)
    console = err()
    console.print(f"time: {table.time_column} · streams: {', '.join(table.streams.values())}", markup=False)
    if table.left_out and not choices.columns:
        console.print(f"left out, since not numeric: {', '.join(table.left_out)}", markup=False)
    return table.points


def _begin(position: PositionFile, *, resume: bool) -> Totals:
    kept = position.load()
    if kept is None:
        if resume:
            err().print("no earlier run of this file stopped on the way: sending it from the beginning")
        return Totals()
    if resume:
        err().print(f"going on after {kept.read:,} points")
        return Totals(kept.read, kept.inserted, kept.rejected)
    err().print(f"an earlier run stopped after {kept.read:,} points; --resume would go on from there")
    return Totals()


@contextlib.contextmanager
def _keeping_place(job: Job) -> Iterator[Callable[[Totals], None]]:
    """Keep the place about every second, so that even a killed run can be resumed, and when the block ends early."""
    latest = job.begin
    saved_at = time.monotonic()

    def keep(totals: Totals) -> None:
        nonlocal latest, saved_at
        latest = totals
        if job.position is not None and time.monotonic() - saved_at >= _SAVE_SECONDS:
            job.position.save(totals)
            saved_at = time.monotonic()

    try:
        yield keep
    except BaseException:
        if job.position is not None and latest.read:
            job.position.save(latest)
            err().print(f"stopped after {latest.read:,} points (line {latest.line}); --resume goes on from there")
        raise
    if job.position is not None:
        job.position.clear()
