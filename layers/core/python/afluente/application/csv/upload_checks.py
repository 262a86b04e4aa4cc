"""Checks of an uploaded file when S3 notifies of it: its presigned URL may have outlived the key that got it."""

from afluente.application.access.ports import ApiKeyStore
from afluente.application.csv.faults import JobFailure, JobFault
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob
from afluente.application.errors import UnavailableError
from afluente.application.limits.decisions import Allowed, Throttled
from afluente.application.limits.explanation import explain
from afluente.application.limits.rate_limits import RateLimits, Sender


class UploadChecks:
    """Refuses files whose key was revoked meanwhile, and those beyond the bytes of a day.

    Args:
        keys: API keys.
        limits: of the stage.
    """

    def __init__(self, keys: ApiKeyStore, limits: RateLimits) -> None:
        self._keys = keys
        self._limits = limits

    def failure_of(self, job: CsvJob, file: FileVersion, now: float) -> JobFailure | None:
        """The reason for which a file is refused; None for none.

        Bytes that were not announced are charged to the key that began the job. After a failure they may be charged
        twice: the check comes before the job is changed.

        Args:
            job: that the file was uploaded for.
            file: as it lies in the bucket.
            now: in Unix seconds.

        Raises:
            UnavailableError: keys or limits cannot be read, or others write the same limit; checking again is safe.
        """
        if not job.upload_keys:
            return None  # The service itself has put the file there.
        senders = []
        for key_id in job.upload_keys:
            key = self._keys.find(key_id)
            if key is None or not key.is_valid(now):
                message = f"the key {key_id}, which got a URL for the file, is valid no longer; send it with another"
                return JobFailure(JobFault.KEY_REVOKED, message)
            senders.append(Sender("", key_id, key.limits))
        return self._charge(senders[0], file.size - job.counted_bytes, now)

    def _charge(self, sender: Sender, size: int, now: float) -> JobFailure | None:
        decision = self._limits.admit_file(sender, size, Allowed(at=now), now)
        if not isinstance(decision, Throttled):
            return None
        if decision.is_contended:
            raise UnavailableError(explain(decision))
        return JobFailure(JobFault.TOO_MANY_BYTES, explain(decision))
