"""The contract of `CsvJobStore`: jobs, their parts, the jobs of a domain, and which job has which content."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.aws.dynamodb_csv_jobs import BY_DOMAIN, UNSENT_SECONDS, DynamoCsvJobs
from afluente.adapters.codecs.csv_jobs import decode_part, encode_part
from afluente.adapters.memory.csv import MemoryCsvJobs
from afluente.application.csv.chunks import Position
from afluente.application.csv.faults import JobFailure, JobFault, RowFaultCode
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.ports import CsvJobStore, StaleJobError
from afluente.application.csv.progress import (
    MAX_NAMED_STREAMS,
    PartProgress,
    RowErrors,
    ShownRow,
)
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, count_requests, fail
from tests.factories import NOW, a_csv_job

DAY = 24 * 3600

A_PART = PartProgress(
    position=Position(1_000, 11, 10),
    bytes_done=900,
    rows_read=10,
    points_queued=20,
    rows_rejected=1,
    errors={RowFaultCode.NOT_A_NUMBER: RowErrors(1, (ShownRow(5, 'x;"Öl 😀"', "is 'x'", "a"),))},
    streams={"furnace-1:a": 12, "furnace-1:Öl": 8},
    first_timestamp=1.5,
    last_timestamp=1_700_000_000.25,
    has_rejects=True,
    damage=JobFailure(JobFault.DAMAGED_ARCHIVE, "cut off"),
    is_done=True,
    attempts=2,
)


@pytest.fixture
def store(backend: LocalAws | None) -> CsvJobStore:
    return MemoryCsvJobs() if backend is None else in_dynamodb(backend)


def in_dynamodb(aws: LocalAws, client: Any = None) -> DynamoCsvJobs:
    table = aws.table("job_id", indexes={BY_DOMAIN: ("domain", "created_at")})
    return DynamoCsvJobs(
        client or aws.client("dynamodb"), table, retention_seconds=90 * DAY, sleep=lambda seconds: None
    )


# --- a job -----------------------------------------------------------------------------------------------------------


def test_a_job_that_nobody_created_is_not_found(store: CsvJobStore) -> None:
    assert store.find("0123456789abcdef01234567") is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "source_id": "Öl 😀",
            "file": "März.csv.gz",
            "status": JobStatus.FAILED,
            "created_by": "aaaqeaye",
            "version_of_file": FileVersion("inbox/iot/Öl 😀/März.csv.gz", "v1", '"e"', 5 * 1024**4),
            "options": {"delimiter": ";", "value_columns": ["a", "b"], "skip_rows": 2, "step": 0.1},
            "options_from": "request",
            "layout": {"columns": [{"name": "a"}], "nested": {"none": None}},
            "reason": JobFailure(JobFault.NOT_CSV, "it is a picture"),
            "duplicate_of": "89abcdef0123456701234567",
            "rejects_key": "rejects/x.csv",
            "started_at": NOW + 0.125,
            "finished_at": NOW + 1 / 3,
        },
    ],
)
def test_a_job_is_found_as_it_was_created(store: CsvJobStore, fields: dict[str, Any]) -> None:
    job = a_csv_job(**fields)

    assert store.create(job) == job
    assert store.find(job.job_id) == job


def test_a_job_that_is_created_again_is_as_the_first_time(store: CsvJobStore) -> None:
    first = store.create(a_csv_job(file="first.csv"))

    assert store.create(a_csv_job(file="second.csv")) == first
    assert store.find(first.job_id) == first


def test_a_job_may_be_created_with_parts(store: CsvJobStore) -> None:
    job = a_csv_job(status=JobStatus.READING, parts=(A_PART, PartProgress()))

    store.create(job)

    assert store.find(job.job_id) == job


# --- changes ---------------------------------------------------------------------------------------------------------


def test_a_changed_job_has_the_next_version(store: CsvJobStore) -> None:
    job = store.create(a_csv_job())

    changed = store.change(msgspec.structs.replace(job, status=JobStatus.READING, layout={"a": 1}))

    assert changed == a_csv_job(status=JobStatus.READING, layout={"a": 1}, version=1)
    assert store.find(job.job_id) == changed


def test_of_two_that_change_a_job_one_is_too_late(store: CsvJobStore) -> None:
    job = store.create(a_csv_job())
    cancelled = store.change(msgspec.structs.replace(job, status=JobStatus.CANCELLED))

    with pytest.raises(StaleJobError):
        store.change(msgspec.structs.replace(job, status=JobStatus.READING))

    assert store.find(job.job_id) == cancelled


def test_a_job_that_is_not_there_cannot_be_changed(store: CsvJobStore) -> None:
    with pytest.raises(StaleJobError):
        store.change(a_csv_job())

    assert store.find(a_csv_job().job_id) is None


def test_new_parts_are_stored_and_existing_ones_stay(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING))
    job = store.change(msgspec.structs.replace(job, parts=(PartProgress(),)))
    saved = store.save_part(job, 0, A_PART)

    changed = store.change(msgspec.structs.replace(job, parts=(PartProgress(), PartProgress(), PartProgress())))

    assert changed.parts == (saved, PartProgress(), PartProgress())
    assert store.find(job.job_id) == changed


def test_a_change_without_parts_leaves_them_as_they_are(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(A_PART,)))

    changed = store.change(msgspec.structs.replace(job, status=JobStatus.COMPLETE, parts=()))

    assert changed.parts == (A_PART,)
    assert store.find(job.job_id) == changed


# --- parts -----------------------------------------------------------------------------------------------------------


def test_a_saved_part_has_the_next_version_and_the_job_and_other_parts_stay(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(), PartProgress())))

    saved = store.save_part(job, 1, A_PART)

    assert saved == msgspec.structs.replace(A_PART, version=1)
    found = store.find(job.job_id)
    assert found == msgspec.structs.replace(job, parts=(PartProgress(), saved))


def test_of_two_that_read_a_part_one_is_too_late(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))
    first = store.save_part(job, 0, A_PART)

    with pytest.raises(StaleJobError):
        store.save_part(job, 0, msgspec.structs.replace(A_PART, rows_read=3))

    assert store.save_part(job, 0, first).version == 2


def test_a_part_of_a_job_that_was_changed_meanwhile_is_stored_while_it_is_read(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))
    store.change(msgspec.structs.replace(job, updated_at=NOW + 5))

    assert store.save_part(job, 0, A_PART).version == 1


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.READING])
def test_a_part_of_a_job_that_is_not_read_any_more_is_not_stored(store: CsvJobStore, status: JobStatus) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))
    store.change(msgspec.structs.replace(job, status=status))

    with pytest.raises(StaleJobError):
        store.save_part(job, 0, A_PART)


def test_a_part_that_a_job_does_not_have_is_not_stored(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))

    with pytest.raises(StaleJobError):
        store.save_part(job, 1, A_PART)
    with pytest.raises(StaleJobError):
        store.save_part(a_csv_job("89abcdef0123456701234567"), 0, A_PART)


def test_rows_that_are_no_text_are_stored_as_text(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))
    shown = ShownRow(5, "caf\udce9;1", "the bytes at 4 are no UTF-8", "name\udce9")
    part = PartProgress(errors={RowFaultCode.UNDECODABLE: RowErrors(1, (shown,))}, streams={"\udce9": 1})

    store.save_part(job, 0, part)

    found = store.find(job.job_id)
    assert found is not None
    (row,) = found.parts[0].errors[RowFaultCode.UNDECODABLE].first
    assert (row.row, row.column) == ("caf\ufffd;1", "name\ufffd")
    assert found.parts[0].streams == {"\ufffd": 1}


@given(st.text(st.characters()), st.text(st.characters()))
def test_whatever_a_row_holds_it_can_be_stored(row: str, stream_id: str) -> None:
    errors = {RowFaultCode.RAGGED_ROW: RowErrors(1, (ShownRow(1, row, "m"),))}

    part = decode_part(encode_part(PartProgress(errors=errors, streams={stream_id: 1})))

    assert len(part.errors[RowFaultCode.RAGGED_ROW].first[0].row) == len(row)


# --- the jobs of a domain --------------------------------------------------------------------------------------------


def test_jobs_of_a_domain_are_listed_the_newest_first(store: CsvJobStore) -> None:
    jobs = [store.create(a_csv_job(f"job-{age}", created_at=NOW - age)) for age in (3, 0.5, 2, 1 / 3)]
    store.create(a_csv_job("other", domain="health"))

    newest = store.newest("iot", before=None, limit=10)

    assert newest == sorted(jobs, key=lambda job: -job.created_at)
    assert store.newest("finance", before=None, limit=10) == []


def test_jobs_of_a_domain_come_in_pages(store: CsvJobStore) -> None:
    for age in range(5):
        store.create(a_csv_job(f"job-{age}", created_at=NOW - age - 0.123456))

    first = store.newest("iot", before=None, limit=2)
    second = store.newest("iot", before=first[-1].created_at, limit=2)
    third = store.newest("iot", before=second[-1].created_at, limit=2)

    assert [job.job_id for page in (first, second, third) for job in page] == [f"job-{age}" for age in range(5)]
    assert store.newest("iot", before=third[-1].created_at, limit=2) == []


def test_jobs_of_a_domain_are_listed_as_they_are_now_with_their_parts(store: CsvJobStore) -> None:
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))
    store.save_part(job, 0, A_PART)
    changed = store.change(msgspec.structs.replace(job, status=JobStatus.COMPLETE))

    assert store.newest("iot", before=None, limit=1) == [changed]


def test_more_jobs_than_dynamodb_reads_at_once_are_listed(store: CsvJobStore) -> None:
    for age in range(105):
        store.create(a_csv_job(f"job-{age:03}", created_at=NOW - age))

    assert [job.job_id for job in store.newest("iot", before=None, limit=105)] == [
        f"job-{age:03}" for age in range(105)
    ]


# --- content ---------------------------------------------------------------------------------------------------------


def test_content_is_had_by_the_first_that_claims_it(store: CsvJobStore) -> None:
    assert store.claim("c1", "job-1", NOW) == "job-1"
    assert store.claim("c1", "job-2", NOW + 1) == "job-1"
    assert store.claim("c1", "job-1", NOW + 2) == "job-1"
    assert store.claim("c2", "job-2", NOW) == "job-2"


def test_content_that_was_released_can_be_claimed(store: CsvJobStore) -> None:
    store.claim("c1", "job-1", NOW)
    store.release("c1", "job-1")
    store.release("c1", "job-1")

    assert store.claim("c1", "job-2", NOW) == "job-2"


def test_nobody_releases_the_content_of_another(store: CsvJobStore) -> None:
    store.claim("c1", "job-1", NOW)

    store.release("c1", "job-2")

    assert store.claim("c1", "job-3", NOW) == "job-1"


def test_content_and_a_job_of_one_name_are_two_things(store: CsvJobStore) -> None:
    store.claim("c1", "job-1", NOW)

    assert store.find("content#c1") is None
    assert store.find("c1") is None
    assert store.create(a_csv_job("c1")) == a_csv_job("c1")


# --- DynamoDB --------------------------------------------------------------------------------------------------------


def test_jobs_and_content_expire(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    store = in_dynamodb(aws, client)

    job = store.create(a_csv_job(created_at=NOW + 0.75))
    store.change(msgspec.structs.replace(job, updated_at=NOW + 5 * DAY))
    store.claim("c1", "job-1", NOW + DAY)

    expiries = {item["job_id"]["S"]: item["expires_at"] for item in client.scan(TableName=store._table)["Items"]}
    assert expiries == {
        job.job_id: {"N": str(int(NOW) + 90 * DAY)},
        "content#c1": {"N": str(int(NOW) + 91 * DAY)},
    }


def test_a_job_whose_file_does_not_come_expires_after_a_day(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    store = in_dynamodb(aws, client)

    def expiry() -> int:
        [item] = client.scan(TableName=store._table)["Items"]
        return int(item["expires_at"]["N"])

    job = store.create(a_csv_job(created_at=NOW, status=JobStatus.AWAITING_UPLOAD))
    assert expiry() == NOW + UNSENT_SECONDS == NOW + DAY

    store.change(msgspec.structs.replace(job, status=JobStatus.QUEUED))
    assert expiry() == NOW + 90 * DAY


def test_content_is_in_no_list_of_jobs(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    store = in_dynamodb(aws, client)
    store.claim("c1", "job-1", NOW)

    assert client.scan(TableName=store._table, IndexName=BY_DOMAIN)["Items"] == []


def test_progress_takes_one_request(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    store = in_dynamodb(aws, client)
    job = store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(),)))
    requests = count_requests(client)

    store.save_part(job, 0, A_PART)

    assert requests == {"UpdateItem": 1}


def test_a_job_of_many_parts_that_are_full_fits_its_item(aws: LocalAws) -> None:
    store = in_dynamodb(aws)
    errors = {
        code: RowErrors(10**9, tuple(ShownRow(10**9 + i, f"{i};" * 100, "m" * 100, "c" * 40) for i in range(5)))
        for code in RowFaultCode
    }
    parts = tuple(
        PartProgress(errors=errors, streams={f"{'s' * 100}:{part}-{i}": 10**6 + i for i in range(MAX_NAMED_STREAMS)})
        for part in range(16)
    )
    job = a_csv_job(status=JobStatus.READING, parts=parts)

    assert store.create(job) == store.find(job.job_id) == job


@pytest.mark.parametrize(
    ("operation", "use"),
    [
        ("PutItem", lambda store: store.create(a_csv_job())),
        ("GetItem", lambda store: store.find("job-1")),
        ("UpdateItem", lambda store: store.change(a_csv_job())),
        ("UpdateItem", lambda store: store.save_part(a_csv_job(), 0, PartProgress())),
        ("Query", lambda store: store.newest("iot", before=NOW, limit=1)),
        ("PutItem", lambda store: store.claim("c1", "job-1", NOW)),
        ("DeleteItem", lambda store: store.release("c1", "job-1")),
    ],
)
def test_a_table_that_does_not_answer_is_unavailable(
    aws: LocalAws, operation: str, use: Callable[[CsvJobStore], Any]
) -> None:
    client = aws.client("dynamodb")
    store = in_dynamodb(aws, client)
    fail(client, operation)

    with pytest.raises(UnavailableError, match="DynamoDB table afluente-test"):
        use(store)


def test_jobs_that_cannot_be_read_are_unavailable(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    store = in_dynamodb(aws, client)
    store.create(a_csv_job())
    fail(client, "BatchGetItem")

    with pytest.raises(UnavailableError, match="DynamoDB table afluente-test"):
        store.newest("iot", before=None, limit=1)
