"""Register CSV jobs, when files are announced or arrive, and cancel them."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import msgspec

from afluente.application.csv.faults import JobFailure, JobFault, NotReadableError
from afluente.application.csv.files import (
    FILE_SUFFIXES,
    INBOX,
    NO_DOMAIN,
    FileVersion,
    KeyParts,
    parts_of_key,
    upload_key,
)
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.ports import CsvJobStore, JobQueue, OptionsReader, StaleJobError
from afluente.application.errors import UnavailableError
from afluente.domain.stream_keys import MISSING_SOURCE, domain_faults, part_faults

if TYPE_CHECKING:
    # The function that announces files needs none of them.
    from afluente.application.csv.upload_checks import UploadChecks


class JobRegistry:
    """Begins jobs and cancels them.

    Args:
        store: of the jobs.
        domains: the domains that are open.
    """

    def __init__(self, *, store: CsvJobStore, domains: Collection[str]) -> None:
        self._store = store
        self._domains = domains

    def expect(self, job: CsvJob) -> CsvJob:
        """Begin the job of a file that is still to be uploaded, to its `upload_key`."""
        return self._store.create(job)

    def lend(self, job: CsvJob, key_id: str) -> CsvJob:
        """Note that an API key gets URLs for the file of a job: the file is refused once the key is revoked.

        Raises:
            UnavailableError: the job is being changed, or the store does not answer.
        """
        if key_id in job.upload_keys:
            return job
        return self._changed(msgspec.structs.replace(job, upload_keys=(*job.upload_keys, key_id)))

    def register(
        self, file: FileVersion, now: float, *, options: OptionsReader, queue: JobQueue, uploads: "UploadChecks"
    ) -> CsvJob:
        """Begin the job of a file that is there; a second time it changes nothing.

        Raises:
            UnavailableError: the job may not be queued; doing it again is safe.
        """
        job = self._job_of(file, now, options, uploads)
        if job.status is JobStatus.QUEUED:
            queue.send(job, 0)
        return job

    def cancel(self, job_id: str, now: float) -> CsvJob | None:
        """Cancel a job; one that has ended stays as it is. None where there is no such job.

        Queued points stay queued. A loader of the file stops after the chunk at hand.
        """
        while True:
            job = self._store.find(job_id)
            if job is None or job.status.is_final:
                return job
            try:
                return self._store.change(job.ended(JobStatus.CANCELLED, now))
            except StaleJobError:
                continue  # It was changed between the two steps: look again.

    def _job_of(self, file: FileVersion, now: float, options: OptionsReader, uploads: "UploadChecks") -> CsvJob:
        expected = self._expected(file)
        if expected is None:
            return self._store.create(self._new(file, now, options))
        if expected.version_of_file is None and not expected.status.is_final:
            return self._with_file(expected, file, now, uploads.failure_of(expected, file, now))
        if expected.version_of_file is None or _is_same(expected.version_of_file, file):
            return expected
        return self._store.create(_used_again(expected, file, now))

    def _expected(self, file: FileVersion) -> CsvJob | None:
        """The job that the file was uploaded for, if it lies at the key of that job."""
        job_id = parts_of_key(file.key).upload_of
        job = self._store.find(job_id) if job_id else None
        is_at_its_key = job is not None and upload_key(job.domain, job.source_id, job.job_id, job.file) == file.key
        return job if is_at_its_key else None

    def _with_file(self, job: CsvJob, file: FileVersion, now: float, failure: JobFailure | None) -> CsvJob:
        if failure is not None:
            return self._changed(job.ended(JobStatus.FAILED, now, version_of_file=file, reason=failure))
        return self._changed(
            msgspec.structs.replace(job, version_of_file=file, status=JobStatus.QUEUED, updated_at=now)
        )

    def _changed(self, job: CsvJob) -> CsvJob:
        try:
            return self._store.change(job)
        except StaleJobError as error:
            raise UnavailableError(f"job {job.job_id} is being changed") from error

    def _new(self, file: FileVersion, now: float, options: OptionsReader) -> CsvJob:
        parts = parts_of_key(file.key)
        job = _of_file(
            file,
            now,
            domain=parts.domain if parts.domain and not domain_faults(parts.domain) else NO_DOMAIN,
            source_id=parts.source_id or MISSING_SOURCE,
        )
        try:
            self._check(parts)
            given, found_at = options.options_of(file)
            _check_origin(given, job)
            return msgspec.structs.replace(job, options=given, options_from=found_at)
        except NotReadableError as error:
            return job.ended(JobStatus.FAILED, now, reason=error.reason)

    def _check(self, parts: KeyParts) -> None:
        form = f"put files under {INBOX}/<domain>/<source_id>/"
        if not parts.domain or not parts.source_id:
            raise NotReadableError(JobFault.BAD_KEY, f"the key names no domain and source; {form}")
        if parts.domain not in self._domains:
            # Not which are: whoever may see the job need not know of the domains of others.
            message = f"the domain {parts.domain!a} is not open; ask the operators"
            raise NotReadableError(JobFault.UNKNOWN_DOMAIN, message)
        for fault in part_faults("source_id", parts.source_id):
            raise NotReadableError(JobFault.BAD_KEY, f"the source in the key {fault.message}; {form}")
        if not parts.name.lower().endswith(FILE_SUFFIXES):
            endings = ", ".join(FILE_SUFFIXES)
            raise NotReadableError(JobFault.UNSUPPORTED_FILE, f"the name must end with one of {endings}")


def _of_file(file: FileVersion, now: float, *, domain: str, source_id: str) -> CsvJob:
    return CsvJob(
        job_id=file.job_id,
        domain=domain,
        source_id=source_id,
        file=parts_of_key(file.key).name,
        status=JobStatus.QUEUED,
        created_at=now,
        updated_at=now,
        version_of_file=file,
    )


def _used_again(job: CsvJob, file: FileVersion, now: float) -> CsvJob:
    """The failed job of a file that was uploaded to the URL of a job that has another file."""
    message = f"the URL was for one file, which the job {job.job_id} has already; begin another upload"
    failed = _of_file(file, now, domain=job.domain, source_id=job.source_id)
    return failed.ended(JobStatus.FAILED, now, reason=JobFailure(JobFault.UPLOAD_USED, message))


def _is_same(one: FileVersion, other: FileVersion) -> bool:
    """Tell whether two versions have the same content: a client repeats an upload whose answer it did not get."""
    return (one.etag, one.size) == (other.etag, other.size)


def _check_origin(options: dict[str, Any], job: CsvJob) -> None:
    """Refuse options that name another domain or source than the key does."""
    for name, by_key in (("domain", job.domain), ("source_id", job.source_id)):
        if options.get(name, by_key) != by_key:
            message = f"the options say {name} {options[name]!a}, the key {by_key!a}; say it once, or both alike"
            raise NotReadableError(JobFault.INVALID_OPTIONS, message)
