"""Registration of CSV jobs: begun once for each version of a file, whoever comes first, and ended once."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.csv import MemoryCsvJobs
from afluente.application.csv.faults import (
    JobFault,
    NotReadableError,
)
from afluente.application.csv.files import FileVersion, upload_key
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.registry import JobRegistry
from afluente.application.errors import UnavailableError
from afluente.domain.faults import Fault
from tests.factories import DOMAINS, NOW, a_csv_job

JOB_ID = "0123456789abcdef01234567"


class Options:
    """Options of files."""

    def __init__(self, given: Mapping[str, Any] | None = None, fault: str | None = None) -> None:
        self._given = dict(given or {})
        self._fault = fault

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        if self._fault:
            raise NotReadableError(JobFault.INVALID_OPTIONS, self._fault)
        return (self._given, "beside it") if self._given else ({}, None)

    def faults(self, options: Mapping[str, Any]) -> Sequence[Fault]:
        return ()


class Queue:
    """Parts of jobs that were queued."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    def send(self, job: CsvJob, part: int) -> None:
        self.sent.append((job.job_id, part))


class StoreThatOthersChange(MemoryCsvJobs):
    """A store in which somebody changes a job just before one does it oneself."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.times = times

    def change(self, job: CsvJob) -> CsvJob:
        if self.times:
            self.times -= 1
            kept = self.find(job.job_id)
            assert kept is not None
            super().change(kept)
        return super().change(job)


class World:
    """Jobs, in memory."""

    def __init__(self, store: MemoryCsvJobs | None = None) -> None:
        self.store = store or MemoryCsvJobs()
        self.queue = Queue()
        self.jobs = JobRegistry(store=self.store, domains=DOMAINS)

    def register(self, file: FileVersion, now: float = NOW, options: Options | None = None) -> CsvJob:
        return self.jobs.register(file, now, options=options or Options(), queue=self.queue)


@pytest.fixture
def world() -> World:
    return World()


def a_file(key: str = "inbox/iot/furnace-1/2023/march.csv", version_id: str = "v1") -> FileVersion:
    return FileVersion(key, version_id, '"e"', 100)


# --- files that are dropped ------------------------------------------------------------------------------------------


def test_a_dropped_file_is_queued(world: World) -> None:
    job = world.register(a_file(), options=Options({"delimiter": ";"}))

    assert job == CsvJob(
        job_id=job.job_id,
        domain="iot",
        source_id="furnace-1",
        file="march.csv",
        status=JobStatus.QUEUED,
        created_at=NOW,
        updated_at=NOW,
        version_of_file=a_file(),
        options={"delimiter": ";"},
        options_from="beside it",
    )
    assert world.store.find(job.job_id) == job
    assert world.queue.sent == [(job.job_id, 0)]


def test_a_file_that_is_registered_twice_is_one_job(world: World) -> None:
    first = world.register(a_file())

    assert world.register(a_file(), NOW + 5) == first
    assert world.queue.sent == [(first.job_id, 0)] * 2


def test_a_file_that_is_registered_again_once_it_was_read_is_not_read_again(world: World) -> None:
    job = world.register(a_file())
    world.store.change(job.ended(JobStatus.COMPLETE, NOW + 1))

    assert world.register(a_file(), NOW + 5).status is JobStatus.COMPLETE
    assert world.queue.sent == [(job.job_id, 0)]


def test_another_version_of_a_file_is_another_job(world: World) -> None:
    first, second = world.register(a_file()), world.register(a_file(version_id="v2"))

    assert first.job_id != second.job_id
    assert len(world.queue.sent) == 2


@pytest.mark.parametrize(
    ("key", "code", "domain", "source_id"),
    [
        ("march.csv", JobFault.BAD_KEY, "_", "_"),
        ("inbox/march.csv", JobFault.BAD_KEY, "_", "_"),
        ("inbox/iot/march.csv", JobFault.BAD_KEY, "_", "_"),
        ("outbox/iot/furnace-1/march.csv", JobFault.BAD_KEY, "_", "_"),
        ("inbox//furnace-1/march.csv", JobFault.BAD_KEY, "_", "furnace-1"),
        ("inbox/iot//march.csv", JobFault.BAD_KEY, "iot", "_"),
        ("inbox/iot/$x/march.csv", JobFault.BAD_KEY, "iot", "$x"),
        ("inbox/space/furnace-1/march.csv", JobFault.UNKNOWN_DOMAIN, "space", "furnace-1"),
        ("inbox/IoT/furnace-1/march.csv", JobFault.UNKNOWN_DOMAIN, "_", "furnace-1"),
        ("inbox/iot/furnace-1/march.xlsx", JobFault.UNSUPPORTED_FILE, "iot", "furnace-1"),
    ],
)
def test_a_file_in_a_wrong_place_is_a_job_that_failed(
    world: World, *, key: str, code: JobFault, domain: str, source_id: str
) -> None:
    job = world.register(a_file(key))

    assert (job.status, job.domain, job.source_id, job.finished_at) == (JobStatus.FAILED, domain, source_id, NOW)
    assert job.reason is not None
    assert job.reason.code is code
    assert job.reason.message
    assert world.store.find(job.job_id) == job
    assert world.queue.sent == []


@pytest.mark.parametrize("key", ["inbox/iot/furnace-1/MARCH.CSV.GZ", "inbox/iot/furnace-1/a/b/c/march.csv.zst"])
def test_a_file_may_be_packed_and_lie_in_folders(world: World, key: str) -> None:
    assert world.register(a_file(key)).status is JobStatus.QUEUED


def test_a_file_whose_options_are_none_is_a_job_that_failed(world: World) -> None:
    job = world.register(a_file(), options=Options(fault="skip_rows must be a number"))

    assert job.reason is not None
    assert (job.reason.code, job.reason.message) == (JobFault.INVALID_OPTIONS, "skip_rows must be a number")


@pytest.mark.parametrize("options", [{"domain": "health"}, {"source_id": "furnace-2"}])
def test_a_file_whose_options_say_that_it_belongs_elsewhere_is_a_job_that_failed(
    world: World, options: dict[str, Any]
) -> None:
    job = world.register(a_file(), options=Options(options))

    assert job.reason is not None
    assert job.reason.code is JobFault.INVALID_OPTIONS
    assert world.queue.sent == []


def test_options_may_repeat_the_key(world: World) -> None:
    job = world.register(a_file(), options=Options({"domain": "iot", "source_id": "furnace-1"}))

    assert job.status is JobStatus.QUEUED


# --- files that are expected -----------------------------------------------------------------------------------------


@pytest.fixture
def expected(world: World) -> CsvJob:
    job = a_csv_job(
        JOB_ID, status=JobStatus.AWAITING_UPLOAD, options={"delimiter": ";"}, options_from="request", created_by="k"
    )
    return world.jobs.expect(job)


def an_upload(version_id: str = "v1") -> FileVersion:
    return a_file(upload_key("iot", "furnace-1", JOB_ID, "march.csv"), version_id)


def test_an_expected_file_that_arrives_is_queued_for_its_job(world: World, expected: CsvJob) -> None:
    job = world.register(an_upload(), NOW + 9, options=Options({"delimiter": ","}))

    assert job == msgspec.structs.replace(
        expected, status=JobStatus.QUEUED, version_of_file=an_upload(), updated_at=NOW + 9, version=1
    )
    assert world.queue.sent == [(JOB_ID, 0)]


def test_an_expected_file_that_is_registered_twice_is_one_job(world: World, expected: CsvJob) -> None:
    first = world.register(an_upload())

    assert world.register(an_upload(), NOW + 5) == first


def test_an_expected_file_that_is_uploaded_again_is_another_job_with_the_same_options(
    world: World, expected: CsvJob
) -> None:
    world.register(an_upload())

    again = world.register(an_upload("v2"), NOW + 5)

    assert again.job_id != JOB_ID
    assert (again.options, again.options_from, again.status) == ({"delimiter": ";"}, "request", JobStatus.QUEUED)


def test_a_file_whose_job_was_cancelled_before_it_came_is_not_read(world: World, expected: CsvJob) -> None:
    cancelled = world.jobs.cancel(JOB_ID, NOW + 1)

    assert world.register(an_upload(), NOW + 5) == cancelled
    assert world.queue.sent == []


def test_a_file_that_looks_like_an_upload_without_being_expected_is_a_job_of_its_own(world: World) -> None:
    job = world.register(an_upload())

    assert (job.status, job.source_id, job.file) == (JobStatus.QUEUED, "furnace-1", "march.csv")


@pytest.mark.parametrize(
    "key",
    [
        upload_key("iot", "furnace-1", JOB_ID, "april.csv"),
        upload_key("iot", "furnace-2", JOB_ID, "march.csv"),
        upload_key("health", "furnace-1", JOB_ID, "march.csv"),
    ],
)
def test_a_file_with_the_id_of_a_job_that_expects_another_is_a_job_of_its_own(
    world: World, expected: CsvJob, key: str
) -> None:
    job = world.register(a_file(key))

    assert (job.job_id != JOB_ID, job.options, job.status) == (True, {}, JobStatus.QUEUED)
    assert world.store.find(JOB_ID) == expected


def test_a_job_that_is_changed_as_its_file_arrives_is_registered_again() -> None:
    world = World(StoreThatOthersChange())
    world.jobs.expect(a_csv_job(JOB_ID, status=JobStatus.AWAITING_UPLOAD))

    with pytest.raises(UnavailableError, match=JOB_ID):
        world.register(an_upload())

    assert world.register(an_upload()).status is JobStatus.QUEUED


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [status for status in JobStatus if not status.is_final])
def test_a_job_that_goes_on_can_be_cancelled(world: World, status: JobStatus) -> None:
    world.store.create(a_csv_job(JOB_ID, status=status))

    cancelled = world.jobs.cancel(JOB_ID, NOW + 7)

    assert cancelled == a_csv_job(
        JOB_ID, status=JobStatus.CANCELLED, updated_at=NOW + 7, finished_at=NOW + 7, version=1
    )
    assert world.store.find(JOB_ID) == cancelled


@pytest.mark.parametrize("status", [status for status in JobStatus if status.is_final])
def test_a_job_that_has_ended_stays_as_it_is(world: World, status: JobStatus) -> None:
    job = world.store.create(a_csv_job(JOB_ID, status=status))

    assert world.jobs.cancel(JOB_ID, NOW + 7) == job


def test_a_job_that_is_not_there_cannot_be_cancelled(world: World) -> None:
    assert world.jobs.cancel(JOB_ID, NOW) is None


def test_a_job_that_is_changed_as_it_is_cancelled_is_cancelled_all_the_same() -> None:
    world = World(StoreThatOthersChange(times=3))
    world.store.create(a_csv_job(JOB_ID))

    cancelled = world.jobs.cancel(JOB_ID, NOW + 7)

    assert cancelled is not None
    assert cancelled.status is JobStatus.CANCELLED
