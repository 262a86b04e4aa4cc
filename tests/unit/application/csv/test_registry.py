"""Registration of CSV jobs: begun once for each version of a file, whoever comes first, and ended once."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.csv import MemoryCsvJobs
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.access.api_keys import ApiKey
from afluente.application.csv.faults import (
    JobFault,
    NotReadableError,
)
from afluente.application.csv.files import FileVersion, upload_key
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.registry import JobRegistry
from afluente.application.csv.upload_checks import UploadChecks
from afluente.application.errors import UnavailableError
from afluente.application.limits.leases import SharedBucket
from afluente.application.limits.stage_limits import CsvLimits, KeyLimits, StageLimits
from afluente.domain.faults import Fault
from tests.factories import DOMAINS, NOW, a_csv_job, an_api_key, some_rate_limits

JOB_ID = "0123456789abcdef01234567"
BYTES_A_DAY = 1_000


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

    def send(self, job: CsvJob, part: int, *, renewal: str = "") -> None:
        self.sent.append((job.job_id, part))

    def has_waiting(self) -> bool:
        return bool(self.sent)


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


class LimitsThatOthersWrite(MemoryLimits):
    """Buckets that another writer has always changed just before."""

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        return bucket


class World:
    """Jobs, in memory."""

    def __init__(self, store: MemoryCsvJobs | None = None) -> None:
        self.store = store or MemoryCsvJobs()
        self.queue = Queue()
        self.keys = MemoryApiKeys()
        self.limits = MemoryLimits()
        self.jobs = JobRegistry(store=self.store, domains=DOMAINS)

    def register(self, file: FileVersion, now: float = NOW, options: Options | None = None) -> CsvJob:
        limits = some_rate_limits(StageLimits(csv=CsvLimits(bytes_per_day=BYTES_A_DAY)), self.limits)
        uploads = UploadChecks(self.keys, limits)
        return self.jobs.register(file, now, options=options or Options(), queue=self.queue, uploads=uploads)

    def announced(self, **fields: Any) -> tuple[CsvJob, ApiKey]:
        """A job whose file is uploaded to a URL, and the key that got the URL."""
        _, key = an_api_key()
        self.keys.put(key)
        job = a_csv_job(
            JOB_ID,
            **({"status": JobStatus.AWAITING_UPLOAD, "created_by": key.key_id, "upload_keys": (key.key_id,)} | fields),
        )
        return self.jobs.expect(job), key


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


def test_a_file_that_is_uploaded_again_as_it_is_stays_the_file_of_its_job(world: World, expected: CsvJob) -> None:
    first = world.register(an_upload())

    assert world.register(an_upload("v2"), NOW + 5) == first
    assert [job_id for job_id, _ in world.queue.sent] == [JOB_ID] * 2


def test_another_file_at_the_url_of_a_job_is_refused(world: World, expected: CsvJob) -> None:
    first = world.register(an_upload())

    again = world.register(msgspec.structs.replace(an_upload("v2"), size=101), NOW + 5)

    assert (again.status, again.reason and again.reason.code) == (JobStatus.FAILED, JobFault.UPLOAD_USED)
    assert world.store.find(again.job_id) == again
    assert world.store.find(JOB_ID) == first
    assert world.queue.sent == [(JOB_ID, 0)]


# --- uploads to presigned URLs ---------------------------------------------------------------------------------------


def test_the_file_of_a_valid_key_is_queued(world: World) -> None:
    world.announced()

    assert world.register(an_upload()).status is JobStatus.QUEUED


@pytest.mark.parametrize("end", [{"revoked_at": NOW + 1}, {"expires_at": NOW + 1}])
def test_the_file_of_a_key_that_was_revoked_meanwhile_is_refused_and_its_job_says_why(
    world: World, end: dict[str, Any]
) -> None:
    _, key = world.announced()
    world.keys.put(msgspec.structs.replace(key, **end), replacing=key)

    job = world.register(an_upload(), NOW + 5)

    assert (job.job_id, job.status, job.version_of_file) == (JOB_ID, JobStatus.FAILED, an_upload())
    assert job.reason is not None
    assert job.reason.code is JobFault.KEY_REVOKED
    assert key.key_id in job.reason.message
    assert world.register(an_upload(), NOW + 6) == job
    assert world.queue.sent == []


def test_the_file_of_a_key_that_is_there_no_longer_is_refused(world: World) -> None:
    world.announced()
    world.keys = MemoryApiKeys()

    job = world.register(an_upload())

    assert (job.status, job.reason and job.reason.code) == (JobStatus.FAILED, JobFault.KEY_REVOKED)


def test_a_file_is_refused_once_one_of_the_keys_that_got_a_url_is_revoked(world: World) -> None:
    job, first = world.announced()
    _, second = an_api_key(1 << 256)
    world.keys.put(second)

    lent = world.jobs.lend(job, second.key_id)

    assert lent.upload_keys == (first.key_id, second.key_id)
    assert world.jobs.lend(lent, first.key_id) == lent
    world.keys.put(msgspec.structs.replace(first, revoked_at=NOW), replacing=first)
    assert world.register(an_upload()).status is JobStatus.FAILED


def test_urls_of_a_job_that_is_being_changed_are_not_given_out() -> None:
    world = World(StoreThatOthersChange())
    job, _ = world.announced()

    with pytest.raises(UnavailableError, match=JOB_ID):
        world.jobs.lend(job, "another")


@pytest.mark.parametrize(
    ("size", "counted", "status"),
    [
        pytest.param(BYTES_A_DAY, 0, JobStatus.QUEUED, id="as many as are allowed"),
        pytest.param(BYTES_A_DAY + 1, 0, JobStatus.FAILED, id="a byte more"),
        pytest.param(3 * BYTES_A_DAY, 2 * BYTES_A_DAY, JobStatus.QUEUED, id="most of them announced"),
        pytest.param(BYTES_A_DAY, 2 * BYTES_A_DAY, JobStatus.QUEUED, id="fewer than announced"),
    ],
)
def test_the_bytes_of_a_file_that_were_not_announced_count_when_it_comes(
    world: World, size: int, counted: int, status: JobStatus
) -> None:
    _, key = world.announced(counted_bytes=counted)

    job = world.register(msgspec.structs.replace(an_upload(), size=size))

    assert job.status is status
    if job.reason is not None:
        assert job.reason.code is JobFault.TOO_MANY_BYTES
        assert job.reason.message.startswith(f"the key {key.key_id} may send 1,000 bytes a day (UTC)")


def test_a_key_with_a_limit_of_its_own_may_upload_as_much_as_that_says(world: World) -> None:
    _, key = world.announced()
    own = msgspec.structs.replace(key, limits=KeyLimits(csv_bytes_per_day=5 * BYTES_A_DAY))
    world.keys.put(own, replacing=key)

    assert world.register(msgspec.structs.replace(an_upload(), size=5 * BYTES_A_DAY)).status is JobStatus.QUEUED


def test_a_file_whose_bytes_cannot_be_counted_for_all_who_count_is_registered_again(world: World) -> None:
    world.announced()
    world.limits = LimitsThatOthersWrite()

    with pytest.raises(UnavailableError):
        world.register(an_upload())


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
