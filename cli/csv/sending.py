"""Files to the service, and their jobs until these have ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console

from afluente.application.csv.reports import JobReport
from cli.core.errors import CommandError, ExitCode
from cli.core.retry import Retry
from cli.csv.client import Announced, Announcement, CsvApi, MultipartUpload, WholeUpload
from cli.csv.display import JobDisplay, TransferDisplay
from cli.csv.files import LocalFile
from cli.csv.uploads import Uploader

_FIRST_POLL_SECONDS = 0.25
_LONGEST_POLL_SECONDS = 2.0


class Destination(NamedTuple):
    """Where files go, and how they are to be read there."""

    domain: str
    source_id: str
    options: Mapping[str, Any]


class Sent(NamedTuple):
    """A file that is uploaded, with its job."""

    name: str
    job_id: str


class Sending:
    """Uploads files one after the other; each has its job as soon as it is there.

    Attributes:
        sent: the files that are uploaded.
        failures: why others are not.
    """

    def __init__(self, api: CsvApi, uploader: Uploader, display: TransferDisplay, console: Console) -> None:
        self._api = api
        self._uploader = uploader
        self._display = display
        self._console = console
        self.sent: list[Sent] = []
        self.failures: list[tuple[LocalFile, CommandError]] = []

    def upload(self, files: Sequence[LocalFile], destination: Destination) -> None:
        """Upload files. One that is refused keeps none of the others back.

        Raises:
            CommandError: the service does not answer, so that nothing more can be sent.
        """
        with self._display.shown(files):
            for file in files:
                try:
                    self.sent.append(Sent(file.name, self._upload(file, destination)))
                except CommandError as error:
                    if error.code is not ExitCode.FAILED:
                        raise
                    self.failures.append((file, error))

    def _upload(self, file: LocalFile, destination: Destination) -> str:
        self._display.begin(file.name, file.size)
        announcement = Announcement(
            destination.domain, destination.source_id, file.name, file.size, dict(destination.options)
        )
        announced = self._api.announce(announcement)

        def renewed() -> WholeUpload | MultipartUpload:
            nonlocal announced
            announced = self._api.go_on(announced, file.size)
            return announced.upload

        try:
            self._uploader.send(file, announced.upload, self._display.moved, renewed=renewed)
        except BaseException:
            self._take_back(announced)
            raise
        self._display.end()
        return announced.job_id

    def _take_back(self, announced: Announced) -> None:
        """Leave nothing half done: no parts in S3, no job that waits for them."""
        try:
            self._uploader.abort(announced.upload)
            self._api.cancel(announced.job_id, retry=Retry(attempts=1))
        except CommandError as error:
            self._console.print(f"job {announced.job_id} was not taken back: {error.message}", markup=False)


def watch(api: CsvApi, job_id: str, display: JobDisplay, *, sleep: Callable[[float], None] = time.sleep) -> JobReport:
    """Look at a job until it has ended."""
    seconds = _FIRST_POLL_SECONDS
    while True:
        report = api.job(job_id)
        display.update(report)
        if report.status.is_final:
            return report
        sleep(seconds)
        seconds = min(_LONGEST_POLL_SECONDS, seconds * 1.5)
