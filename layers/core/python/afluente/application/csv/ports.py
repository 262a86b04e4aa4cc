"""Ports of CSV: the store of jobs, the queue of their parts, and the bucket of files."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from afluente.application.csv.chunks import Chunk, LoadPlan, Position
from afluente.application.csv.faults import RejectedRow
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob
from afluente.application.csv.progress import PartProgress
from afluente.application.csv.uploads import MultipartUpload


class StaleJobError(Exception):
    """The job was changed meanwhile: it was cancelled, or another loader works on it."""


class CsvJobStore(Protocol):
    """The store of jobs.

    Raises:
        UnavailableError: by each method, if the store does not answer.
    """

    def create(self, job: CsvJob) -> CsvJob:
        """Store a new job; returns the stored one, which is an older one of the same id, if there is one."""
        ...

    def find(self, job_id: str) -> CsvJob | None:
        """The job; None where there is none."""
        ...

    def change(self, job: CsvJob) -> CsvJob:
        """Store a changed job, all but its parts; new parts are stored where there were none.

        Returns:
            The job with its next version.

        Raises:
            StaleJobError: the stored job is of another version.
        """
        ...

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        """Store the progress of a part.

        Returns:
            The part with its next version.

        Raises:
            StaleJobError: the stored part is of another version, or the job is not `reading`.
        """
        ...

    def newest(self, domain: str, *, before: float | None, limit: int) -> Sequence[CsvJob]:
        """Jobs of a domain, the newest first: of those created before a time, in Unix seconds, the first `limit`."""
        ...

    def claim(self, content_id: str, job_id: str, now: float) -> str:
        """Claim content for a job; returns the id of its owner, which may be another job."""
        ...

    def release(self, content_id: str, job_id: str) -> None:
        """Release content, if the job owns it."""
        ...


class JobQueue(Protocol):
    """The queue of parts to be loaded."""

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        """Queue a part. Parts 0 of the jobs of a source are loaded one after the other.

        Args:
            job: the job.
            part: its number.
            renewal: of a part that was queued before: anything that no other renewal of it has.

        Raises:
            UnavailableError: it is not queued.
        """
        ...

    def has_waiting(self) -> bool:
        """Tell whether parts wait to be loaded that nobody works on; an estimate.

        Raises:
            UnavailableError: the queue does not answer.
        """
        ...


class OptionsReader(Protocol):
    """Options that were given for files in the bucket."""

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        """The options of a file, and where they were found: beside it, in its folder, in its metadata, or nowhere.

        Raises:
            NotReadableError: they are no options.
            UnavailableError: the bucket does not answer.
        """
        ...


class CsvFiles(Protocol):
    """The files, and their rejected rows.

    Raises:
        UnavailableError: by each method, if the bucket does not answer.
    """

    def plan(self, job: CsvJob) -> LoadPlan:
        """Look at the beginning of the job's file, and plan how to load it.

        Raises:
            NotReadableError: it cannot be read.
        """
        ...

    def chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        """The chunks of the job's file from a position on; the same from there at each call.

        Raises:
            NotReadableError: the file was deleted.
        """
        ...

    def keep_rejected(self, job: CsvJob, part: int, position: Position, rows: Sequence[RejectedRow]) -> None:
        """Store rejected rows of the chunk at the position; a second time they replace themselves."""
        ...

    def gather_rejected(self, job: CsvJob) -> str:
        """Put all stored rejected rows into one file; returns its key."""
        ...


class CsvUploads(Protocol):
    """The bucket that CSV files come into, and rejected rows are fetched from.

    Raises:
        UnavailableError: by each method, if the bucket does not answer.
    """

    def put(self, key: str, body: bytes) -> None:
        """Keep a file."""
        ...

    def presign_put(self, key: str, size: int | None) -> str:
        """A URL to PUT a file to: one of just that size in bytes, or of any up to `MAX_PUT_BYTES`."""
        ...

    def begin_multipart(self, key: str, size: int) -> MultipartUpload:
        """Begin an upload in parts of a file of that size in bytes."""
        ...

    def go_on_with(self, key: str, size: int, upload_id: str) -> MultipartUpload:
        """The same upload by new URLs."""
        ...

    def presign_rejects(self, key: str) -> str:
        """A URL to GET the rejected rows of a job from."""
        ...
