"""Read a CSV file: its rows as points to the queue, in pieces after each of which it is known how far it got."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from afluente.application.csv.jobs import (
    MAX_FUTILE_ATTEMPTS,
    MAX_NAMED_STREAMS,
    CsvJob,
    CsvJobStore,
    JobFault,
    JobQueue,
    JobStatus,
    NotReadableError,
    PartProgress,
    Position,
    Reason,
    RejectedRow,
    StaleJobError,
    advanced,
    end,
)
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import Series, SeriesPack, group_of
from afluente.application.ingest.ports import SeriesQueue


class PartOutcome(StrEnum):
    """What became of reading a part, for now."""

    NOTHING = "nothing"
    ENDED = "ended"
    PAUSED = "paused"
    WAITING = "waiting"


class PartResult(msgspec.Struct, frozen=True):
    """What one go at a part did.

    Attributes:
        outcome: `nothing`: there was nothing to do; `ended`: the part ended, and with the last one the job; `paused`:
            it goes on where it stopped; `waiting`: the other parts of the job have to end first.
        job: as it is now; None where there is none.
        points: how many were queued.
        rejected: how many rows were rejected.
    """

    outcome: PartOutcome
    job: CsvJob | None
    points: int = 0
    rejected: int = 0


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a file: some rows that follow each other.

    Attributes:
        series: the points that the part takes of them, those of a stream in their order.
        read_at: when they were read, in Unix seconds.
        rows: how many rows they are.
        rejected: those of which something was rejected.
        position: where the next piece begins.
        bytes_done: how far that is in the file as it is stored.
        damage: why the file cannot be read on from there; it is the last piece then.
    """

    series: tuple[Series, ...]
    read_at: float
    rows: int
    rejected: Sequence[RejectedRow]
    position: Position
    bytes_done: int
    damage: Reason | None = None


class Look(msgspec.Struct, frozen=True):
    """What a first look at a file tells.

    Attributes:
        layout: how it is read; only who reads it understands it.
        used: the options by which it is read.
        parts: in how many parts its streams are read side by side.
    """

    layout: Mapping[str, Any]
    used: Mapping[str, Any]
    parts: int


class CsvFiles(Protocol):
    """The files, and what is kept of their rejected rows."""

    def look(self, job: CsvJob) -> Look:
        """Look at the beginning of the job's file.

        Raises:
            NotReadableError: it cannot be read.
            UnavailableError: the bucket does not answer; so for all that follow.
        """
        ...

    def chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        """The pieces of the job's file from a position on, the same from there whenever they are asked for.

        Raises:
            NotReadableError: the file is not there any more; or the last piece says so.
        """
        ...

    def keep_rejected(self, job: CsvJob, part: int, position: Position, rows: Sequence[RejectedRow]) -> None:
        """Keep rejected rows of the piece that begins at the position; a second time they replace themselves."""
        ...

    def gather_rejected(self, job: CsvJob) -> str:
        """Put everything that was kept into one file; returns its key."""
        ...


