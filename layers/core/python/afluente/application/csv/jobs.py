"""CSV jobs: one for each version of a file, from the moment it is announced until what became of every row is known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Any, Protocol

import msgspec

from afluente.application.errors import UnavailableError
from afluente.domain.stream_keys import MISSING_SOURCE, domain_faults, part_faults

INBOX = "inbox"
"""Folder of the bucket under which a file starts a job: `inbox/<domain>/<source_id>/….csv`."""

FILE_SUFFIXES = (".csv", ".csv.gz", ".csv.zst")
"""What the name of a CSV file ends with, in any case."""

SIDE_FILE_SUFFIX = ".json"
"""Put after the name of a file it gives the name of the file of its options."""

FOLDER_OPTIONS = "_ingest.json"
"""The file of the options of a folder."""

FIRST_OF_EACH = 5
"""How many rows a job shows of each error."""

MAX_NAMED_STREAMS = 1_000
"""How many streams a job names, shared among its parts: so its item stays within DynamoDB's 400 KB ("Item size")."""

MAX_FUTILE_ATTEMPTS = 10
"""How often in a row the reading of a part may break off without having got anywhere, before the job is given up."""

NO_DOMAIN = "_"
"""The domain of files whose key names none."""

_UPLOADS = ".uploads"
_SHOWN_ROW_LENGTH = 200
_SHOWN_MESSAGE_LENGTH = 400


class JobStatus(StrEnum):
    """How far a job is."""

    AWAITING_UPLOAD = "awaiting_upload"
    QUEUED = "queued"
    READING = "reading"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will become of the job."""
        return self in {JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DUPLICATE}


class JobFault(StrEnum):
    """Why a job failed: a closed set."""

    BAD_KEY = "bad_key"
    UNKNOWN_DOMAIN = "unknown_domain"
    UNSUPPORTED_FILE = "unsupported_file"
    INVALID_OPTIONS = "invalid_options"
    EMPTY_FILE = "empty_file"
    NOT_CSV = "not_csv"
    UNKNOWN_COLUMN = "unknown_column"
    NO_VALUES = "no_values"
    UNREADABLE_TIMES = "unreadable_times"
    AMBIGUOUS_DATES = "ambiguous_dates"
    AMBIGUOUS_NUMBERS = "ambiguous_numbers"
    AMBIGUOUS_UNIT = "ambiguous_unit"
    AMBIGUOUS_STREAMS = "ambiguous_streams"
    DAMAGED_ARCHIVE = "damaged_archive"
    FILE_GONE = "file_gone"
    GIVEN_UP = "given_up"


class RowFaultCode(StrEnum):
    """Why a row, or a cell of it, was rejected: a closed set."""

    RAGGED_ROW = "ragged_row"
    UNTERMINATED_QUOTE = "unterminated_quote"
    ROW_TOO_LONG = "row_too_long"
    UNDECODABLE = "undecodable"
    MISSING_TIME = "missing_time"
    UNREADABLE_TIME = "unreadable_time"
    AMBIGUOUS_TIME = "ambiguous_time"
    NONEXISTENT_TIME = "nonexistent_time"
    NOT_SECONDS = "not_seconds"
    IN_FUTURE = "in_future"
    MISSING_STREAM = "missing_stream"
    BAD_STREAM_NAME = "bad_stream_name"
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"


class Reason(msgspec.Struct, frozen=True):
    """Why a job failed, and the way out, for a person."""

    code: JobFault
    message: str


class NotReadableError(Exception):
    """A file that cannot be read as a whole.

    Attributes:
        reason: why, and the way out.
    """

    def __init__(self, code: JobFault, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


class StaleJobError(Exception):
    """The job was changed by somebody else meanwhile: cancelled, or another one reads it."""


class FileVersion(msgspec.Struct, frozen=True):
    """One version of a file in the bucket: what is written under the same key later is another one.

    Attributes:
        key: of the object, as it is.
        version_id: of the object.
        etag: of its content.
        size: in bytes.
    """

    key: str
    version_id: str
    etag: str
    size: int


class RowFault(msgspec.Struct, frozen=True):
    """What is wrong with a row; with a cell of it, where a column is named."""

    code: RowFaultCode
    column: str | None
    message: str


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that was rejected, or cells of it.

    Attributes:
        line: its first line in the file, from 1.
        row: as it was, without the end of its last line.
        faults: everything that is wrong with it.
    """

    line: int
    row: str
    faults: tuple[RowFault, ...]


class ShownRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the first rows of an error; of a long row the beginning."""

    line: int
    row: str
    message: str
    column: str | None = None


class RowErrors(msgspec.Struct, frozen=True):
    """How often one thing was wrong, and where it was so first."""

    count: int = 0
    first: tuple[ShownRow, ...] = ()


class Position(msgspec.Struct, frozen=True):
    """A place in a file, between two rows.

    Attributes:
        offset: bytes before it, unpacked.
        line: the line that begins there, from 1.
        row: the rows of data before it.
    """

    offset: int = 0
    line: int = 1
    row: int = 0


class PartProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the reading of a part of the streams of a file is; a job has one part or several.

    Attributes:
        position: where it goes on.
        bytes_done: of the file as it is stored.
        rows_read: rows of data.
        points_queued: data points that the queue has.
        rows_rejected: rows of which something was rejected.
        errors: what was wrong, by code.
        streams: points of each stream that is named.
        first_timestamp, last_timestamp: the earliest and the latest, in Unix seconds.
        has_rejects: whether rejected rows are kept.
        damage: why it could not be read to its end.
        is_done: whether it was read to its end.
        attempts: how often it was begun since it last got on.
        version: counts the changes, so that of two that read it, one stops.
    """

    position: Position = Position()
    bytes_done: int = 0
    rows_read: int = 0
    points_queued: int = 0
    rows_rejected: int = 0
    errors: dict[RowFaultCode, RowErrors] = {}
    streams: dict[str, int] = {}
    first_timestamp: float | None = None
    last_timestamp: float | None = None
    has_rejects: bool = False
    damage: Reason | None = None
    is_done: bool = False
    attempts: int = 0
    version: int = 0


class CsvJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job.

    Attributes:
        job_id: the same for the same version of a file.
        domain, source_id: where its points come from.
        file: its name.
        status: how far it is.
        created_at, updated_at, started_at, finished_at: in Unix seconds.
        created_by: id of the API key that asked for it; None for a file that was dropped.
        version_of_file: what is read; None until it is there.
        options: as they were given.
        options_from: where they were given.
        layout: how the file is read, as whoever reads it has it.
        used: the options by which it is read: those that were given, and what was inferred.
        parts: how far each part is.
        reason: why it failed.
        duplicate_of: the job that has read the same content.
        rejects_key: where its rejected rows are.
        looks: how often the first look at the file was begun.
        version: counts the changes of all but the parts.
    """

    job_id: str
    domain: str
    source_id: str
    file: str
    status: JobStatus
    created_at: float
    updated_at: float
    created_by: str | None = None
    version_of_file: FileVersion | None = None
    options: dict[str, Any] = {}
    options_from: str | None = None
    layout: dict[str, Any] | None = None
    used: dict[str, Any] | None = None
    parts: tuple[PartProgress, ...] = ()
    reason: Reason | None = None
    duplicate_of: str | None = None
    rejects_key: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    looks: int = 0
    version: int = 0

    @property
    def content_id(self) -> str | None:
        """The same for jobs that would queue the same points; None where that is wanted, or not known yet."""
        file = self.version_of_file
        if file is None or self.options.get("allow_duplicate"):
            return None
        options = msgspec.json.encode(self.options, order="sorted").decode()
        identity = f"{file.etag}\n{file.size}\n{self.domain}/{self.source_id}\n{options}"
        return sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()


class CsvJobStore(Protocol):
    """Where jobs are kept."""

    def create(self, job: CsvJob) -> CsvJob:
        """Keep a new job; returns the one that is there, which is another if its id was taken.

        Raises:
            UnavailableError: the store does not answer; so for all that follow.
        """
        ...

    def find(self, job_id: str) -> CsvJob | None:
        """The job; None where there is none."""
        ...

    def change(self, job: CsvJob) -> CsvJob:
        """Keep a changed job, all but its parts; new parts are kept where there were none.

        Returns:
            The job with its next version.

        Raises:
            StaleJobError: the job is not of that version any more.
        """
        ...

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        """Keep how far a part is.

        Returns:
            The part with its next version.

        Raises:
            StaleJobError: the part is not of that version any more, or the job is not being read any more.
        """
        ...

    def newest(self, domain: str, *, before: float | None, limit: int) -> Sequence[CsvJob]:
        """Jobs of a domain, the newest first: of those created before a time, in Unix seconds, the first `limit`."""
        ...

    def claim(self, content_id: str, job_id: str, now: float) -> str:
        """Have content for a job; returns the id of the job that has it, which may be another."""
        ...

    def release(self, content_id: str, job_id: str) -> None:
        """Leave content to other jobs, if it is this one's."""
        ...


