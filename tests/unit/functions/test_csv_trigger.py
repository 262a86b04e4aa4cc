"""Files that S3 tells of, and parts of jobs that are to be read, with memory in place of AWS."""

import contextlib
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.aws.s3_events import NoNotificationError, dropped_files
from afluente.adapters.codecs.csv import blocks
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.csv import MemoryCsvFiles, MemoryCsvJobs
from afluente.adapters.memory.ingest import MemoryBulkQueue, MemoryQuarantine, MemorySlots
from afluente.application.csv import turns
from afluente.application.csv.faults import JobFault
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.load_file import LoadCsv
from afluente.application.csv.pacing import PacedPacks
from afluente.application.csv.registry import JobRegistry
from afluente.application.csv.upload_checks import UploadChecks
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import SealedPack, shard_group
from afluente.runtime.csv_trigger import CsvTrigger
from csv_trigger.handler import handle
from tests.factories import Clock, some_rate_limits
from tests.unit.functions.conftest import LogLines

KEY = "inbox/iot/furnace-1/März 2023/a+b.csv"
TABLE = b"time,value\n" + b"".join(b"2023-01-01T%02d:00:00,%d\n" % (hour, hour) for hour in range(24))
VERSION = "096fKKXTRTtl3on89fVO.nfljtsv6qko"
TIMEOUT_MILLISECONDS = 20_000

Event = Callable[[str], dict[str, Any]]