class LoadCsv:
    """Reads parts of jobs.

    Args:
        store: the jobs.
        files: the files.
        jobs: the queue of parts.
        points: where points go.
        shards: how many shards sources are spread over.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        store: CsvJobStore,
        files: CsvFiles,
        jobs: JobQueue,
        points: SeriesQueue,
        shards: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._files = files
        self._jobs = jobs
        self._points = points
        self._shards = shards
        self._clock = clock

    def __call__(self, job_id: str, part: int, *, is_time_left: Callable[[], bool]) -> PartResult:
        """Read a part of a job until its end, or until no time is left.

        It may be called again at any time, also while another call is at it: of the two only one gets on, and what both
        queue the queue has once.

        Raises:
            UnavailableError: something that is needed does not answer; it goes on from where it got to.
        """
        job = self._store.find(job_id)
        if job is None or job.status.is_final:
            return PartResult(PartOutcome.NOTHING, self._with_rejects(job))
        try:
            job = self._begun(job) if job.status is not JobStatus.READING else job
            if job.status is not JobStatus.READING:
                return PartResult(PartOutcome.ENDED, job)
            return self._read(job, part, is_time_left)
        except NotReadableError as error:
            return PartResult(PartOutcome.ENDED, self._failed(job, error.reason))
        except StaleJobError:
            # Cancelled, or another call reads it, or the answer to a change of ours was lost: that is seen later.
            job = self._store.find(job_id)
            if job is not None and not job.status.is_final:
                return PartResult(PartOutcome.WAITING, job)
            return PartResult(PartOutcome.NOTHING, self._with_rejects(job))

    # --- begin -------------------------------------------------------------------------------------------------------

    def _begun(self, job: CsvJob) -> CsvJob:
        """The job as it is to be read; ended, if other jobs have its content."""
        now = self._clock()
        owner = self._owner_of_content(job, now)
        if owner != job.job_id:
            return end(self._store, job, JobStatus.DUPLICATE, now, duplicate_of=owner)
        job, look = self._look(job)
        return self._store.change(
            msgspec.structs.replace(
                job,
                status=JobStatus.READING,
                layout=dict(look.layout),
                used=dict(look.used),
                parts=(PartProgress(),) * look.parts,
                started_at=now,
                updated_at=now,
            )
        )

    def _look(self, job: CsvJob) -> tuple[CsvJob, Look]:
        """Look at the file; not for ever at one at which every look breaks off."""
        if job.looks >= MAX_FUTILE_ATTEMPTS:
            message = (
                f"the first look at the file broke off {job.looks} times; tell the operators, its job_id finds the log"
            )
            raise NotReadableError(JobFault.GIVEN_UP, message)
        begun = self._store.change(msgspec.structs.replace(job, looks=job.looks + 1))
        try:
            return begun, self._files.look(begun)
        except UnavailableError:
            self._store.change(msgspec.structs.replace(begun, looks=job.looks))
            raise

    def _owner_of_content(self, job: CsvJob, now: float) -> str:
        """The job that reads the content of this one, or has read it: this one, if there is no other."""
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

    # --- read --------------------------------------------------------------------------------------------------------

    def _read(self, job: CsvJob, number: int, is_time_left: Callable[[], bool]) -> PartResult:
        if number == 0:
            self._have_others_read(job)
        part = job.parts[number]
        points, rejected = part.points_queued, part.rows_rejected
        if not part.is_done:
            part = self._go_on(job, number, part, is_time_left)
        done = PartResult(
            PartOutcome.ENDED if part.is_done else PartOutcome.PAUSED,
            job,
            part.points_queued - points,
            part.rows_rejected - rejected,
        )
        if number != 0 or not part.is_done:
            return done
        return self._ended(job.job_id, done)

    def _have_others_read(self, job: CsvJob) -> None:
        for number, part in enumerate(job.parts):
            if number > 0 and part.version == 0:
                self._jobs.send(job, number)

    def _go_on(self, job: CsvJob, number: int, part: PartProgress, is_time_left: Callable[[], bool]) -> PartProgress:
        if part.attempts >= MAX_FUTILE_ATTEMPTS:
            message = f"reading broke off {part.attempts} times at line {part.position.line} without getting on"
            raise NotReadableError(JobFault.GIVEN_UP, message)
        begun = self._store.save_part(job, number, msgspec.structs.replace(part, attempts=part.attempts + 1))
        group = group_of(f"{job.domain}/{job.source_id}", self._shards)
        latest = begun
        try:
            for chunk in self._files.chunks(job, number, begun.position):
                latest = self._take(job, number, latest, chunk, group)
                if not is_time_left():
                    return latest
        except UnavailableError:
            if latest is begun:
                # Not the file's fault: that it could not go on now must not count against it.
                self._store.save_part(job, number, msgspec.structs.replace(begun, attempts=part.attempts))
            raise
        return self._store.save_part(job, number, msgspec.structs.replace(latest, is_done=True))

    def _take(self, job: CsvJob, number: int, part: PartProgress, chunk: Chunk, group: str) -> PartProgress:
        """Queue a piece, keep what was rejected of it, and only then how far the part is."""
        if chunk.series:
            self._points.send_series(SeriesPack(group, job.domain, job.source_id, chunk.read_at, chunk.series))
        if chunk.rejected:
            self._files.keep_rejected(job, number, part.position, chunk.rejected)
        return self._store.save_part(job, number, _after(part, chunk, MAX_NAMED_STREAMS // len(job.parts)))

    # --- end ---------------------------------------------------------------------------------------------------------

    def _ended(self, job_id: str, done: PartResult) -> PartResult:
        """End the job, if all its parts have ended."""
        job = self._store.find(job_id)
        if job is None or job.status.is_final:
            return msgspec.structs.replace(done, job=job)
        if not all(part.is_done for part in job.parts):
            return msgspec.structs.replace(done, outcome=PartOutcome.WAITING, job=job)
        damage = next((part.damage for part in job.parts if part.damage is not None), None)
        ended = end(
            self._store,
            job,
            JobStatus.COMPLETE if damage is None else JobStatus.FAILED,
            self._clock(),
            reason=damage,
            rejects_key=self._rejects_of(job),
        )
        return msgspec.structs.replace(done, job=ended)

    def _failed(self, job: CsvJob, reason: Reason) -> CsvJob | None:
        # What was rejected until then is worth having, too.
        current = self._store.find(job.job_id)
        if current is None or current.status.is_final:
            return current
        rejects_key = self._rejects_of(current)
        return end(self._store, current, JobStatus.FAILED, self._clock(), reason=reason, rejects_key=rejects_key)

    def _with_rejects(self, job: CsvJob | None) -> CsvJob | None:
        """A job that was cancelled, with what had been rejected until then: who cancels reads no files."""
        if job is None or job.status is not JobStatus.CANCELLED or job.rejects_key is not None:
            return job
        rejects_key = self._rejects_of(job)
        if rejects_key is None:
            return job
        return self._store.change(msgspec.structs.replace(job, rejects_key=rejects_key))

    def _rejects_of(self, job: CsvJob) -> str | None:
        return self._files.gather_rejected(job) if any(part.has_rejects for part in job.parts) else None


def _after(part: PartProgress, chunk: Chunk, named_streams: int) -> PartProgress:
    """How far a part is once a piece is queued."""
    streams: Counter[str] = Counter()
    for series in chunk.series:
        streams[series.stream_id] += len(series)
    earliest = [min(series.timestamps) for series in chunk.series]
    latest = [max(series.timestamps) for series in chunk.series]
    return msgspec.structs.replace(
        advanced(part, rejected=chunk.rejected, streams=streams, named_streams=named_streams),
        position=chunk.position,
        bytes_done=chunk.bytes_done,
        rows_read=part.rows_read + chunk.rows,
        points_queued=part.points_queued + streams.total(),
        first_timestamp=min([*earliest, *_known(part.first_timestamp)], default=None),
        last_timestamp=max([*latest, *_known(part.last_timestamp)], default=None),
        has_rejects=part.has_rejects or bool(chunk.rejected),
        damage=chunk.damage,
        attempts=0,
    )


def _known(time: float | None) -> list[float]:
    return [] if time is None else [time]
