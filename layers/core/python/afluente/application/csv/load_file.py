"""Load a CSV file: queue its rows as points, pack by pack, and store the progress."""

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

import msgspec

from afluente.application.csv.chunks import Chunk, LoadPlan
from afluente.application.csv.faults import JobFailure, JobFault, NotReadableError
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.pacing import PacedPacks, SourcePoints
from afluente.application.csv.part_saver import PartSaver
from afluente.application.csv.ports import CsvFiles, CsvJobStore, JobQueue, StaleJobError
from afluente.application.csv.progress import MAX_NAMED_STREAMS, PartProgress, after_chunk, after_pack
from afluente.application.csv.turns import Turn
from afluente.application.errors import UnavailableError
from afluente.application.ingest.ports import BulkSlots

MAX_FUTILE_ATTEMPTS = 10
"""Attempts in a row without progress before a job is given up."""

# Beside the groups of packs, which have slots of the same kind.
_SHARE = "owner#"


class PartOutcome(StrEnum):
    """The state of a part after a call.

    `nothing`: there was nothing to do; `ended`: the part has ended, and with the last one the job; `paused`: time ran
    out, and the next call continues; `yielded`: the next call continues, after others that wait; `blocked`: the next
    pack has no slot, and a later call continues; `waiting`: other parts of the job have to end first, or another loader
    is at it, or the owner of the job has its share of loaders.
    """

    NOTHING = "nothing"
    ENDED = "ended"
    PAUSED = "paused"
    YIELDED = "yielded"
    BLOCKED = "blocked"
    WAITING = "waiting"


class PartResult(msgspec.Struct, frozen=True):
    """The result of one call for a part.

    Attributes:
        outcome: of the part.
        job: as it is now; None where there is none.
        points: points queued by the call.
        rejected: rows rejected by the call.
        blocked: calls in a row that ended without a slot for the next pack.
    """

    outcome: PartOutcome
    job: CsvJob | None
    points: int = 0
    rejected: int = 0
    blocked: int = 0


class LoadCsv:
    """Loads parts of jobs.

    Args:
        store: of the jobs.
        files: of the jobs.
        queue: of the parts.
        packs: queues the points.
        shares: of the owners of jobs: the parts of each that may be loaded at a time.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        store: CsvJobStore,
        files: CsvFiles,
        queue: JobQueue,
        packs: PacedPacks,
        shares: BulkSlots,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._files = files
        self._queue = queue
        self._packs = packs
        self._shares = shares
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
        share = _SHARE + job.owner, f"{job_id}-{part}"
        if self._shares.acquire(*share) is None:
            return PartResult(PartOutcome.WAITING, job)
        try:
            return self._call(job, part, Turn(is_time_left, self._queue, self._clock))
        finally:
            with suppress(UnavailableError):  # The share expires.
                self._shares.release(*share, 0)

    def _call(self, job: CsvJob, part: int, turn: Turn) -> PartResult:
        job_id = job.job_id
        try:
            job = self._begun(job) if job.status is not JobStatus.READING else job
            if job.status is not JobStatus.READING:
                return PartResult(PartOutcome.ENDED, job)
            return self._load(job, part, turn)
        except NotReadableError as error:
            return PartResult(PartOutcome.ENDED, self._failed(job, error.reason))
        except StaleJobError:
            # Cancelled, or another call loads it, or the answer to a change of ours was lost: the job tells.
            changed = self._store.find(job_id)
            if changed is not None and not changed.status.is_final:
                return PartResult(PartOutcome.WAITING, changed)
            return PartResult(PartOutcome.NOTHING, self._with_rejects(changed))

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

    def _load(self, job: CsvJob, number: int, turn: Turn) -> PartResult:
        if number == 0:
            self._queue_other_parts(job)
        before = part = job.parts[number]
        if not part.is_done:
            part = self._continue(job, number, part, turn)
        result = PartResult(
            _outcome(part, turn),
            job,
            part.points - before.points,
            part.rows_rejected - before.rows_rejected,
            part.blocked,
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
        saver = PartSaver(self._store, job, number, clock=self._clock)
        begun = saver.save(msgspec.structs.replace(part, attempts=part.attempts + 1))
        try:
            for chunk in self._files.chunks(job, number, begun.position):
                if not self._load_chunk(job, number, saver, chunk, is_time_left):
                    return saver.save(_orderly(saver.part, begun, part.attempts))
                if not is_time_left():
                    return saver.part
        except UnavailableError:
            # Not the file's fault, so the attempt does not count against it.
            saver.save(_orderly(saver.part, begun, part.attempts))
            raise
        return saver.save(msgspec.structs.replace(saver.part, is_done=True))

    def _load_chunk(
        self, job: CsvJob, number: int, saver: PartSaver, chunk: Chunk, is_time_left: Callable[[], bool]
    ) -> bool:
        """Queue the points of a chunk, store its rejected rows, and only then the progress beyond it.

        Returns:
            False if the chunk is not done: time ran out, or there is no slot for its next pack.
        """
        points = SourcePoints(job.domain, job.source_id, chunk.read_at, chunk.series)
        queued = begun = saver.part.points_of(chunk)
        for pack in points.packs(self._packs.max_points, skipped=queued):
            if queued > begun and not is_time_left():
                return False
            sent = self._packs.send(points, pack, is_time_left=is_time_left)
            queued += sent
            if sent:
                saver.advance(after_pack(saver.part, chunk, queued))
            if sent < sum(map(len, pack)):
                saver.part = msgspec.structs.replace(saver.part, blocked=saver.part.blocked + 1)
                return False
        if chunk.rejected:
            self._files.keep_rejected(job, number, saver.part.position, chunk.rejected)
        named_streams = MAX_NAMED_STREAMS // len(job.parts)
        saver.save(after_chunk(saver.part, chunk, named_streams=named_streams))
        return True

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


def _outcome(part: PartProgress, turn: Turn) -> PartOutcome:
    if part.is_done:
        return PartOutcome.ENDED
    if part.blocked:
        return PartOutcome.BLOCKED
    return PartOutcome.YIELDED if turn.is_given_up else PartOutcome.PAUSED


def _orderly(part: PartProgress, begun: PartProgress, attempts: int) -> PartProgress:
    """The progress of a call that ends in order: its attempt does not count, even if it has queued nothing."""
    return msgspec.structs.replace(part, attempts=attempts) if part.attempts == begun.attempts else part
