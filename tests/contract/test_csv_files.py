"""The contract of `CsvFiles`: versions of files in pieces, and what was rejected of them.

Against moto alone: the emulator reads ranges of a version only with the fixes of the local stack, where
tests/integration/test_csv.py reads files through it.
"""

import gzip
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import pytest
from backports import zstd

from afluente.adapters.aws import s3_csv_files as bucket_module
from afluente.adapters.aws.s3_csv_files import BucketCsvFiles
from afluente.adapters.aws.s3_csv_options import BucketOptions
from afluente.adapters.codecs.csv.inference import SAMPLE_BYTES
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv_jobs import decode_head, encode_head
from afluente.application.csv.chunks import Chunk, Position
from afluente.application.csv.faults import (
    MAX_REASON,
    JobFault,
    NotReadableError,
    RejectedRow,
    RowFault,
    RowFaultCode,
)
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.progress import PartProgress
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW, a_csv_job

KEY = "inbox/iot/furnace-1/März +1/readings.csv"
TABLE = b"timestamp,value\n" + b"".join(b"2023-01-01T%02d:00:00,%d\n" % (hour, hour) for hour in range(24))
# Several ranges of S3, several pieces.
LARGE = b"timestamp,note,value\n" + b"".join(
    b"2023-01-01T%02d:%02d:%02d,%s,%d\n" % (i // 3600, i // 60 % 60, i % 60, b"x" * 1_000, i) for i in range(20_000)
)


class World:
    """A bucket and its reader."""

    def __init__(self, moto: LocalAws, executor: Executor) -> None:
        self.s3 = moto.client("s3")
        self.bucket = moto.bucket()
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.files = BucketCsvFiles(
            self.s3, self.bucket, executor=executor, split_bytes=50_000, parts=4, clock=lambda: NOW
        )
        self.options = BucketOptions(self.s3, self.bucket)

    def put(self, content: bytes, key: str = KEY, **metadata: str) -> FileVersion:
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata=metadata)
        return FileVersion(key, answer["VersionId"], answer["ETag"].strip('"'), len(content))

    def job(self, file: FileVersion, **options: Any) -> CsvJob:
        """A job whose file was looked at."""
        job = a_csv_job(status=JobStatus.QUEUED, version_of_file=file, options=options, file=file.key.split("/")[-1])
        plan = self.files.plan(job)
        return a_csv_job(
            status=JobStatus.READING,
            version_of_file=file,
            file=job.file,
            layout=dict(plan.layout),
            parts=(PartProgress(),) * plan.parts,
        )

    def read(self, job: CsvJob, position: Position = Position(), part: int = 0) -> list[Chunk]:  # noqa: B008 - frozen
        return list(self.files.chunks(job, part, position))

    def object(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body


@pytest.fixture
def world(moto: LocalAws, executor: Executor) -> World:
    return World(moto, executor)


def values(chunks: Sequence[Chunk]) -> list[float]:
    return [value for chunk in chunks for series in chunk.series for value in series.values]


def a_rejected_row(line: int, row: str = "2023-01-01,x") -> RejectedRow:
    return RejectedRow(line, row, (RowFault(RowFaultCode.NOT_A_NUMBER, "value", "'x' is not a number"),))


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_to_its_end(world: World) -> None:
    chunks = world.read(world.job(world.put(TABLE)))

    assert values(chunks) == list(range(24))
    assert (chunks[-1].bytes_done, chunks[-1].position.row) == (len(TABLE), 24)


def test_the_version_that_was_asked_for_is_read_whatever_is_put_in_its_place(world: World) -> None:
    file = world.put(LARGE)
    job = world.job(file)
    chunks = world.files.chunks(job, 0, Position())
    first = next(chunks)
    world.put(b"something else\n")
    world.s3.delete_object(Bucket=world.bucket, Key=KEY)

    assert values([first, *chunks]) == list(range(20_000))


def test_a_deleted_version_is_not_found(world: World) -> None:
    file = world.put(TABLE)
    job = world.job(file)
    world.s3.delete_object(Bucket=world.bucket, Key=KEY, VersionId=file.version_id)

    with pytest.raises(NotReadableError) as caught:
        world.files.plan(job)
    [chunk] = world.read(job)

    assert caught.value.reason.code == JobFault.FILE_GONE
    assert chunk.damage == caught.value.reason


@pytest.mark.parametrize(
    ("name", "pack"), [("f.csv", bytes), ("f.csv.gz", gzip.compress), ("f.csv.zst", zstd.compress)]
)
def test_from_wherever_a_file_is_continued_the_same_chunks_follow(
    world: World, name: str, pack: Callable[[bytes], bytes]
) -> None:
    job = world.job(world.put(pack(LARGE), f"inbox/iot/furnace-1/{name}"))
    chunks = world.read(job)

    assert values(chunks) == list(range(20_000))
    for place, chunk in enumerate(chunks[:-1], start=1):
        again = world.read(job, chunk.position)
        assert [piece.series for piece in again] == [piece.series for piece in chunks[place:]]
        assert again[-1].position == chunks[-1].position


def test_progress_in_a_packed_file_is_in_its_stored_bytes(world: World) -> None:
    file = world.put(gzip.compress(LARGE), "inbox/iot/furnace-1/f.csv.gz")

    chunks = world.read(world.job(file))

    assert all(chunk.bytes_done <= file.size for chunk in chunks)
    assert chunks[-1].bytes_done == file.size


def test_a_damaged_archive_is_read_up_to_the_damage(world: World) -> None:
    packed = gzip.compress(LARGE)
    chunks = world.read(world.job(world.put(packed[: len(packed) // 2], "inbox/iot/furnace-1/f.csv.gz")))

    assert chunks[-1].damage is not None
    assert chunks[-1].damage.code == JobFault.DAMAGED_ARCHIVE
    assert values(chunks) == list(range(len(values(chunks))))
    assert len(values(chunks)) > 1_000


def test_what_is_no_archive_at_all_cannot_be_looked_at(world: World) -> None:
    with pytest.raises(NotReadableError) as caught:
        world.job(world.put(TABLE, "inbox/iot/furnace-1/f.csv.zst"))

    assert caught.value.reason.code == JobFault.DAMAGED_ARCHIVE


@pytest.mark.parametrize(("columns", "rows", "parts"), [(1, 3_000, 1), (3, 3_000, 3), (9, 3_000, 4), (9, 10, 1)])
def test_large_files_of_several_streams_are_read_in_parts(world: World, columns: int, rows: int, parts: int) -> None:
    header = ",".join(["time", *(f"c{column}" for column in range(columns))])
    row = "2023-01-01T00:00:00" + ",1" * columns
    content = "\n".join([header, *[row] * rows]).encode()

    job = world.job(world.put(content), timestamp_column="time")

    assert len(job.parts) == parts
    streams = [
        {series.stream_id for chunk in world.read(job, part=part) for series in chunk.series} for part in range(parts)
    ]
    assert sum(map(len, streams)) == len(set().union(*streams)) == columns


def test_a_look_is_at_the_beginning_alone(world: World) -> None:
    content = TABLE + b"2023-01-02,1\n" * (2 * SAMPLE_BYTES // 13)
    ranges: list[str] = []
    world.s3.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: ranges.append(params["headers"]["Range"])
    )

    world.job(world.put(content), timestamp_column="timestamp")

    # Whether it goes on is to be known, and a range more may be read ahead.
    assert len(set(ranges)) <= 3
    assert min(ranges) == f"bytes=0-{SAMPLE_BYTES - 1}"


# --- rejected rows ---------------------------------------------------------------------------------------------------


def test_rejected_rows_are_gathered_in_their_order_as_they_were(world: World) -> None:
    job = world.job(world.put(TABLE))
    world.files.keep_rejected(job, 0, Position(900), [a_rejected_row(90)])
    world.files.keep_rejected(job, 0, Position(16), [a_rejected_row(2, '2023-01-01,"a, \udcff')])
    # Kept again after a crash, they replace themselves.
    world.files.keep_rejected(job, 0, Position(900), [a_rejected_row(90), a_rejected_row(91)])

    key = world.files.gather_rejected(job)
    again = world.files.gather_rejected(job)

    assert key == again == f"rejects/{job.job_id}.csv"
    assert world.object(key).splitlines() == [
        b"rejected_line,rejected_code,rejected_reason,timestamp,value",
        b"2,not_a_number,value: 'x' is not a number,2023-01-01,\"a, \xff",
        b"90,not_a_number,value: 'x' is not a number,2023-01-01,x",
        b"91,not_a_number,value: 'x' is not a number,2023-01-01,x",
    ]


def test_all_that_is_wrong_with_a_row_is_in_one_line(world: World) -> None:
    job = world.job(world.put(TABLE.replace(b",", b";")))
    faults = (
        RowFault(RowFaultCode.NOT_A_NUMBER, "a", "'x' is not a number"),
        RowFault(RowFaultCode.NOT_FINITE, "b", "'inf' is not a finite number"),
    )
    world.files.keep_rejected(job, 0, Position(16), [RejectedRow(2, "2023-01-01;x;inf", faults)])

    [_, line] = world.object(world.files.gather_rejected(job)).decode().splitlines()

    assert line == (
        "2;not_a_number not_finite;\"a: 'x' is not a number; b: 'inf' is not a finite number\";2023-01-01;x;inf"
    )


def test_many_rejected_rows_are_gathered_in_parts(world: World) -> None:
    job = world.job(world.put(TABLE))
    for piece in range(5):
        rows = [a_rejected_row(piece * 1_000 + line, "x" * 4_000) for line in range(1_000)]
        world.files.keep_rejected(job, 0, Position(1 + piece), rows)

    lines = world.object(world.files.gather_rejected(job)).splitlines()

    assert [int(line.split(b",")[0]) for line in lines[1:]] == list(range(5_000))


def test_no_more_is_gathered_than_there_is_time_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "MAX_GATHERED", 3)
    job = world.job(world.put(TABLE))
    for piece in range(5):
        world.files.keep_rejected(job, 0, Position(1 + piece), [a_rejected_row(piece)])

    lines = world.object(world.files.gather_rejected(job)).splitlines()

    assert [line.split(b",")[0] for line in lines[1:]] == [b"0", b"1", b"2"]


# --- options ---------------------------------------------------------------------------------------------------------


def test_options_are_looked_for_beside_the_file_then_in_its_folders_then_in_its_metadata(world: World) -> None:
    file = world.put(TABLE, **{"afluente-timezone": "Asia/Tokyo", "afluente-value-columns": '["value"]', "other": "x"})

    assert world.options.options_of(file) == ({"timezone": "Asia/Tokyo", "value_columns": ["value"]}, "metadata")
    for key, zone in (
        ("inbox/iot/furnace-1/_ingest.json", "America/Lima"),
        ("inbox/iot/furnace-1/März +1/_ingest.json", "Europe/Madrid"),
        (f"{KEY}.json", "Europe/Lisbon"),
    ):
        world.put(f'{{"timezone": "{zone}"}}'.encode("utf-8-sig"), key)
        assert world.options.options_of(file) == ({"timezone": zone}, key)


def test_options_in_metadata_are_read_by_what_they_are(world: World) -> None:
    metadata = {"afluente-source-id": "42", "afluente-skip-rows": "3", "afluente-null-values": '["-999"]'}

    options, _ = world.options.options_of(world.put(TABLE, **metadata))

    config = CSVIngestConfig.model_validate(options)
    assert (config.source_id, config.skip_rows, config.null_values) == ("42", 3, ("-999",))


def test_options_above_the_folder_of_the_source_are_not_its(world: World) -> None:
    world.put(b'{"timezone": "Asia/Tokyo"}', "inbox/iot/_ingest.json")

    assert world.options.options_of(world.put(TABLE)) == ({}, None)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"nul",
        b"1",
        b"[" * 100_000,
        b'{"decimal": ";"}',
        b'{"skip_rows": %s}' % (b"9" * 5_000),
        b'{"max_rows": %s}' % (b"9" * 20),
        b"{%s}" % b",".join(b'"option_%d": 1' % number for number in range(2_000)),
        b'{"null_values": ["%s"]}' % (b"x" * 70_000),
    ],
    ids=lambda document: document[:20].decode("latin-1"),
)
def test_options_that_are_none_are_refused_by_the_name_of_their_file(world: World, document: bytes) -> None:
    world.put(document, f"{KEY}.json")

    with pytest.raises(NotReadableError) as caught:
        world.options.options_of(world.put(TABLE))

    assert caught.value.reason.code == JobFault.INVALID_OPTIONS
    assert f"{KEY}.json" in caught.value.reason.message
    assert len(caught.value.reason.message) <= MAX_REASON


def test_options_are_of_their_own_type_however_large_their_numbers_are(world: World) -> None:
    world.put(b'\xef\xbb\xbf{"step": 1%s, "max_rows": "7"}' % (b"0" * 300), f"{KEY}.json")

    options, _ = world.options.options_of(world.put(TABLE))

    assert options == {"step": 1e300, "max_rows": 7}
    assert decode_head(encode_head(a_csv_job(options=options))).options == options


def test_a_deleted_file_has_no_metadata(world: World) -> None:
    file = world.put(TABLE)
    world.s3.delete_object(Bucket=world.bucket, Key=KEY, VersionId=file.version_id)

    assert world.options.options_of(file) == ({}, None)


# --- a bucket that is away -------------------------------------------------------------------------------------------


def _uses() -> Iterator[Any]:
    yield pytest.param("GetObject", lambda world, _job: world.options.options_of(world.put(TABLE)), id="options")
    yield pytest.param("HeadObject", lambda world, _job: world.options.options_of(world.put(TABLE)), id="metadata")
    yield pytest.param("GetObject", lambda world, job: world.files.plan(job), id="plan")
    yield pytest.param("GetObject", lambda world, job: world.read(job), id="chunks")
    yield pytest.param(
        "PutObject", lambda world, job: world.files.keep_rejected(job, 0, Position(), [a_rejected_row(1)]), id="keep"
    )
    yield pytest.param("ListObjectsV2", lambda world, job: world.files.gather_rejected(job), id="gather")


@pytest.mark.parametrize(("operation", "use"), [*_uses()])
def test_a_bucket_that_does_not_answer_is_unavailable(
    world: World, operation: str, use: Callable[[World, CsvJob], object]
) -> None:
    job = world.job(world.put(TABLE))
    fail(world.s3, operation)

    with pytest.raises(UnavailableError):
        use(world, job)
