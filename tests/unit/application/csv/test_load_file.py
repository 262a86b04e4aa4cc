"""Loading of CSV files: from the plan to the last row, broken off, repeated, cancelled, in parts."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from afluente.adapters.codecs.csv import blocks as blocks_module
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.csv import MemoryCsvFiles, MemoryCsvJobs
from afluente.adapters.memory.ingest import MemoryBulkQueue, MemorySlots
from afluente.application.csv.chunks import Chunk, LoadPlan, Position
from afluente.application.csv.faults import JobFailure, JobFault
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.load_file import MAX_FUTILE_ATTEMPTS, LoadCsv, PartOutcome, PartResult
from afluente.application.csv.pacing import PacedPacks
from afluente.application.csv.part_saver import SAVE_SECONDS
from afluente.application.csv.ports import StaleJobError
from afluente.application.csv.progress import PartProgress
from afluente.application.csv.registry import JobRegistry
from afluente.application.csv.reports import report
from afluente.application.csv.turns import TURN_SECONDS
from afluente.application.csv.upload_checks import UploadChecks
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import SealedPack
from tests.factories import NOW, Clock, some_rate_limits

KEY = "inbox/iot/furnace-1/readings.csv"
BLOCK = 2_000
ROWS = "timestamp,value\n" + "".join(
    f"2023-01-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d},{i}\n" for i in range(1_000)
)


@dataclass
class JobQueue:
    """Keeps what is to be read."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    others_wait: bool = False

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        self.sent.append((job.job_id, part))

    def has_waiting(self) -> bool:
        return self.others_wait


class Queue(MemoryBulkQueue):
    """A queue that may be away; its packs are classified at once, unless it stands still."""

    def __init__(self, slots: MemorySlots) -> None:
        super().__init__()
        self.sends = 0
        self.is_away_at = -1
        self.stands_still_from: int | None = None
        self.waiting: list[tuple[str, str, int]] = []
        self._slots = slots

    def send(self, pack: SealedPack) -> int:
        self.sends += 1
        if self.sends == self.is_away_at:
            raise UnavailableError("SQS")
        before = len(self.packs)
        number = super().send(pack)
        if len(self.packs) > before:
            self.waiting.append((pack.group, pack.slot, number))
        if self.stands_still_from is None or self.sends < self.stands_still_from:
            self.drain()
        return number

    def drain(self) -> None:
        """Classify the packs."""
        while self.waiting:
            self._slots.release(*self.waiting.pop(0))


class Service:
    """Everything that reads files, in memory."""

    def __init__(self, parts: int = 1) -> None:
        self.clock = Clock()
        self.files = MemoryCsvFiles(parts=parts, clock=self.clock)
        self.store = MemoryCsvJobs()
        self.parts = JobQueue()
        self.slots = MemorySlots(limit=2, lease_seconds=900, clock=self.clock)
        self.shares = MemorySlots(limit=2, lease_seconds=240, clock=self.clock)
        self.queue = Queue(self.slots)
        self.jobs = JobRegistry(store=self.store, domains=["iot"])
        self.uploads = UploadChecks(MemoryApiKeys(), some_rate_limits())
        self.read_csv = self.reader(self.store)

    def reader(self, store: MemoryCsvJobs) -> LoadCsv:
        packs = self.packs = PacedPacks(
            queue=self.queue, slots=self.slots, shards=64, sleep=self.sleep, clock=self.clock
        )
        return LoadCsv(
            store=store, files=self.files, queue=self.parts, packs=packs, shares=self.shares, clock=self.clock
        )

    def sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    def drop(self, content: str, key: str = KEY) -> CsvJob:
        return self.register(self.files.put(key, content.encode()))

    def register(self, file: FileVersion) -> CsvJob:
        return self.jobs.register(file, self.clock.now, options=self.files, queue=self.parts, uploads=self.uploads)

    def read(self, job: CsvJob, part: int = 0, *, chunks: int = 1_000) -> PartResult:
        """Read on, for so many chunks at the most."""
        left = iter(range(chunks - 1))
        return self.read_csv(job.job_id, part, is_time_left=lambda: next(left, None) is not None)

    def now(self, job: CsvJob) -> CsvJob:
        found = self.store.find(job.job_id)
        assert found is not None
        return found

    def values(self) -> list[float]:
        return [point.value for pack in self.queue.packs for point in pack.points]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", BLOCK)
    return Service()


