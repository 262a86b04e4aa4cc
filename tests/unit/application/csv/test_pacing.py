"""Packs of CSV files: cut to a size, and at most two of a message group in the queue, whoever is killed when."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.adapters.codecs.csv import blocks
from afluente.adapters.codecs.packs import decode_pack
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.csv import MemoryCsvFiles, MemoryCsvJobs
from afluente.adapters.memory.ingest import MemoryBulkQueue, MemorySlots
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.load_file import LoadCsv, PartOutcome
from afluente.application.csv.pacing import MAX_WAIT_SECONDS, PacedPacks, SourcePoints
from afluente.application.csv.progress import PartProgress
from afluente.application.csv.registry import JobRegistry
from afluente.application.csv.upload_checks import UploadChecks
from afluente.application.ingest.packs import ReceivedPack, SealedPack, Series, SeriesPack
from afluente.application.ingest.ports import BULK_PACKS_A_GROUP, BULK_SLOT_SECONDS, HeldSlot
from tests.factories import NOW, Clock, some_rate_limits

Answer = TypeVar("Answer")

DEDUPLICATION_SECONDS = 300
ROWS = 150
MAX_POINTS = 50
JOBS = 2


# --- the cut ---------------------------------------------------------------------------------------------------------


def a_series(name: str, points: int) -> Series:
    return Series(name, "t", [NOW + step for step in range(points)], [float(step) for step in range(points)])


@given(
    st.lists(st.integers(0, 3 * MAX_POINTS), min_size=1, max_size=4),
    st.integers(0, 2 * MAX_POINTS),
)
def test_points_are_cut_into_packs_in_their_order_without_those_that_are_queued(sizes: list[int], skipped: int) -> None:
    series = [a_series(f"s{place}", size) for place, size in enumerate(sizes)]

    packs = list(SourcePoints("iot", "furnace-1", NOW, series).packs(MAX_POINTS, skipped=skipped))

    def points(its: list[Series]) -> list[tuple[str, float, float]]:
        return [(one.stream_id, *pair) for one in its for pair in zip(one.timestamps, one.values, strict=True)]

    assert points([one for pack in packs for one in pack]) == points(series)[skipped:]
    assert all(sum(map(len, pack)) == MAX_POINTS for pack in packs[:-1])
    assert all(0 < sum(map(len, pack)) <= MAX_POINTS for pack in packs)


# --- a slot ----------------------------------------------------------------------------------------------------------


class TwoMessages(MemoryBulkQueue):
    """A queue for which each pack is too large by one point."""

    @staticmethod
    def seal(pack: SeriesPack) -> list[SealedPack]:
        [one] = pack.series
        halves = [
            Series(one.stream_id, None, one.timestamps[:1], one.values[:1]),
            Series(one.stream_id, None, one.timestamps[1:], one.values[1:]),
        ]
        return [
            sealed
            for half in halves
            for sealed in MemoryBulkQueue.seal(
                SeriesPack(pack.group, pack.domain, pack.source_id, pack.ingested_at, (half,), pack.transport)
            )
        ]


def test_of_a_pack_that_needs_two_messages_those_count_that_have_a_slot() -> None:
    clock, queue = Clock(), TwoMessages()
    slots = MemorySlots(limit=1, lease_seconds=BULK_SLOT_SECONDS, clock=clock)
    packs = PacedPacks(queue=queue, slots=slots, shards=64, sleep=lambda _: None, clock=clock)
    points = SourcePoints("iot", "furnace-1", NOW, [a_series("s", 5)])

    assert packs.send(points, points.series, is_time_left=lambda: False) == 1

    [pack] = queue.packs
    assert (len(pack.points), pack.transport, pack.slot in slots.held[pack.group]) == (1, "csv", True)


def test_a_slot_is_awaited_for_some_seconds_while_there_is_time() -> None:
    clock = Clock()
    slots = MemorySlots(limit=1, lease_seconds=BULK_SLOT_SECONDS, clock=clock)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    queue = MemoryBulkQueue()
    packs = PacedPacks(queue=queue, slots=slots, shards=1, sleep=sleep, clock=clock)
    points = SourcePoints("iot", "furnace-1", NOW, [a_series("s", 5)])
    slots.acquire("0-of-1", "another")

    assert packs.send(points, points.series, is_time_left=lambda: True) == 0
    assert MAX_WAIT_SECONDS <= sum(waits) < MAX_WAIT_SECONDS + 1
    assert len(set(waits)) == 1

    waits.clear()
    assert packs.send(points, points.series, is_time_left=lambda: False) == 0
    assert waits == []

    slots.release("0-of-1", "another", 1)
    assert packs.send(points, points.series, is_time_left=lambda: False) == 5
    assert waits == []


# --- loaders and classifiers that are killed -------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Killer:
    """Ends the process at its n-th call from now on, before the call or after it; never for 0."""

    left: int = 0

    def __call__(self, call: Callable[[], Answer]) -> Answer:
        self._step()
        answer = call()
        self._step()
        return answer

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


class Queue:
    """A FIFO queue with its deduplication, and the classifier behind it."""

    def __init__(self, slots: "Slots", clock: Clock, killer: Killer) -> None:
        self.waiting: list[ReceivedPack] = []
        self.classified: dict[int, ReceivedPack] = {}
        self.most = 0
        self._sent: dict[str, tuple[int, float]] = {}
        self._number = 0
        self._slots = slots
        self._clock = clock
        self._killer = killer

    seal = staticmethod(MemoryBulkQueue.seal)

    def send(self, pack: SealedPack) -> int:
        return self._killer(lambda: self._queue(pack))

    def _queue(self, pack: SealedPack) -> int:
        number, at = self._sent.get(pack.deduplication_id, (0, 0.0))
        if self._clock() - at < DEDUPLICATION_SECONDS:
            return number
        self._number += 1
        self._sent[pack.deduplication_id] = self._number, self._clock()
        its = decode_pack(pack.body)
        self.waiting.append(ReceivedPack("", pack.group, self._number, its.points, its.transport, its.slot))
        self.most = max(self.most, sum(its.sequence_number not in self.classified for its in self.waiting))
        return self._number

    def classify(self, *, steps: int = 3) -> None:
        """Classify the first pack; after fewer steps the classifier is killed, and the pack comes again."""
        if not self.waiting:
            return
        pack = self.waiting[0]
        if steps > 0:
            self.classified.setdefault(pack.sequence_number, pack)
        if steps > 1:
            assert pack.slot is not None
            self._slots.shared.release(pack.group, pack.slot, pack.sequence_number)
        if steps > 2:
            del self.waiting[0]


class Slots:
    """Slots whose users are killed."""

    def __init__(self, clock: Clock, killer: Killer) -> None:
        self.shared = MemorySlots(limit=BULK_PACKS_A_GROUP, lease_seconds=BULK_SLOT_SECONDS, clock=clock)
        self._killer = killer

    def acquire(self, group: str, token: str) -> HeldSlot | None:
        return self._killer(lambda: self.shared.acquire(group, token))

    def release(self, group: str, token: str, sequence_number: int) -> None:
        self._killer(lambda: self.shared.release(group, token, sequence_number))


class Store(MemoryCsvJobs):
    """A store whose users are killed."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self._killer = killer

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        return self._killer(lambda: super(Store, self).save_part(job, number, part))


