"""Load a CSV file: queue its rows as points, chunk by chunk, and store the progress after each."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from afluente.application.csv.chunks import Chunk, LoadPlan
from afluente.application.csv.faults import JobFailure, JobFault, NotReadableError
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.ports import CsvFiles, CsvJobStore, JobQueue, StaleJobError
from afluente.application.csv.progress import MAX_NAMED_STREAMS, PartProgress, after_chunk
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints

MAX_FUTILE_ATTEMPTS = 10
"""Attempts in a row without progress before a job is given up."""


class PartOutcome(StrEnum):
    """The state of a part after a call.

    `nothing`: there was nothing to do; `ended`: the part has ended, and with the last one the job; `paused`: time ran
    out, and the next call continues; `waiting`: other parts of the job have to end first, or another loader is at it.
    """

    NOTHING = "nothing"
    ENDED = "ended"
    PAUSED = "paused"
    WAITING = "waiting"


class PartResult(msgspec.Struct, frozen=True):
    """The result of one call for a part.

    Attributes:
        outcome: of the part.
        job: as it is now; None where there is none.
        points: points queued by the call.
        rejected: rows rejected by the call.
    """

    outcome: PartOutcome
    job: CsvJob | None
    points: int = 0
    rejected: int = 0


class LoadCsv:
    """Loads parts of jobs.

    Args:
        store: of the jobs.
        files: of the jobs.
        queue: of the parts.
        accept: queues the points.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        store: CsvJobStore,
        files: CsvFiles,
        queue: JobQueue,
        accept: AcceptPoints,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._files = files
        self._queue = queue
        self._accept = accept
        self._clock = clock

    def __call__(self, job_id: str, part: int, *, is_time_left: Callable[[], bool]) -> PartResult:
        """Load a part of a job until its end, or until no time is left.

        Another call may be at the same part: only one of the two makes progress, and the queue holds once what both
        send.

        Raises:
            UnavailableError: a dependency does not answer; the next call continues from the last progress.
        """
        job = self._store.find(job_id)
        if job is None or job.status.is_final:
            return PartResult(PartOutcome.NOTHING, self._with_rejects(job))
        try:
            job = self._begun(job) if job.status is not JobStatus.READING else job
            if job.status is not JobStatus.READING:
                return PartResult(PartOutcome.ENDED, job)
            return self._load(job, part, is_time_left)
        except NotReadableError as error:
            return PartResult(PartOutcome.ENDED, self._failed(job, error.reason))
        except StaleJobError:
            # Cancelled, or another call loads it, or the answer to a change of ours was lost: the job tells.
            job = self._store.find(job_id)
            if job is not None and not job.status.is_final:
                return PartResult(PartOutcome.WAITING, job)
            return PartResult(PartOutcome.NOTHING, self._with_rejects(job))

    # --- begin -------------------------------------------------------------------------------------------------------

    def _begun(self, job: CsvJob) -> CsvJob:
        """The job with its plan; ended, if another job has its content."""
        now = self._clock()
        owner = self._owner_of_content(job, now)
        if owner != job.job_id:
            return self._store.change(job.ended(JobStatus.DUPLICATE, now, duplicate_of=owner))
        job, plan = self._plan(job)
        return self._store.change(
            msgspec.structs.replace(
                job,
                status=JobStatus.READING,
                layout=dict(plan.layout),
                used=dict(plan.used),
                parts=(PartProgress(),) * plan.parts,
                started_at=now,
                updated_at=now,
            )
        )

    def _plan(self, job: CsvJob) -> tuple[CsvJob, LoadPlan]:
        """Plan the job; give up one whose planning broke off too often."""
        if job.looks >= MAX_FUTILE_ATTEMPTS:
            message = (
                f"the first look at the file broke off {job.looks} times; tell the operators, its job_id finds the log"
            )
            raise NotReadableError(JobFault.GIVEN_UP, message)
        begun = self._store.change(msgspec.structs.replace(job, looks=job.looks + 1))
        try:
            return begun, self._files.plan(begun)
        except UnavailableError:
            self._store.change(msgspec.structs.replace(begun, looks=job.looks))
            raise

    def _owner_of_content(self, job: CsvJob, now: float) -> str:
        """The id of the job that loads this job's content, or has loaded it: its own, if there is no other."""
        if job.content_id is None:
            return job.job_id
        owner = self._store.claim(job.content_id, job.job_id, now)
        if owner == job.job_id:
            return owner
        other = self._store.find(owner)
        if other is None or other.status in {JobStatus.FAILED, JobStatus.CANCELLED}:
            self._store.release(job.content_id, owner)
            return self._store.claim(job.content_id, job.job_id, now)
        return owner

    # --- load --------------------------------------------------------------------------------------------------------

    def _load(self, job: CsvJob, number: int, is_time_left: Callable[[], bool]) -> PartResult:
        if number == 0:
            self._queue_other_parts(job)
        part = job.parts[number]
        points, rejected = part.points_queued, part.rows_rejected
        if not part.is_done:
            part = self._continue(job, number, part, is_time_left)
        result = PartResult(
            PartOutcome.ENDED if part.is_done else PartOutcome.PAUSED,
            job,
            part.points_queued - points,
            part.rows_rejected - rejected,
        )
        if number != 0 or not part.is_done:
            return result
        return self._ended(job.job_id, result)

    def _queue_other_parts(self, job: CsvJob) -> None:
        for number, part in enumerate(job.parts):
            if number > 0 and part.version == 0:
                self._queue.send(job, number)

    def _continue(self, job: CsvJob, number: int, part: PartProgress, is_time_left: Callable[[], bool]) -> PartProgress:
        if part.attempts >= MAX_FUTILE_ATTEMPTS:
            message = f"reading broke off {part.attempts} times at line {part.position.line} without getting on"
            raise NotReadableError(JobFault.GIVEN_UP, message)
        begun = self._store.save_part(job, number, msgspec.structs.replace(part, attempts=part.attempts + 1))
        latest = begun
        try:
            for chunk in self._files.chunks(job, number, begun.position):
                latest = self._load_chunk(job, number, latest, chunk)
                if not is_time_left():
                    return latest
        except UnavailableError:
            if latest is begun:
                # Not the file's fault, so the attempt does not count against it.
                self._store.save_part(job, number, msgspec.structs.replace(begun, attempts=part.attempts))
            raise
        return self._store.save_part(job, number, msgspec.structs.replace(latest, is_done=True))

    def _load_chunk(self, job: CsvJob, number: int, part: PartProgress, chunk: Chunk) -> PartProgress:
        """Queue the points of a chunk, store its rejected rows, and only then the progress."""
        if chunk.series:
            self._accept.series(chunk.series, domain=job.domain, source_id=job.source_id, received_at=chunk.read_at)
        if chunk.rejected:
            self._files.keep_rejected(job, number, part.position, chunk.rejected)
        named_streams = MAX_NAMED_STREAMS // len(job.parts)
        return self._store.save_part(job, number, after_chunk(part, chunk, named_streams=named_streams))

    # --- end ---------------------------------------------------------------------------------------------------------

    def _ended(self, job_id: str, result: PartResult) -> PartResult:
        """End the job, if all its parts have ended."""
        job = self._store.find(job_id)
        if job is None or job.status.is_final:
            return msgspec.structs.replace(result, job=job)
        if not all(part.is_done for part in job.parts):
            return msgspec.structs.replace(result, outcome=PartOutcome.WAITING, job=job)
        damage = next((part.damage for part in job.parts if part.damage is not None), None)
        status = JobStatus.COMPLETE if damage is None else JobStatus.FAILED
        now = self._clock()
        ended = job.ended(status, now, reason=damage, rejects_key=self._gathered_rejects(job))
        return msgspec.structs.replace(result, job=self._store.change(ended))

    def _failed(self, job: CsvJob, reason: JobFailure) -> CsvJob | None:
        current = self._store.find(job.job_id)
        if current is None or current.status.is_final:
            return current
        # Rows that were rejected until then are worth having, too.
        rejects_key = self._gathered_rejects(current)
        return self._store.change(
            current.ended(JobStatus.FAILED, self._clock(), reason=reason, rejects_key=rejects_key)
        )

    def _with_rejects(self, job: CsvJob | None) -> CsvJob | None:
        """A cancelled job with its rejected rows: whoever cancels does not gather them."""
        if job is None or job.status is not JobStatus.CANCELLED or job.rejects_key is not None:
            return job
        rejects_key = self._gathered_rejects(job)
        if rejects_key is None:
            return job
        return self._store.change(msgspec.structs.replace(job, rejects_key=rejects_key))

    def _gathered_rejects(self, job: CsvJob) -> str | None:
        return self._files.gather_rejected(job) if any(part.has_rejects for part in job.parts) else None