def test_a_file_is_read_to_its_end(service: Service) -> None:
    job = service.drop(ROWS)

    result = service.read(job)

    assert (result.outcome, result.points, result.rejected) == (PartOutcome.ENDED, 1_000, 0)
    ended = service.now(job)
    assert ended == result.job
    assert (ended.status, ended.started_at, ended.finished_at, ended.rejects_key) == (
        JobStatus.COMPLETE,
        NOW,
        NOW,
        None,
    )
    [part] = ended.parts
    assert (part.rows_read, part.points_queued, part.streams) == (1_000, 1_000, {"furnace-1:value": 1_000})
    assert (part.bytes_done, part.is_done) == (len(ROWS), True)
    assert (part.first_timestamp, part.last_timestamp) == (1672531200.0, 1672532199.0)
    assert ended.used is not None
    assert ended.used["timestamp_column"] == ["timestamp"]
    assert service.values() == list(range(1_000))


def test_points_arrive_as_those_of_other_transports(service: Service) -> None:
    service.read(service.drop("timestamp,value\n2023-01-01,5\n"))

    [pack] = service.queue.packs
    [point] = pack.points
    assert (point.domain, point.source_id, point.stream_id, point.ingested_at) == (
        "iot",
        "furnace-1",
        "furnace-1:value",
        NOW,
    )
    assert pack.group.endswith("-of-64")


def test_it_goes_on_where_it_stopped(service: Service) -> None:
    job = service.drop(ROWS)

    results = [service.read(job, chunks=3)]
    while results[-1].outcome is PartOutcome.PAUSED:
        results.append(service.read(job, chunks=3))

    assert len(results) == 5
    assert results[-1].outcome is PartOutcome.ENDED
    assert sum(result.points for result in results) == 1_000
    assert service.values() == list(range(1_000))


def test_a_job_that_has_ended_is_not_read_again(service: Service) -> None:
    job = service.drop(ROWS)
    service.read(job)

    assert service.read(job).outcome is PartOutcome.NOTHING
    assert service.read_csv("unknown", 0, is_time_left=lambda: True) == PartResult(PartOutcome.NOTHING, None)
    assert len(service.values()) == 1_000


class Killed(BaseException):
    """The process ends here."""


class DyingStore(MemoryCsvJobs):
    """A store after whose n-th saved part, or before it, the process ends."""

    def __init__(self, dies_at: int, *, after: bool) -> None:
        super().__init__()
        self.left = dies_at
        self.after = after

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        saved = super().save_part(job, number, part)
        if self.left == 0:
            raise Killed
        return saved


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("dies_at", range(1, 15))
def test_whenever_it_is_killed_each_row_is_queued_once(service: Service, dies_at: int, after: bool) -> None:
    service.store = DyingStore(dies_at, after=after)
    service.jobs = JobRegistry(store=service.store, domains=["iot"])
    service.read_csv = service.reader(service.store)
    job = service.drop(ROWS)
    with pytest.raises(Killed):
        service.read(job)

    service.read(job)

    ended = service.now(job)
    assert (ended.status, ended.parts[0].points_queued) == (JobStatus.COMPLETE, 1_000)
    assert service.values() == list(range(1_000))


def test_of_two_that_read_the_same_one_stops(service: Service) -> None:
    job = service.drop(ROWS)
    service.read(job, chunks=1)
    first = service.store.find(job.job_id)
    assert first is not None

    # Another one has got on meanwhile.
    service.read(job, chunks=2)
    with pytest.raises(StaleJobError):
        service.store.save_part(first, 0, first.parts[0])
    assert service.read(job).outcome is PartOutcome.ENDED
    assert service.values() == list(range(1_000))


def test_a_part_that_another_one_got_on_with_is_left_to_it(service: Service) -> None:
    job = service.drop(ROWS)

    def interfering() -> Iterator[bool]:
        service.read(job, chunks=1)
        while True:
            yield True

    turns = interfering()
    result = service.read_csv(job.job_id, 0, is_time_left=lambda: next(turns))

    # Whether the other one lives is not known: it is looked at again later.
    assert result.outcome is PartOutcome.WAITING
    assert service.now(job).status is JobStatus.READING
    service.read(job)
    assert service.values() == list(range(1_000))


def test_an_unavailable_queue_does_not_count_against_the_file(service: Service) -> None:
    job = service.drop(ROWS)
    for _ in range(MAX_FUTILE_ATTEMPTS + 5):
        service.queue.is_away_at = service.queue.sends + 1
        with pytest.raises(UnavailableError):
            service.read(job)

    service.queue.is_away_at = -1
    service.read(job)

    assert service.now(job).status is JobStatus.COMPLETE
    assert service.values() == list(range(1_000))


