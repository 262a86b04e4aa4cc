"""A file is sent over a transport, with its progress and its rejected points."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console

from cli.core.output import err
from cli.sending.job import Choices, open_job, run
from cli.sending.progress import SendingProgress
from cli.sending.rejects import Rejects
from cli.sending.run import Transport


class Summary(msgspec.Struct, frozen=True):
    """The result of a file: counts of the whole file, seconds and rate of this run."""

    file: str
    read: int
    inserted: int
    rejected: int
    seconds: float
    points_per_second: float


def send_file(
    choices: Choices,
    positions: Path,
    destination: Sequence[str],
    transport: Callable[[SendingProgress], Transport],
    *,
    batch: int,
    rejects: Path | None,
) -> Summary:
    """Send a file.

    Args:
        choices: the file.
        positions: folder of the saved positions.
        destination: everything that names the destination.
        transport: makes the transport, which shows why it waits.
        batch: points of one request or message.
        rejects: file for rejected points; None for none.

    Raises:
        CommandError: the file cannot be read, or the service refuses its points or does not answer.
    """
    console = err()
    with ExitStack() as stack:
        job = stack.enter_context(open_job(choices, positions, destination))
        progress = SendingProgress(console, job.input.name, job.input.size, job.bytes_read, begin=job.begin.read)
        opened = transport(progress)
        stack.callback(opened.close)
        file = stack.enter_context(rejects.open("ab" if choices.resume else "wb")) if rejects else None
        started = time.monotonic()
        totals = run(job, opened, batch=batch, progress=progress, rejects=Rejects(console, file))
    seconds = time.monotonic() - started
    rate = (totals.read - job.begin.read) / seconds
    return Summary(job.input.name, totals.read, totals.inserted, totals.rejected, round(seconds, 3), round(rate, 1))


def show_summary(console: Console, summary: Summary) -> None:
    """Show the result of a file."""
    rejected = f"[yellow]{summary.rejected:,} rejected[/]" if summary.rejected else "none rejected"
    console.print(
        f"[green]{summary.inserted:,} points sent[/], {rejected}, in {summary.seconds:.1f} s"
        f" ({summary.points_per_second:,.0f} points/s)"
    )