class PointsQueue(MemoryBulkQueue):
    """A queue of packs that is away together with the world's other queues."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def send(self, pack: SealedPack) -> int:
        if self._world.is_away:
            raise UnavailableError("SQS")
        return super().send(pack)


class World:
    """The ports of `csv_trigger`, in memory; it is the queue of parts, too."""

    SLOTS = 100

    def __init__(self) -> None:
        self.files = MemoryCsvFiles(clock=Clock())
        self.files.contents[KEY, VERSION] = TABLE
        self.store = MemoryCsvJobs()
        self.points = PointsQueue(self)
        self.quarantine = MemoryQuarantine()
        self.parts: list[tuple[str, int]] = []
        self.renewals: list[str] = []
        self.retried_later: list[tuple[str, int]] = []
        self.is_away = False
        self.others_wait = False
        self.retry_is_away = False
        self.remaining = TIMEOUT_MILLISECONDS
        self.clock = Clock()
        self.slots = MemorySlots(limit=self.SLOTS, lease_seconds=900, clock=self.clock)
        self.shares = MemorySlots(limit=1, lease_seconds=240, clock=self.clock)
        packs = PacedPacks(queue=self.points, slots=self.slots, shards=64, sleep=self.sleep, clock=self.clock)
        load = LoadCsv(
            store=self.store, files=self.files, queue=self, packs=packs, shares=self.shares, clock=self.clock
        )
        self.function = CsvTrigger(
            jobs=JobRegistry(store=self.store, domains=["iot"]),
            options=self.files,
            queue=self,
            uploads=UploadChecks(MemoryApiKeys(), some_rate_limits()),
            quarantine=self.quarantine,
            loader=lambda: load,
            retry_later=self.retry_later,
            retry_file_later=self.retry_file_later,
        )

    def sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    def has_waiting(self) -> bool:
        return self.others_wait

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        if self.is_away:
            raise UnavailableError("SQS")
        self.parts.append((job.job_id, part))
        self.renewals.append(renewal)

    def retry_file_later(self, receipt: str, seconds: int) -> None:
        self.retried_later.append((f"inbox:{receipt}", seconds))

    def retry_later(self, receipt: str, seconds: int) -> None:
        if self.retry_is_away:
            raise UnavailableError("SQS")
        self.retried_later.append((receipt, seconds))

    def returned(self, event: dict[str, Any]) -> list[str]:
        """The messages of an event that are retried."""

        def remaining() -> int:
            self.remaining -= 1
            return self.remaining

        context = SimpleNamespace(aws_request_id="invocation-1", get_remaining_time_in_millis=remaining)
        return [item["itemIdentifier"] for item in handle(event, context, self.function)["batchItemFailures"]]

    def jobs(self) -> list[CsvJob]:
        return list(self.store._jobs.values())


@pytest.fixture
def world() -> World:
    return World()


def told_of(event: Event, **changes: Any) -> dict[str, Any]:
    """An event in which S3 tells of a file."""
    found = event("sqs_s3_dropped")
    body = json.loads(found["Records"][0]["body"])
    body["Records"][0]["s3"]["object"] |= changes
    found["Records"][0]["body"] = json.dumps(body)
    return found


def part_of(event: Event, job_id: str, part: int = 0, received: int = 1) -> dict[str, Any]:
    found = event("sqs_csv_part")
    [record] = found["Records"]
    record["body"] = json.dumps({"job_id": job_id, "part": part})
    record["attributes"]["ApproximateReceiveCount"] = str(received)
    return found


def test_a_file_that_s3_notifies_of_becomes_a_job(world: World, event: Event, log: LogLines) -> None:
    assert world.returned(event("sqs_s3_dropped")) == []

    [job] = world.jobs()
    assert (job.status, job.domain, job.source_id, job.file) == (JobStatus.QUEUED, "iot", "furnace-1", "a+b.csv")
    assert job.version_of_file == FileVersion(KEY, VERSION, "0123456789abcdef0123456789abcdef", 41)
    assert world.parts == [(job.job_id, 0)]
    assert log.codes == ["CSV_JOB_REGISTERED"]


def test_it_becomes_one_job_however_often_s3_notifies_of_it(world: World, event: Event) -> None:
    for _ in range(3):
        world.returned(event("sqs_s3_dropped"))

    assert len(world.jobs()) == 1


def test_a_key_that_no_job_can_be_made_of_is_reported(
    world: World, event: Event, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    world.returned(told_of(event, key="inbox/lost.csv"))

    [job] = world.jobs()
    assert (job.status, job.domain, job.reason and job.reason.code) == (JobStatus.FAILED, "_", JobFault.BAD_KEY)
    assert log.codes == ["CSV_JOB_REGISTERED", "CSV_JOB_ENDED"]
    assert counted() == {"CsvJobsFailed": 1}


@pytest.mark.parametrize(
    "key", ["inbox/iot/f/_ingest.json", "inbox/iot/f/a.csv.json", "inbox/iot/f/A.CSV.GZ.JSON", "inbox/iot/f/"]
)
def test_files_of_options_and_folders_become_no_jobs(world: World, event: Event, key: str) -> None:
    assert world.returned(told_of(event, key=key)) == []
    assert world.jobs() == []


def test_the_test_that_s3_sends_when_notifications_are_switched_on_is_no_file(world: World, event: Event) -> None:
    found = event("sqs_s3_dropped")
    found["Records"][0]["body"] = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})

    assert world.returned(found) == []
    assert (world.jobs(), world.quarantine.records) == ([], {})


@pytest.mark.parametrize(
    "body", ["", "nothing", "[]", "{", '{"Records":[{}]}', '{"Records":[{"s3":{"object":{"key":1}}}]}']
)
def test_a_message_that_is_no_notification_is_quarantined(
    world: World, event: Event, log: LogLines, counted: Callable[[], dict[str, int]], body: str
) -> None:
    found = event("sqs_s3_dropped")
    found["Records"][0]["body"] = body

    assert world.returned(found) == []

    [record] = world.quarantine.records.values()
    assert (record.transport, record.failed_at) == ("csv", 1700000000.123)
    assert log.codes == ["MESSAGE_QUARANTINED"]
    assert counted() == {"MessagesQuarantined": 1}


def test_a_file_that_cannot_be_registered_now_is_retried(world: World, event: Event, log: LogLines) -> None:
    world.is_away = True
    assert world.returned(event("sqs_s3_dropped")) == ["5f1c2f4e-0f2c-4a52-8a63-7e1d0a000001"]
    assert (log.codes, world.retried_later) == (["CSV_RETURNED"], [("inbox:AQEBzWwaftRI0KuVm4tP-1", 1)])

    world.is_away = False
    assert world.returned(event("sqs_s3_dropped")) == []
    assert len(world.parts) == 1


@pytest.fixture
def job_id(world: World, event: Event) -> str:
    """A job that is to be read."""
    world.returned(told_of(event, size=len(TABLE)))
    return world.jobs()[0].job_id


def test_a_job_is_read_to_its_end(
    world: World, event: Event, job_id: str, log: LogLines, counted: Callable[[], dict[str, int]]
) -> None:
    counted()

    assert world.returned(part_of(event, job_id)) == []

    assert world.jobs()[0].status is JobStatus.COMPLETE
    assert sum(len(pack.points) for pack in world.points.packs) == 24
    assert log.lines[-1]["code"] == "CSV_JOB_ENDED"
    assert (log.lines[-1]["job_id"], log.lines[-1]["status"]) == (job_id, "complete")
    assert counted() == {"PointsAccepted": 24, "CsvJobsComplete": 1}


def test_its_end_is_reported_once(
    world: World, event: Event, job_id: str, counted: Callable[[], dict[str, int]]
) -> None:
    world.returned(part_of(event, job_id))
    counted()

    assert world.returned(part_of(event, job_id)) == []
    assert world.returned(part_of(event, "unknown")) == []
    assert counted() == {}


def test_a_job_that_needs_more_time_is_retried_at_once(
    world: World, event: Event, job_id: str, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    world.remaining = 5

    assert world.returned(part_of(event, job_id)) == ["5f1c2f4e-0f2c-4a52-8a63-7e1d0a000002"]

    assert world.retried_later == [("AQEBzWwaftRI0KuVm4tP-2", 0)]
    assert log.lines[-1]["code"] == "CSV_PART_PAUSED"
    assert world.jobs()[0].status is JobStatus.READING


def test_a_job_without_a_slot_is_retried_with_a_backoff_of_its_own(
    world: World, event: Event, job_id: str, log: LogLines
) -> None:
    for place in range(world.SLOTS):
        world.slots.acquire(shard_group("iot/furnace-1", 64), str(place))

    for _ in range(3):
        assert world.returned(part_of(event, job_id, received=20)) == ["5f1c2f4e-0f2c-4a52-8a63-7e1d0a000002"]

    assert [seconds for _, seconds in world.retried_later] == [1, 2, 4]
    assert log.lines[-1]["code"] == "CSV_PART_BLOCKED"


def test_a_job_whose_turn_is_over_is_retried_after_those_that_wait(
    world: World, event: Event, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    world.others_wait = True

    assert world.returned(part_of(event, job_id)) == ["5f1c2f4e-0f2c-4a52-8a63-7e1d0a000002"]

    assert world.retried_later == [("AQEBzWwaftRI0KuVm4tP-2", 1)]


@pytest.mark.parametrize(("received", "is_renewed"), [(899, False), (900, True)])
def test_a_job_of_many_invocations_is_queued_anew_before_its_message_becomes_a_dead_letter(
    world: World, event: Event, job_id: str, received: int, *, is_renewed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    world.remaining = 5
    message_id = "5f1c2f4e-0f2c-4a52-8a63-7e1d0a000002"

    assert world.returned(part_of(event, job_id, received=received)) == ([] if is_renewed else [message_id])

    assert world.renewals[1:] == ([message_id] if is_renewed else [])
    assert world.parts[1:] == ([(job_id, 0)] if is_renewed else [])


def test_an_invocation_holds_its_message_for_less_than_sqs_drops_repeats(
    world: World, event: Event, job_id: str
) -> None:
    world.function = msgspec.structs.replace(world.function, held_seconds=250)

    assert world.returned(event("sqs_s3_dropped")) == []
    assert world.returned(part_of(event, job_id)) == []

    assert world.retried_later == [("inbox:AQEBzWwaftRI0KuVm4tP-1", 250), ("AQEBzWwaftRI0KuVm4tP-2", 250)]


@pytest.mark.parametrize(("received", "seconds"), [(1, 1), (2, 2), (6, 32), (7, 60), (1_000, 60)])
def test_a_job_that_cannot_go_on_now_is_retried_with_backoff(
    world: World, event: Event, job_id: str, received: int, seconds: int
) -> None:
    world.is_away = True

    assert world.returned(part_of(event, job_id, received=received)) == ["5f1c2f4e-0f2c-4a52-8a63-7e1d0a000002"]

    assert world.retried_later == [("AQEBzWwaftRI0KuVm4tP-2", seconds)]


def test_a_part_that_waits_for_the_others_is_retried(world: World, event: Event) -> None:
    world.files._parts = 2
    world.files.contents[KEY, VERSION] = b"time,a,b\n2023-01-01,1,2\n"
    world.returned(event("sqs_s3_dropped"))
    [job] = world.jobs()

    assert len(world.returned(part_of(event, job.job_id))) == 1
    assert world.returned(part_of(event, job.job_id, 1)) == []
    assert world.returned(part_of(event, job.job_id)) == []
    assert world.jobs()[0].status is JobStatus.COMPLETE


@pytest.mark.parametrize("body", ["", "no part", "{}", '{"job_id": 7, "part": 0}', "[" * 100_000, '{"part": "\udcff"}'])
def test_a_message_that_names_no_part_is_quarantined_and_holds_up_none(
    world: World, event: Event, job_id: str, body: str, log: LogLines
) -> None:
    both = part_of(event, job_id)
    odd = {**both["Records"][0], "body": body, "messageId": "odd"}

    assert world.returned({"Records": [odd, *both["Records"]]}) == []

    (kept,) = world.quarantine.records.values()
    assert (kept.record_id, kept.payload_encoding) == ("odd", "base64")
    assert log.codes[-2:] == ["MESSAGE_QUARANTINED", "CSV_JOB_ENDED"]
    assert world.jobs()[0].status is JobStatus.COMPLETE


def test_a_message_whose_backoff_cannot_be_set_is_retried_all_the_same(
    world: World, event: Event, job_id: str, log: LogLines
) -> None:
    world.is_away = world.retry_is_away = True

    assert len(world.returned(part_of(event, job_id))) == 1
    assert log.codes[-2:] == ["CSV_RETURNED", "CSV_RETURNED"]


def test_a_record_with_an_unexpected_error_is_retried_alone_and_named_in_the_log(
    world: World, event: Event, job_id: str, log: LogLines
) -> None:
    both = part_of(event, job_id)
    # No queue of ours delivers a message without its attributes.
    odd = {**both["Records"][0], "body": "no part", "messageId": "odd", "attributes": {}}

    assert world.returned({"Records": [odd, *both["Records"]]}) == ["odd"]

    assert world.jobs()[0].status is JobStatus.COMPLETE
    (line,) = [line for line in log.lines if line["code"] == "RECORD_FAILED"]
    assert (line["message_id"], line["cause"]) == ("odd", "KeyError: 'SentTimestamp'")


@given(st.text())
def test_whatever_a_message_holds_it_is_a_notification_or_it_is_not(body: str) -> None:
    with contextlib.suppress(NoNotificationError):
        assert dropped_files(body) == []


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_keys_are_read_as_s3_writes_them(key: str) -> None:
    body = {"Records": [{"s3": {"object": {"key": quote_plus(key), "size": 1, "eTag": "e", "versionId": "v"}}}]}

    assert dropped_files(json.dumps(body)) == [FileVersion(key, "v", "e", 1)]
