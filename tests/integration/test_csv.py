"""CSV files that are dropped into the bucket: the points and the report of each row."""

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from backports import zstd

from afluente.application.csv.faults import JobFault, RowFaultCode
from afluente.application.csv.jobs import JobStatus
from tests.csv_bucket import CsvBucket, slow_file
from tests.outbox import Outbox
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

DATA = Path(__file__).parents[2] / "data"
TABLE = b"timestamp,value\n2024-01-01T00:00:00,1\n2024-01-01T00:01:00,2\n2024-01-01T00:02:00,3\n"
START = 1704067200.0


@pytest.fixture
def bucket(local_stack: LocalStack) -> CsvBucket:
    return CsvBucket(local_stack)


def values(outbox: Outbox, stack: LocalStack, source: str) -> list[float]:
    """The values of the points of a source that came out, in the order of their times."""
    stack.drained()
    return [line["value"] for line in sorted(outbox.lines(source), key=lambda line: line["timestamp"])]


def test_a_dropped_file_is_read_and_reported(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    source = f"iot/{source_id}"

    bucket.drop(f"{source}/readings.csv", TABLE)

    [job] = bucket.ended(source)
    assert (job.status, job.file, job.rows_read, job.points_queued, job.rows_rejected) == (
        JobStatus.COMPLETE,
        "readings.csv",
        3,
        3,
        0,
    )
    assert (job.bytes_done, job.bytes_total) == (len(TABLE), len(TABLE))
    assert job.streams == {f"{source_id}:value": 3}
    assert (job.first_timestamp, job.last_timestamp) == (START, START + 120)
    assert (job.options["timestamp_column"], job.options["delimiter"], job.options_from) == (["timestamp"], ",", None)
    assert values(outbox, local_stack, source) == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "pack"), [("readings.csv.gz", gzip.compress), ("readings.csv.zst", zstd.compress), ("READINGS.CSV", bytes)]
)
def test_packed_files_are_read_as_what_is_in_them(
    bucket: CsvBucket, source_id: str, name: str, pack: "type[bytes]"
) -> None:
    bucket.drop(f"iot/{source_id}/{name}", pack(TABLE))

    [job] = bucket.ended(f"iot/{source_id}")
    assert (job.status, job.points_queued, job.bytes_done) == (JobStatus.COMPLETE, 3, job.bytes_total)


@pytest.mark.parametrize("key", ["2026/11/a b+c ü ñ%20&=.csv", "über alles+/x.csv", "a/b/c/d/e/f.csv"])
def test_keys_of_every_kind_are_a_job_each(bucket: CsvBucket, source_id: str, key: str) -> None:
    source = f"iot/Máquina 7 {source_id}"

    bucket.drop(f"{source}/{key}", TABLE)

    [job] = bucket.ended(source)
    assert (job.status, job.file) == (JobStatus.COMPLETE, key.rpartition("/")[2])


