"""What people see while files go up and jobs read them: bars on a terminal, a line now and then in a log."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from cli.csv.files import LocalFile

_LINE_SECONDS = 10.0
_TOTAL = "all files"


class TransferDisplay:
    """Shows how far files are on their way.

    Args:
        console: where; standard error, so that results can be piped.
        verb: what happens to them: `uploading`.
        done: what has happened to them: `uploaded`.
    """

    def __init__(self, console: Console, verb: str, done: str) -> None:
        self._console = console
        self._verb = verb
        self._done = done
        self._bars = _bars(console, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._task: TaskID | None = None
        self._total: TaskID | None = None
        self._before = 0
        self._name = ""
        self._size: int | None = None
        self._sent = 0
        self._last_line = 0.0

    @contextmanager
    def shown(self, files: Sequence[LocalFile] = ()) -> Iterator[None]:
        """Show the bars for the block; with several files one of all of them."""
        if len(files) > 1:
            self._total = self._bars.add_task(_TOTAL, total=sum(file.size for file in files))
        with self._bars:
            yield

    def begin(self, name: str, size: int | None) -> None:
        """The next file is on its way."""
        self._name, self._size, self._sent = name, size, 0
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._task = self._bars.add_task(name, total=size)
        else:
            told = "" if size is None else f" ({decimal(size)})"
            self._console.print(f"{self._verb} {name}{told}", markup=False, soft_wrap=True)

    def moved(self, done: int) -> None:
        """So many bytes of the file are there; fewer than before when some go again."""
        self._sent = done
        if self._task is not None:
            self._bars.update(self._task, completed=done)
            if self._total is not None:
                self._bars.update(self._total, completed=self._before + done)
        elif time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(f"{self._name}: {_share(done, self._size)}", markup=False, soft_wrap=True)

    def end(self) -> None:
        """The file is there."""
        self._before += self._sent
        if not self._console.is_terminal:
            self._console.print(f"{self._done} {self._name}", markup=False, soft_wrap=True)

    def waiting(self, seconds: float, reason: str) -> None:
        """Say why nothing moves for a while."""
        say_waiting(self._console, seconds, reason)


class JobDisplay:
    """Shows how far jobs are."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = _bars(console, TextColumn("{task.fields[told]}", markup=False), TimeElapsedColumn())
        self._tasks: dict[str, TaskID] = {}
        self._last_status: dict[str, JobStatus] = {}
        self._last_line = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars for the block."""
        with self._bars:
            yield

    def update(self, report: JobReport) -> None:
        """Show how far a job is."""
        if not self._console.is_terminal:
            self._print_line(report)
            return
        if report.job_id not in self._tasks:
            self._tasks[report.job_id] = self._bars.add_task("", total=None, told="")
        # Until it is known how much there is to read, the bar swings.
        total = report.bytes_total if report.bytes_done or report.status.is_final else None
        self._bars.update(
            self._tasks[report.job_id],
            description=f"{report.file} {_words(report.status)}",
            total=total,
            completed=report.bytes_done,
            told=_counts(report),
        )

    def _print_line(self, report: JobReport) -> None:
        is_news = self._last_status.get(report.job_id) is not report.status
        is_time = time.monotonic() - self._last_line >= _LINE_SECONDS
        # How it ended is told with the result.
        if report.status.is_final or not (is_news or is_time):
            return
        self._last_status[report.job_id] = report.status
        self._last_line = time.monotonic()
        told = f"{report.file}: {_words(report.status)}"
        if report.status is JobStatus.READING:
            told += f", {_share(report.bytes_done, report.bytes_total)}, {_counts(report)}"
        self._console.print(told, markup=False, soft_wrap=True)


def say_waiting(console: Console, seconds: float, reason: str) -> None:
    """Say why nothing moves for a while."""
    told = f"the service is not ready ({reason}); again in {seconds:.1f} s"
    console.print(told, markup=False, soft_wrap=True)


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    description = TextColumn("{task.description}", markup=False)
    return Progress(
        SpinnerColumn(),
        description,
        BarColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _words(status: JobStatus) -> str:
    return status.replace("_", " ")


def _counts(report: JobReport) -> str:
    rows, points, rejected = report.rows_read, report.points_queued, report.rows_rejected
    return f"{rows:,} rows read, {points:,} points queued, {rejected:,} rows rejected"


def _share(done: int, size: int | None) -> str:
    return f"{done / size:.0%} of {decimal(size)}" if size else decimal(done)