class JobQueue(Protocol):
    """The queue of parts to be read."""

    def send(self, job: CsvJob, part: int) -> None:
        """Have a part read. Parts 0 of the jobs of a source are read one after the other.

        Raises:
            UnavailableError: it is not queued.
        """
        ...


class OptionsReader(Protocol):
    """What is known of how to read a file before it is read."""

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        """The options of a file, and where they were found: beside it, in its folder, in its metadata, or nowhere.

        Raises:
            NotReadableError: they are no options.
            UnavailableError: the bucket does not answer.
        """
        ...


def is_option_file(key: str) -> bool:
    """Whether a key is that of a file of options, or of a folder: neither starts a job."""
    name = key.rpartition("/")[2].lower()
    return not name or name == FOLDER_OPTIONS or name.endswith(tuple(f"{end}.json" for end in FILE_SUFFIXES))


def upload_key(domain: str, source_id: str, job_id: str, file: str) -> str:
    """Where a file is to be put that is uploaded for a job."""
    return f"{INBOX}/{domain}/{source_id}/{_UPLOADS}/{job_id}/{file}"


class CsvJobs:
    """Begins jobs and ends them.

    Args:
        store: where they are kept.
        domains: the domains that are open.
    """

    def __init__(self, *, store: CsvJobStore, domains: Collection[str]) -> None:
        self._store = store
        self._domains = domains

    def expect(self, job: CsvJob) -> CsvJob:
        """Begin a job of a file that is still to be uploaded, to its `upload_key`."""
        return self._store.create(job)

    def register(self, file: FileVersion, now: float, *, options: OptionsReader, queue: JobQueue) -> CsvJob:
        """Begin the job of a file that is there; a second time it changes nothing.

        Raises:
            UnavailableError: nothing is certain; doing it again is safe.
        """
        job = self._job_of(file, now, options)
        if job.status is JobStatus.QUEUED:
            queue.send(job, 0)
        return job

    def cancel(self, job_id: str, now: float) -> CsvJob | None:
        """End a job before its time; one that has ended stays as it is. None where there is no such job.

        What was queued stays queued. Whoever reads the file stops after the rows at hand.
        """
        while True:
            job = self._store.find(job_id)
            if job is None or job.status.is_final:
                return job
            try:
                return end(self._store, job, JobStatus.CANCELLED, now)
            except StaleJobError:
                continue  # It was changed between the two steps: look again.

    def _job_of(self, file: FileVersion, now: float, options: OptionsReader) -> CsvJob:
        expected_id = _expected_job(file.key)
        expected = self._store.find(expected_id) if expected_id else None
        if expected is not None and _key_of(expected) != file.key:
            expected = None
        if expected is not None:
            if expected.version_of_file is None and not expected.status.is_final:
                return self._arrived(expected, file, now)
            if expected.version_of_file in {None, file}:
                return expected
        begun = self._begun(file, now, expected, options)
        return self._store.create(begun)

    def _arrived(self, job: CsvJob, file: FileVersion, now: float) -> CsvJob:
        arrived = msgspec.structs.replace(job, version_of_file=file, status=JobStatus.QUEUED, updated_at=now)
        try:
            return self._store.change(arrived)
        except StaleJobError as error:
            raise UnavailableError(f"job {job.job_id} is being changed") from error

    def _begun(self, file: FileVersion, now: float, expected: CsvJob | None, options: OptionsReader) -> CsvJob:
        domain, source_id, name = _parts_of(file.key)
        job = CsvJob(
            job_id=_job_id(file),
            domain=domain if domain and not domain_faults(domain) else NO_DOMAIN,
            source_id=source_id or MISSING_SOURCE,
            file=name,
            status=JobStatus.QUEUED,
            created_at=now,
            updated_at=now,
            version_of_file=file,
        )
        try:
            self._check_key(domain, source_id, name)
            given, found_at = (
                (expected.options, expected.options_from) if expected is not None else options.options_of(file)
            )
            return msgspec.structs.replace(job, options=_own(given, job), options_from=found_at)
        except NotReadableError as error:
            return msgspec.structs.replace(job, status=JobStatus.FAILED, reason=error.reason, finished_at=now)

    def _check_key(self, domain: str, source_id: str, name: str) -> None:
        form = f"put files under {INBOX}/<domain>/<source_id>/"
        if not domain or not source_id:
            raise NotReadableError(JobFault.BAD_KEY, f"the key names no domain and source; {form}")
        if domain not in self._domains:
            # Not which are: whoever may see the job need not know of the domains of others.
            raise NotReadableError(JobFault.UNKNOWN_DOMAIN, f"the domain {domain!a} is not open; ask the operators")
        for fault in part_faults("source_id", source_id):
            raise NotReadableError(JobFault.BAD_KEY, f"the source in the key {fault.message}; {form}")
        if not name.lower().endswith(FILE_SUFFIXES):
            endings = ", ".join(FILE_SUFFIXES)
            raise NotReadableError(JobFault.UNSUPPORTED_FILE, f"the name must end with one of {endings}")


