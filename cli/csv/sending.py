"""Uploads of files: each has its job as soon as it is announced."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console

from cli.core.errors import CommandError, ExitCode
from cli.core.output import err
from cli.core.retry import Retry
from cli.core.target import Target
from cli.csv.client import Announced, Announcement, CsvApi, MultipartUpload, WholeUpload
from cli.csv.files import LocalFile
from cli.csv.progress import TransferProgress
from cli.csv.rendering import show_running_job
from cli.csv.uploads import Uploader


class Destination(NamedTuple):
    """Source of the points of files, and the options by which they are read."""

    domain: str
    source_id: str
    options: Mapping[str, Any]


class Sent(NamedTuple):
    """An uploaded file with its job."""

    name: str
    job_id: str


def upload_files(target: Target, api: CsvApi, files: Sequence[LocalFile], destination: Destination) -> "Sending":
    """Upload files; where that breaks off, the jobs of those that are uploaded are shown, for they go on.

    Raises:
        CommandError: the service does not answer, so that nothing more can be sent.
        SystemExit: it was interrupted.
    """
    console = err()
    progress = TransferProgress(console, "uploading", "uploaded")
    with Uploader(use_proxies=target.uses_proxies, retry=Retry(progress.waiting)) as uploader:
        sending = Sending(api, uploader, progress, console)
        try:
            sending.upload(files, destination)
        except BaseException as error:
            is_interrupt = isinstance(error, KeyboardInterrupt)
            if is_interrupt:
                console.print("stopped; nothing is kept of what was not uploaded whole")
            for sent in sending.sent:
                show_running_job(console, sent.job_id, sent.name)
            if is_interrupt:
                raise SystemExit(int(ExitCode.INTERRUPTED)) from None
            raise
    for file, failure in sending.failures:
        console.print(f"{file.path} was not sent: {failure.message}", style="red", markup=False, soft_wrap=True)
    return sending


class Sending:
    """Uploads files one after the other.

    Attributes:
        sent: the uploaded files.
        failures: the other files, with their errors.
    """

    def __init__(self, api: CsvApi, uploader: Uploader, progress: TransferProgress, console: Console) -> None:
        self._api = api
        self._uploader = uploader
        self._progress = progress
        self._console = console
        self.sent: list[Sent] = []
        self.failures: list[tuple[LocalFile, CommandError]] = []

    def upload(self, files: Sequence[LocalFile], destination: Destination) -> None:
        """Upload files; one that is refused keeps none of the others back.

        Raises:
            CommandError: the service does not answer, so that nothing more can be sent.
        """
        with self._progress.shown(files):
            for file in files:
                try:
                    self.sent.append(Sent(file.name, self._upload(file, destination)))
                except CommandError as error:
                    if error.code is not ExitCode.FAILED:
                        raise
                    self.failures.append((file, error))

    def _upload(self, file: LocalFile, destination: Destination) -> str:
        self._progress.begin(file.name, file.size)
        announcement = Announcement(
            destination.domain, destination.source_id, file.name, file.size, dict(destination.options)
        )
        announced = self._api.announce(announcement)

        def renewed() -> WholeUpload | MultipartUpload:
            nonlocal announced
            announced = self._api.go_on(announced, file.size)
            return announced.upload

        try:
            self._uploader.send(file, announced.upload, self._progress.moved, renewed=renewed)
        except BaseException:
            self._take_back(announced)
            raise
        self._progress.end()
        return announced.job_id

    def _take_back(self, announced: Announced) -> None:
        """Leave nothing half done: no parts in S3, no job that waits for them."""
        try:
            self._uploader.abort(announced.upload)
            self._api.cancel(announced.job_id, retry=Retry(attempts=1))
        except CommandError as error:
            self._console.print(f"job {announced.job_id} was not taken back: {error.message}", markup=False)