@pytest.mark.parametrize("got_on", [0, 2])
def test_an_unavailable_queue_costs_no_row(service: Service, got_on: int) -> None:
    job = service.drop(ROWS)
    service.queue.is_away_at = got_on + 1
    with pytest.raises(UnavailableError):
        service.read(job)

    assert service.now(job).parts[0].attempts == 0
    assert service.read(job).outcome is PartOutcome.ENDED
    assert service.values() == list(range(1_000))


# --- slots -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_packs(service: Service) -> None:
    """Several packs a chunk."""
    service.packs.max_points = 10


@pytest.mark.usefixtures("small_packs")
def test_a_file_whose_message_group_has_no_slot_goes_on_later_within_its_chunk(service: Service) -> None:
    job = service.drop(ROWS)
    service.queue.stands_still_from = 4

    results = [service.read(job) for _ in range(3)]

    assert [result.outcome for result in results] == [PartOutcome.BLOCKED] * 3
    assert [(result.points, result.blocked) for result in results] == [(50, 1), (0, 2), (0, 3)]
    [part] = service.now(job).parts
    assert (part.points_queued, part.points, part.attempts) == (0, 50, 0)
    assert report(service.now(job)).points_queued == 50

    service.queue.stands_still_from = None
    service.queue.drain()
    assert service.read(job).outcome is PartOutcome.ENDED
    assert service.values() == list(range(1_000))


@pytest.mark.usefixtures("small_packs")
def test_a_file_of_a_group_that_stands_still_for_long_is_not_given_up(service: Service) -> None:
    job = service.drop(ROWS)
    service.queue.stands_still_from = 1
    for _ in range(MAX_FUTILE_ATTEMPTS + 5):
        assert service.read(job).outcome is PartOutcome.BLOCKED
        service.clock.now += 10

    service.queue.stands_still_from = None
    service.queue.drain()

    assert service.read(job).outcome is PartOutcome.ENDED
    assert service.values() == list(range(1_000))


@pytest.mark.usefixtures("small_packs")
def test_time_that_runs_out_within_a_chunk_costs_no_point(service: Service) -> None:
    job = service.drop(ROWS)

    results = [service.read(job, chunks=2)]
    while results[-1].outcome is PartOutcome.PAUSED:
        results.append(service.read(job, chunks=2))

    assert [result.points for result in results[:2]] == [20, 20]
    assert service.values() == list(range(1_000))


@pytest.mark.usefixtures("small_packs")
def test_progress_within_a_chunk_is_saved_from_time_to_time_and_when_the_queue_is_away(service: Service) -> None:
    job = service.drop(ROWS)

    def later() -> bool:
        service.clock.now += SAVE_SECONDS / 2
        seen.append(service.now(job).parts[0].points)
        return True

    seen: list[int] = []
    service.queue.is_away_at = 5
    with pytest.raises(UnavailableError):
        service.read_csv(job.job_id, 0, is_time_left=later)

    assert seen == [0, 0, 30, 30]
    assert service.now(job).parts[0].points == 40