def end(store: CsvJobStore, job: CsvJob, status: JobStatus, now: float, **changes: Any) -> CsvJob:
    """End a job.

    Raises:
        StaleJobError: the job was changed meanwhile.
        UnavailableError: the store does not answer.
    """
    return store.change(msgspec.structs.replace(job, status=status, updated_at=now, finished_at=now, **changes))


def advanced(
    part: PartProgress, *, rejected: Iterable[RejectedRow], streams: Mapping[str, int], named_streams: int
) -> PartProgress:
    """A part with more rejected rows and more points of streams, of which it names so many at the most."""
    errors, rows = dict(part.errors), 0
    for row in rejected:
        rows += 1
        for fault in row.faults:
            errors[fault.code] = _one_more(errors.get(fault.code, RowErrors()), row, fault)
    named = dict(part.streams)
    for stream_id, points in streams.items():
        if stream_id in named or len(named) < named_streams:
            named[stream_id] = named.get(stream_id, 0) + points
    return msgspec.structs.replace(part, errors=errors, rows_rejected=part.rows_rejected + rows, streams=named)


def group_of(job: CsvJob, part: int) -> str:
    """The message group of a part: the jobs of a source follow each other, the further parts of a job do not wait."""
    source = blake2b(f"{job.domain}/{job.source_id}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return source if part == 0 else f"{job.job_id}-{part}"


def _one_more(errors: RowErrors, row: RejectedRow, fault: RowFault) -> RowErrors:
    first = errors.first
    if len(first) < FIRST_OF_EACH:
        # Bytes that are no text are shown as escapes: no JSON could hold what they were read as.
        shown = row.row[:_SHOWN_ROW_LENGTH].encode("utf-8", "backslashreplace").decode()
        first = (*first, ShownRow(row.line, shown, fault.message[:_SHOWN_MESSAGE_LENGTH], fault.column))
    return RowErrors(errors.count + 1, first)


def _own(options: dict[str, Any], job: CsvJob) -> dict[str, Any]:
    """The options, if they do not say that the file belongs elsewhere than its key says."""
    for name, by_key in (("domain", job.domain), ("source_id", job.source_id)):
        if options.get(name, by_key) != by_key:
            message = f"the options say {name} {options[name]!a}, the key {by_key!a}; say it once, or both alike"
            raise NotReadableError(JobFault.INVALID_OPTIONS, message)
    return options


def _parts_of(key: str) -> tuple[str, str, str]:
    """Domain, source and name of a file by its key; empty where the key has none."""
    folders = key.split("/")
    if len(folders) < 4 or folders[0] != INBOX:  # noqa: PLR2004 - inbox, domain, source, name
        return "", "", folders[-1]
    return folders[1], folders[2], folders[-1]


def _expected_job(key: str) -> str | None:
    folders = key.split("/")
    return folders[4] if len(folders) == 6 and folders[3] == _UPLOADS else None  # noqa: PLR2004 - see upload_key


def _key_of(job: CsvJob) -> str:
    return upload_key(job.domain, job.source_id, job.job_id, job.file)


def _job_id(file: FileVersion) -> str:
    identity = f"{file.key}\n{file.version_id}".encode("utf-8", "surrogatepass")
    return blake2b(identity, digest_size=12).hexdigest()