class Parts:
    """A queue of parts that nobody asks for anything."""

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        """Nothing is queued: the tests load parts themselves."""

    def has_waiting(self) -> bool:
        return False


class World:
    """Jobs of two sources of one message group, with a loader and a classifier."""

    def __init__(self) -> None:
        self.clock, self.killer = Clock(), Killer()
        self.slots = Slots(self.clock, self.killer)
        self.queue = Queue(self.slots, self.clock, self.killer)
        self.store = Store(self.killer)
        files = MemoryCsvFiles(clock=self.clock)
        packs = PacedPacks(
            queue=self.queue, slots=self.slots, shards=1, max_points=20, sleep=self.sleep, clock=self.clock
        )
        shares = MemorySlots(limit=JOBS, lease_seconds=1, clock=self.clock)
        self.load_csv = LoadCsv(
            store=self.store, files=files, queue=Parts(), packs=packs, shares=shares, clock=self.clock
        )
        registry = JobRegistry(store=self.store, domains=["iot"])
        uploads = UploadChecks(MemoryApiKeys(), some_rate_limits())
        self.jobs = []
        for place in range(JOBS):
            rows = "".join(f"{1_600_000_000 + row},{row}\n" for row in range(ROWS))
            file = files.put(f"inbox/iot/furnace-{place}/readings.csv", f"timestamp,value\n{rows}".encode())
            self.jobs.append(registry.register(file, NOW, options=files, queue=Parts(), uploads=uploads))

    def sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    def load(self, job: int, *, packs: int = ROWS, killed_at: int = 0) -> PartOutcome | None:
        """Load for so many packs, or until the loader is killed at a step of its."""
        self.killer.left = killed_at
        turns = iter(range(packs))
        outcome = None
        with suppress(Killed):
            result = self.load_csv(self.jobs[job].job_id, 0, is_time_left=lambda: next(turns, None) is not None)
            outcome = result.outcome
        self.killer.left = 0
        return outcome

    def is_complete(self) -> bool:
        found = [self.store.find(job.job_id) for job in self.jobs]
        return all(job is not None and job.status is JobStatus.COMPLETE for job in found)

    def values(self, job: int) -> list[float]:
        packs = [self.queue.classified[number] for number in sorted(self.queue.classified)]
        points = [point for pack in packs for point in pack.points]
        return [point.value for point in points if point.source_id == f"furnace-{job}"]


@pytest.fixture(scope="module", autouse=True)
def small_pieces() -> Iterator[None]:
    """Files of several chunks, each of several packs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 1_000)
        yield


LOAD = st.tuples(st.just("load"), st.integers(0, JOBS - 1), st.integers(1, 6), st.integers(0, 25))
CLASSIFY = st.tuples(st.just("classify"), st.integers(0, 3))
WAIT = st.tuples(st.just("wait"), st.integers(1, 4))


@settings(max_examples=50)
@given(st.lists(LOAD | CLASSIFY | WAIT, max_size=30))
def test_whoever_is_killed_when_no_more_than_two_packs_wait_and_each_point_arrives_once(
    steps: list[tuple[object, ...]],
) -> None:
    world = World()
    for step in steps:
        match step:
            case ("load", int(job), int(packs), int(killed_at)):
                world.load(job, packs=packs, killed_at=killed_at)
            case ("classify", int(steps_of_it)):
                world.queue.classify(steps=steps_of_it)
            case ("wait", int(seconds)):
                world.clock.now += seconds
    # From now on nobody is killed: both files come to their end, however things stand, and no slot is left behind.
    for _ in range(ROWS):
        for job in range(JOBS):
            world.load(job, packs=1)
        world.queue.classify()
        if not world.queue.waiting and world.is_complete():
            break

    assert world.is_complete()
    assert [world.values(job) for job in range(JOBS)] == [[float(row) for row in range(ROWS)]] * JOBS
    assert world.queue.most <= BULK_PACKS_A_GROUP
    assert world.slots.shared.held == {"0-of-1": {}}