@pytest.mark.usefixtures("small_packs")
def test_a_chunk_that_another_release_cuts_otherwise_is_loaded_whole(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = service.drop(ROWS)
    service.read(job, chunks=2)

    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", BLOCK // 2)
    service.read(job)

    # The queue knows the points that come again.
    assert service.now(job).parts[0].points_queued == 1_000
    assert service.values() == list(range(1_000))


# --- shares and turns ------------------------------------------------------------------------------------------------


def test_a_job_waits_while_its_owner_has_its_share_of_loaders(service: Service) -> None:
    job = service.drop(ROWS)
    for other in ("1-0", "2-0"):
        service.shares.acquire(f"owner#{job.owner}", other)

    assert service.read(job).outcome is PartOutcome.WAITING
    assert service.now(job).status is JobStatus.QUEUED

    service.shares.release(f"owner#{job.owner}", "1-0", 0)
    assert service.read(job).outcome is PartOutcome.ENDED
    assert list(service.shares.held[f"owner#{job.owner}"]) == ["2-0"]


class UnreleasedShares(MemorySlots):
    """Shares whose store is away when they are released."""

    def release(self, group: str, token: str, sequence_number: int) -> None:
        raise UnavailableError("DynamoDB")


def test_a_share_that_is_not_released_costs_no_result(service: Service) -> None:
    service.shares = UnreleasedShares(limit=2, lease_seconds=240, clock=service.clock)
    service.read_csv = service.reader(service.store)

    assert service.read(service.drop(ROWS)).outcome is PartOutcome.ENDED


@pytest.mark.parametrize("others_wait", [True, False])
def test_a_part_gives_its_invocation_back_after_its_turn_if_others_wait(service: Service, others_wait: bool) -> None:
    service.parts.others_wait = others_wait
    job = service.drop(ROWS)

    def slow() -> bool:
        service.clock.now += TURN_SECONDS / 2
        return True

    results = [service.read_csv(job.job_id, 0, is_time_left=slow)]
    while results[-1].outcome is PartOutcome.YIELDED:
        results.append(service.read_csv(job.job_id, 0, is_time_left=slow))

    assert (len(results) > 1) is others_wait
    assert results[-1].outcome is PartOutcome.ENDED
    assert service.values() == list(range(1_000))


class DeafStore(MemoryCsvJobs):
    """A store whose n-th change of any kind is done, but its answer lost: the client asks again, and that is stale."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.left = lost

    def _answer(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise StaleJobError("changed meanwhile")

    def change(self, job: CsvJob) -> CsvJob:
        changed = super().change(job)
        self._answer()
        return changed

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        saved = super().save_part(job, number, part)
        self._answer()
        return saved


@pytest.mark.parametrize("lost", range(1, 17))
def test_a_change_whose_answer_is_lost_stops_no_job(service: Service, lost: int) -> None:
    service.store = DeafStore(lost)
    service.jobs = JobRegistry(store=service.store, domains=["iot"])
    service.read_csv = service.reader(service.store)
    job = service.drop(ROWS)

    first = service.read(job)
    again = service.read(job)

    assert (first.outcome, again.outcome) in {
        (PartOutcome.WAITING, PartOutcome.ENDED),
        (PartOutcome.NOTHING, PartOutcome.NOTHING),  # it was the last change
    }
    assert service.now(job).status is JobStatus.COMPLETE
    assert service.values() == list(range(1_000))


def test_a_file_at_which_reading_breaks_off_again_and_again_is_given_up(service: Service) -> None:
    job = service.drop(ROWS)
    service.read(job, chunks=1)
    for _ in range(MAX_FUTILE_ATTEMPTS):
        service.store = dying = DyingStore(2, after=False)
        dying._jobs = service.read_csv._store._jobs  # type: ignore[attr-defined]
        service.read_csv = service.reader(dying)
        with pytest.raises(Killed):
            service.read(job)

    service.read(job)

    ended = service.now(job)
    assert (ended.status, ended.reason and ended.reason.code) == (JobStatus.FAILED, JobFault.GIVEN_UP)
    assert ended.reason is not None
    assert f"broke off {MAX_FUTILE_ATTEMPTS} times at line" in ended.reason.message


class BreakingFiles(MemoryCsvFiles):
    """Files at which a look breaks off."""

    error: BaseException = Killed()

    def plan(self, job: CsvJob) -> LoadPlan:
        raise self.error


def test_a_file_at_which_each_look_breaks_off_is_given_up(service: Service) -> None:
    service.files = BreakingFiles(clock=service.clock)
    service.read_csv = service.reader(service.store)
    job = service.drop(ROWS)
    for _ in range(MAX_FUTILE_ATTEMPTS):
        with pytest.raises(Killed):
            service.read(job)

    assert service.read(job).outcome is PartOutcome.ENDED
    reason = service.now(job).reason
    assert reason is not None
    assert (reason.code, service.now(job).status) == (JobFault.GIVEN_UP, JobStatus.FAILED)


def test_a_bucket_that_is_unavailable_at_each_plan_gives_no_file_up(service: Service) -> None:
    service.files = files = BreakingFiles(clock=service.clock)
    files.error = UnavailableError("S3")
    service.read_csv = service.reader(service.store)
    job = service.drop(ROWS)

    for _ in range(MAX_FUTILE_ATTEMPTS + 5):
        with pytest.raises(UnavailableError):
            service.read(job)

    assert service.now(job).status is JobStatus.QUEUED


def test_rejected_rows_are_reported_stored_and_linked(service: Service) -> None:
    lines = ROWS.splitlines(keepends=True)
    for place in range(10, 20):
        lines[place] = f"2023-01-01,bad {place}\n"
    job = service.drop("".join(lines))

    result = service.read(job)

    assert (result.points, result.rejected) == (990, 10)
    ended = service.now(job)
    assert ended.rejects_key == f"rejects/{job.job_id}.csv"
    [errors] = ended.parts[0].errors.values()
    assert (errors.count, [row.line for row in errors.first]) == (10, [11, 12, 13, 14, 15])
    [kept] = service.files.rejected[job.job_id].values()
    assert [(row.line, row.row) for row in kept] == [(place + 1, f"2023-01-01,bad {place}") for place in range(10, 20)]


def test_a_piece_without_any_point_is_passed(service: Service) -> None:
    service.files.options[KEY] = {"timestamp_column": "timestamp"}
    job = service.drop("timestamp,value\n" + "2023-01-01,1\n" + "2023-01-01,\n" * 1_000)

    service.read(job)

    assert service.queue.sends == 1
    assert service.now(job).parts[0].rows_read == 1_001


@pytest.mark.parametrize(
    ("content", "code"),
    [("", JobFault.EMPTY_FILE), ("hello\nworld\n", JobFault.NO_VALUES), ('{"a": 1}\n', JobFault.NOT_CSV)],
)
def test_a_file_that_is_no_csv_ends_at_once_with_the_reason(service: Service, content: str, code: JobFault) -> None:
    job = service.drop(content)

    assert service.read(job).outcome is PartOutcome.ENDED
    ended = service.now(job)
    assert (ended.status, ended.reason and ended.reason.code, ended.rejects_key) == (JobStatus.FAILED, code, None)


def test_the_same_content_again_is_not_queued_again(service: Service) -> None:
    first = service.drop(ROWS)
    service.read(first)
    same_key = service.drop(ROWS)
    other_key = service.drop(ROWS, "inbox/iot/furnace-1/copy.csv")
    other_source = service.drop(ROWS, "inbox/iot/furnace-2/readings.csv")

    for job in (same_key, other_key, other_source):
        service.read(job)

    assert [service.now(job).status for job in (same_key, other_key)] == [JobStatus.DUPLICATE] * 2
    assert service.now(same_key).duplicate_of == first.job_id
    assert service.now(other_source).status is JobStatus.COMPLETE
    assert len(service.values()) == 2_000


def test_content_of_a_job_that_failed_can_be_read_by_another(service: Service) -> None:
    first = service.drop(ROWS)
    service.read(first, chunks=1)
    service.jobs.cancel(first.job_id, NOW)
    second = service.drop(ROWS)

    service.read(second)

    assert service.now(second).status is JobStatus.COMPLETE


def test_content_of_a_job_that_expired_can_be_read_by_another(service: Service) -> None:
    first = service.drop(ROWS)
    service.read(first)
    del service.store._jobs[first.job_id]
    second = service.drop(ROWS)

    service.read(second)

    assert service.now(second).status is JobStatus.COMPLETE


def test_content_may_be_read_again_where_duplicates_are_allowed(service: Service) -> None:
    service.files.options[KEY] = {"allow_duplicate": True}
    jobs = [service.drop(ROWS), service.drop(ROWS)]

    for job in jobs:
        service.read(job)

    assert [service.now(job).status for job in jobs] == [JobStatus.COMPLETE] * 2


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(service: Service) -> None:
    job = service.drop(ROWS)
    service.read(job, chunks=2)
    replaced = service.drop(ROWS.replace("\n", ".5\n").replace("value.5", "value"))

    service.read(job)
    service.read(replaced)

    assert service.values()[:1_000] == list(range(1_000))
    assert len(service.values()) == 2_000


def test_a_deleted_file_ends_its_job(service: Service) -> None:
    lines = ROWS.splitlines(keepends=True)
    lines[3] = "bad,1\n"
    job = service.drop("".join(lines))
    service.read(job, chunks=1)
    service.files.contents.clear()

    service.read(job)

    ended = service.now(job)
    assert (ended.status, ended.reason and ended.reason.code) == (JobStatus.FAILED, JobFault.FILE_GONE)
    # What was rejected until then can be had.
    assert ended.rejects_key is not None


def test_a_cancelled_job_stops_after_the_rows_at_hand(service: Service) -> None:
    job = service.drop(ROWS)
    turns = iter(range(1))

    def cancelled_after_two() -> bool:
        if next(turns, None) is None:
            service.jobs.cancel(job.job_id, NOW + 1)
        return True

    result = service.read_csv(job.job_id, 0, is_time_left=cancelled_after_two)

    assert result.outcome is PartOutcome.NOTHING
    assert result.job is not None
    assert (result.job.status, result.job.finished_at) == (JobStatus.CANCELLED, NOW + 1)
    assert result.job.parts[0].points_queued < len(service.values()) < 1_000


def test_what_was_rejected_of_a_cancelled_job_can_be_had(service: Service) -> None:
    lines = ROWS.splitlines(keepends=True)
    lines[3] = "bad,1\n"
    job = service.drop("".join(lines))
    service.read(job, chunks=2)
    service.jobs.cancel(job.job_id, NOW)

    for _ in range(2):
        assert service.read(job).outcome is PartOutcome.NOTHING
        assert service.now(job).rejects_key == f"rejects/{job.job_id}.csv"
    assert service.now(job).status is JobStatus.CANCELLED


def test_a_job_that_is_cancelled_before_it_begins_is_not_read(service: Service) -> None:
    job = service.drop(ROWS)
    service.jobs.cancel(job.job_id, NOW)

    assert service.read(job).outcome is PartOutcome.NOTHING
    assert service.values() == []


def test_one_that_failed_meanwhile_is_left_as_it_is(service: Service) -> None:
    """Two deliveries of a message look at a file that is none."""
    job = service.drop("no table\n")
    service.read(job)
    failed = service.now(job)

    assert service.read_csv._failed(job, JobFailure(JobFault.NOT_CSV, "")) == failed
    assert service.read_csv._ended(job.job_id, PartResult(PartOutcome.ENDED, job)).job == failed


class DamagedFiles(MemoryCsvFiles):
    """Files that cannot be read to their end."""

    def chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        for chunk in super().chunks(job, part, position):
            yield Chunk(
                chunk.series,
                chunk.read_at,
                chunk.rows,
                chunk.rejected,
                chunk.position,
                chunk.bytes_done,
                JobFailure(JobFault.DAMAGED_ARCHIVE, "cut off"),
            )
            return


def test_of_a_damaged_file_what_is_sound_is_queued_and_the_job_fails(service: Service) -> None:
    service.files = DamagedFiles(clock=service.clock)
    service.read_csv = service.reader(service.store)
    job = service.drop(ROWS)

    service.read(job)

    ended = service.now(job)
    assert (ended.status, ended.reason and ended.reason.code) == (JobStatus.FAILED, JobFault.DAMAGED_ARCHIVE)
    assert 0 < ended.parts[0].points_queued < 1_000


# --- parts -----------------------------------------------------------------------------------------------------------

WIDE = "timestamp,a,b,c\n" + "".join(f"2023-01-01T00:{i // 60:02d}:{i % 60:02d},{i},{i},{i}\n" for i in range(500))


def test_the_streams_of_a_large_file_are_read_side_by_side(service: Service) -> None:
    service = Service(parts=2)
    job = service.drop(WIDE + "2023-01-02,x,1,y\n")

    assert service.read(job).outcome is PartOutcome.WAITING
    assert service.parts.sent == [(job.job_id, 0), (job.job_id, 1)]
    others = service.read(job, 1)
    last = service.read(job)

    assert (others.outcome, last.outcome) == (PartOutcome.ENDED, PartOutcome.ENDED)
    ended = service.now(job)
    assert ended.status is JobStatus.COMPLETE
    assert [sorted(part.streams) for part in ended.parts] == [["furnace-1:a", "furnace-1:c"], ["furnace-1:b"]]
    assert sum(part.points_queued for part in ended.parts) == 1_501
    assert [part.rows_rejected for part in ended.parts] == [1, 0]


def test_a_job_waits_for_all_its_parts(service: Service) -> None:
    service.files = MemoryCsvFiles(parts=3, clock=service.clock)
    service.read_csv = service.reader(service.store)
    job = service.drop(WIDE)

    assert service.read(job).outcome is PartOutcome.WAITING
    assert service.read(job, 1, chunks=1).outcome is PartOutcome.PAUSED
    assert service.read(job).outcome is PartOutcome.WAITING
    # Those that were begun are not asked for again.
    assert service.parts.sent == [(job.job_id, 0), (job.job_id, 1), (job.job_id, 2), (job.job_id, 2)]
    service.read(job, 1)
    service.read(job, 2)
    assert service.now(job).status is JobStatus.READING

    assert service.read(job).outcome is PartOutcome.ENDED
    assert service.now(job).status is JobStatus.COMPLETE