def test_notifications_that_come_twice_or_late_change_nothing(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    source = f"iot/{source_id}"
    key = f"{source}/a b.csv"
    versions = [bucket.drop(key, TABLE), bucket.drop(key, TABLE.replace(b"01-01", b"01-02"))]
    bucket.ended(source, 2)

    for version in reversed(versions):
        bucket.notify(quote_plus(f"inbox/{key}", safe="/"), version, size=len(TABLE))
        bucket.notify(quote_plus(f"inbox/{key}", safe="/"), version, size=len(TABLE))

    time.sleep(1)
    assert [job.status for job in bucket.ended(source, 2)] == [JobStatus.COMPLETE] * 2
    assert values(outbox, local_stack, source) == [1, 2, 3, 1, 2, 3]


def test_the_same_file_three_times_is_queued_once(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    source = f"iot/{source_id}"

    for key in ("readings.csv", "readings.csv", "copy of readings.csv"):
        bucket.drop(f"{source}/{key}", TABLE)

    jobs = bucket.ended(source, 3)
    by_status = {status: [job for job in jobs if job.status is status] for status in JobStatus}
    [read] = by_status[JobStatus.COMPLETE]
    assert [job.duplicate_of for job in by_status[JobStatus.DUPLICATE]] == [read.job_id] * 2
    assert values(outbox, local_stack, source) == [1, 2, 3]


@pytest.mark.parametrize("files", [50, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_many_small_files_at_once_are_a_job_each(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str, files: int
) -> None:
    def drop(number: int) -> None:
        day = f"2024-{1 + number // 28:02d}-{1 + number % 28:02d}"
        table = f"timestamp,value\n{day}T00:00:00,{number}\n{day}T12:00:00,{number}\n"
        bucket.drop(f"iot/{source_id}/{day}.csv", table.encode())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(drop, range(files)))

    jobs = bucket.ended(f"iot/{source_id}", files, within=180)
    assert {job.status for job in jobs} == {JobStatus.COMPLETE}
    assert sum(job.points_queued for job in jobs) == 2 * files
    assert values(outbox, local_stack, f"iot/{source_id}") == [number for number in range(files) for _ in range(2)]


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    source = f"iot/{source_id}"
    bucket.drop(f"{source}/large.csv", slow_file(10_000, start=START))
    bucket.begun(source)

    bucket.drop(f"{source}/large.csv", b"time,note,value\n2025-01-01T00:00:00Z,other,-1\n")

    first, second = bucket.ended(source, 2)
    assert (first.points_queued, second.points_queued) == (10_000, 1)
    assert values(outbox, local_stack, source) == [*range(10_000), -1]


# --- options ---------------------------------------------------------------------------------------------------------

LOCAL_TIMES = b"when;v\n01/02/2024 10:00;1,5\n02/02/2024 10:00;2,5\n"
OPTIONS = {
    "timestamp_pattern": "%d/%m/%Y %H:%M",
    "timezone": "Europe/Madrid",
    "stream_type": "temperature",
    "decimal": ",",
}


def test_options_lie_beside_the_file_in_its_folder_or_in_its_metadata_in_that_order(
    bucket: CsvBucket, source_id: str
) -> None:
    source = f"iot/{source_id}"
    madrid, tokyo, lima = (
        json.dumps(OPTIONS | {"timezone": zone}).encode() for zone in ("Europe/Madrid", "Asia/Tokyo", "America/Lima")
    )
    in_metadata = {"afluente-timestamp-pattern": "%d/%m/%Y %H:%M", "afluente-timezone": "Asia/Kolkata"}
    bucket.drop(f"{source}/a/_ingest.json", tokyo)
    bucket.drop(f"{source}/a/file.csv.json", madrid)
    bucket.drop(f"{source}/b/_ingest.json", lima)

    for key in ("a/file.csv", "a/other.csv", "b/c/deep.csv", "plain.csv"):
        # Not the same content: that would be read once.
        bucket.drop(f"{source}/{key}", LOCAL_TIMES + f"03/02/2024 10:00;{len(key)}\n".encode(), in_metadata)

    found = {job.file: (job.options["timezone"], job.options_from) for job in bucket.ended(source, 4)}
    assert found == {
        "file.csv": ("Europe/Madrid", f"inbox/{source}/a/file.csv.json"),
        "other.csv": ("Asia/Tokyo", f"inbox/{source}/a/_ingest.json"),
        "deep.csv": ("America/Lima", f"inbox/{source}/b/_ingest.json"),
        "plain.csv": ("Asia/Kolkata", "metadata"),
    }


def test_times_of_a_zone_arrive_in_utc_and_types_with_their_streams(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    source = f"iot/{source_id}"
    bucket.drop(f"{source}/file.csv.json", json.dumps(OPTIONS).encode())
    bucket.drop(f"{source}/file.csv", LOCAL_TIMES)

    bucket.ended(source)
    local_stack.drained()
    lines = sorted(outbox.lines(source), key=lambda line: line["timestamp"])
    assert [(line["timestamp"], line["value"], line["stream_type"]) for line in lines] == [
        (1706778000.0, 1.5, "temperature"),
        (1706864400.0, 2.5, "temperature"),
    ]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (b"{", "is no JSON"),
        (b"[]", "must hold a JSON object"),
        (b'{"timezone": "Mars"}', "timezone 'Mars' is no time zone"),
        (b'{"zone": "UTC"}', "zone is no option; options are domain, source_id,"),
        (b'{"domain": "health"}', "the options say domain 'health', the key 'iot'"),
    ],
)
def test_invalid_options_end_the_job_with_the_reason(
    bucket: CsvBucket, source_id: str, options: bytes, reason: str
) -> None:
    bucket.drop(f"iot/{source_id}/file.csv.json", options)
    bucket.drop(f"iot/{source_id}/file.csv", TABLE)

    [job] = bucket.ended(f"iot/{source_id}")
    assert job.reason is not None
    assert (job.status, job.reason.code) == (JobStatus.FAILED, JobFault.INVALID_OPTIONS)
    assert reason in job.reason.message


# --- what is wrong with files ----------------------------------------------------------------------------------------


def test_rejected_rows_are_reported_and_kept_as_they_were(bucket: CsvBucket, source_id: str) -> None:
    source = f"iot/{source_id}"
    bad = [
        '2024-01-02,"a, b",x,1',
        "2024-01-02,é,3",
        "2024-13-02,n,3,1",
        '2024-01-02,"open,3,1',
    ]
    good = "".join(f"2024-01-03T{hour:02d}:00:00,n,{hour},{hour}\n" for hour in range(20))
    bucket.drop(f"{source}/file.csv", ("time,note,v,w\n" + good + "".join(f"{row}\r\n" for row in bad)).encode())

    [job] = bucket.ended(source)
    assert (job.status, job.rows_read, job.points_queued, job.rows_rejected) == (JobStatus.COMPLETE, 24, 41, 4)
    assert {error.code: error.count for error in job.errors} == dict.fromkeys(
        [
            RowFaultCode.NOT_A_NUMBER,
            RowFaultCode.RAGGED_ROW,
            RowFaultCode.UNREADABLE_TIME,
            RowFaultCode.UNTERMINATED_QUOTE,
        ],
        1,
    )
    [error] = [error.first[0] for error in job.errors if error.code == RowFaultCode.NOT_A_NUMBER]
    assert (error.line, error.column, error.row) == (22, "v", bad[0])
    header, *rows = bucket.rejected(job.job_id).splitlines()
    assert header == "rejected_line,rejected_code,rejected_reason,time,note,v,w"
    assert [row.split(",")[:2] for row in rows] == [
        ["22", "not_a_number"],
        ["23", "ragged_row"],
        ["24", "unreadable_time"],
        ["25", "unterminated_quote"],
    ]
    assert [row.endswith(f",{raw}") for row, raw in zip(rows, bad, strict=True)] == [True] * 4


@pytest.mark.parametrize(
    ("key", "content", "code"),
    [
        ("empty.csv", b"", JobFault.EMPTY_FILE),
        ("page.csv", b"<html></html>\n", JobFault.NOT_CSV),
        ("book.csv", b"PK\x03\x04" + bytes(100), JobFault.NOT_CSV),
        ("prose.csv", b"once upon a time\nthere was\n", JobFault.NO_VALUES),
        ("dates.csv", b"date,v\n01/02/2024,1\n", JobFault.AMBIGUOUS_DATES),
        ("numbers.csv", b"time;v\n2024-01-01;1,234\n", JobFault.AMBIGUOUS_NUMBERS),
        ("timer.csv", b"timer,hr\n0,500\n17,501\n", JobFault.AMBIGUOUS_UNIT),
        ("plain.csv.gz", TABLE, JobFault.DAMAGED_ARCHIVE),
        ("table.txt", TABLE, JobFault.UNSUPPORTED_FILE),
        ("options.json", b"{}", JobFault.UNSUPPORTED_FILE),
    ],
)
def test_a_file_that_cannot_be_read_ends_at_once_with_the_reason(
    bucket: CsvBucket, source_id: str, key: str, content: bytes, code: JobFault
) -> None:
    bucket.drop(f"iot/{source_id}/{key}", content)

    [job] = bucket.ended(f"iot/{source_id}")
    assert (job.status, job.reason and job.reason.code) == (JobStatus.FAILED, code)


def test_a_file_that_belongs_to_no_open_domain_ends_at_once(bucket: CsvBucket, source_id: str) -> None:
    bucket.drop(f"weather/{source_id}/file.csv", TABLE)

    [job] = bucket.ended(f"weather/{source_id}")
    assert job.reason is not None
    assert job.reason.code == JobFault.UNKNOWN_DOMAIN
    # Which are is nobody's business who may see the job alone.
    assert "open are" not in job.reason.message


def test_a_packed_file_that_was_cut_off_gives_the_rows_before(bucket: CsvBucket, source_id: str) -> None:
    content = gzip.compress(slow_file(3_000, start=START))[:-5_000]
    bucket.drop(f"iot/{source_id}/cut.csv.gz", content)

    [job] = bucket.ended(f"iot/{source_id}")
    assert (job.status, job.reason and job.reason.code) == (JobStatus.FAILED, JobFault.DAMAGED_ARCHIVE)
    assert 0 < job.points_queued < 3_000
