"""Progress of files that are transferred, and of the jobs that read them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from cli.core.progress import LineTimer, bars, show_wait
from cli.csv.files import LocalFile

_TOTAL = "all files"


class TransferProgress:
    """Shows the progress of files that are transferred.

    Args:
        console: standard error, so that results can be piped.
        verb: for a file on its way: `uploading`.
        done: for a file that is there: `uploaded`.
    """

    def __init__(self, console: Console, verb: str, done: str) -> None:
        self._console = console
        self._verb = verb
        self._done = done
        self._bars = bars(console, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._task: TaskID | None = None
        self._total: TaskID | None = None
        self._before = 0
        self._name = ""
        self._size: int | None = None
        self._sent = 0
        self._lines = LineTimer()

    @contextmanager
    def shown(self, files: Sequence[LocalFile] = ()) -> Iterator[None]:
        """Show the bars for the block; with several files one of all of them."""
        if len(files) > 1:
            self._total = self._bars.add_task(_TOTAL, total=sum(file.size for file in files))
        with self._bars:
            yield

    def begin(self, name: str, size: int | None) -> None:
        """Show the next file."""
        self._name, self._size, self._sent = name, size, 0
        self._lines.restart()
        if self._console.is_terminal:
            self._task = self._bars.add_task(name, total=size)
        else:
            shown = "" if size is None else f" ({decimal(size)})"
            self._console.print(f"{self._verb} {name}{shown}", markup=False, soft_wrap=True)

    def moved(self, done: int) -> None:
        """Show the bytes of the file that are there; fewer than before when some are sent again."""
        self._sent = done
        if self._task is not None:
            self._bars.update(self._task, completed=done)
            if self._total is not None:
                self._bars.update(self._total, completed=self._before + done)
        elif self._lines.is_due():
            self._console.print(f"{self._name}: {_share(done, self._size)}", markup=False, soft_wrap=True)

    def end(self) -> None:
        """Show that the file is there."""
        self._before += self._sent
        if not self._console.is_terminal:
            self._console.print(f"{self._done} {self._name}", markup=False, soft_wrap=True)

    def waiting(self, seconds: float, reason: str) -> None:
        """Show the reason why nothing moves for a while."""
        show_wait(self._console, seconds, reason)


class JobProgress:
    """Shows the progress of jobs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = bars(console, TextColumn("{task.fields[counts]}", markup=False), TimeElapsedColumn())
        self._tasks: dict[str, TaskID] = {}
        self._last_status: dict[str, JobStatus] = {}
        self._lines = LineTimer()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars for the block."""
        with self._bars:
            yield

    def update(self, report: JobReport) -> None:
        """Show the progress of a job."""
        if not self._console.is_terminal:
            self._print_line(report)
            return
        if report.job_id not in self._tasks:
            self._tasks[report.job_id] = self._bars.add_task("", total=None, counts="")
        # Until it is known how much there is to read, the bar swings.
        total = report.bytes_total if report.bytes_done or report.status.is_final else None
        self._bars.update(
            self._tasks[report.job_id],
            description=f"{report.file} {_words(report.status)}",
            total=total,
            completed=report.bytes_done,
            counts=_counts(report),
        )

    def _print_line(self, report: JobReport) -> None:
        is_news = self._last_status.get(report.job_id) is not report.status
        # The end of a job is shown with its result.
        if report.status.is_final or not (is_news or self._lines.is_due()):
            return
        self._last_status[report.job_id] = report.status
        self._lines.restart()
        line = f"{report.file}: {_words(report.status)}"
        if report.status is JobStatus.READING:
            line += f", {_share(report.bytes_done, report.bytes_total)}, {_counts(report)}"
        self._console.print(line, markup=False, soft_wrap=True)


def _words(status: JobStatus) -> str:
    return status.replace("_", " ")


def _counts(report: JobReport) -> str:
    rows, points, rejected = report.rows_read, report.points_queued, report.rows_rejected
    return f"{rows:,} rows read, {points:,} points queued, {rejected:,} rows rejected"


def _share(done: int, size: int | None) -> str:
    return f"{done / size:.0%} of {decimal(size)}" if size else decimal(done)
