"""Jobs that are watched until they have ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from afluente.application.csv.reports import JobReport
from cli.core.errors import ExitCode
from cli.core.output import err
from cli.csv.client import CsvApi
from cli.csv.progress import JobProgress
from cli.csv.rendering import show_running_job
from cli.csv.sending import Sent

_FIRST_POLL_SECONDS = 0.25
_LONGEST_POLL_SECONDS = 2.0


def watch_job(api: CsvApi, job_id: str) -> JobReport:
    """Watch a job until it has ended; Ctrl-C ends the watching alone.

    Raises:
        SystemExit: it was interrupted.
    """
    with _leaving_jobs(lambda: [Sent("stopped watching", job_id)]):
        return _watch(api, job_id)


def watch_jobs(api: CsvApi, sent: Sequence[Sent], on_ended: Callable[[JobReport], None]) -> list[JobReport]:
    """Watch the jobs of files, one after the other; Ctrl-C ends the watching alone.

    Args:
        api: of the jobs.
        sent: the files with their jobs.
        on_ended: called with each job that has ended.

    Raises:
        SystemExit: it was interrupted.
    """
    reports: list[JobReport] = []
    with _leaving_jobs(lambda: sent[len(reports) :]):
        for one in sent:
            report = _watch(api, one.job_id)
            reports.append(report)
            on_ended(report)
    return reports


def show_jobs_without_waiting(api: CsvApi, sent: Sequence[Sent]) -> list[JobReport]:
    """The jobs of files as they are now; each is shown to go on."""
    reports = []
    for one in sent:
        reports.append(api.job(one.job_id))
        show_running_job(err(), one.job_id, one.name)
    return reports


def _watch(api: CsvApi, job_id: str) -> JobReport:
    progress = JobProgress(err())
    seconds = _FIRST_POLL_SECONDS
    with progress.shown():
        while True:
            report = api.job(job_id)
            progress.update(report)
            if report.status.is_final:
                return report
            time.sleep(seconds)
            seconds = min(_LONGEST_POLL_SECONDS, seconds * 1.5)


@contextmanager
def _leaving_jobs(left: Callable[[], Sequence[Sent]]) -> Iterator[None]:
    """Show the unfinished jobs, which go on, if Ctrl-C ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        if not left():
            raise
        for one in left():
            show_running_job(err(), one.job_id, one.name)
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None
