"""The bucket of CSV files: their rows, and files of rejected rows."""

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.s3_objects import ObjectStream
from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.inference import SAMPLE_BYTES, inspect, sample_of
from afluente.adapters.codecs.csv.layout import Layout, from_document, to_document
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rejects import header, line_of
from afluente.adapters.codecs.csv.unpacking import is_packed, open_unpacked
from afluente.application.csv.chunks import Chunk, LoadPlan, Position
from afluente.application.csv.faults import JobFault, NotReadableError, RejectedRow
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

REJECTS = "rejects"
"""Folder of rejected rows in the bucket."""

MAX_GATHERED = 2_000
"""Objects of at most 2 MiB that are joined into one file of rejected rows, within a function's time; the rest stay."""

MAX_GATHERED_BYTES = 512 * 1024 * 1024
"""Size limit of the file of rejected rows, for the same reason."""

_SKIPPED_BYTES = 1024 * 1024
# S3, "Part size": at least 5 MB, but for the last.
_UPLOAD_PART_BYTES = 8 * 1024 * 1024
_CONTENT_TYPE = "text/csv; charset=utf-8"

Item = TypeVar("Item")


class BucketCsvFiles:
    """Files of a bucket, and their rejected rows in it.

    Args:
        client: of S3.
        bucket: the bucket.
        executor: reads ahead.
        split_bytes: size from which on a file is loaded in parts side by side.
        parts: number of parts at the most.
        clock: Unix seconds.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        *,
        executor: Executor,
        split_bytes: int,
        parts: int,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._executor = executor
        self._split_bytes = split_bytes
        self._parts = parts
        self._clock = clock

    # --- rows --------------------------------------------------------------------------------------------------------

    def plan(self, job: CsvJob) -> LoadPlan:
        file = _file_of(job)
        sample, is_whole = self._sample(file)
        config = CSVIngestConfig.model_validate({**job.options, "source_id": job.source_id})
        inspection = inspect(sample, is_whole=is_whole, given=config, file=job.file)
        parts = min(self._parts, inspection.distinct_streams) if file.size >= self._split_bytes else 1
        used = inspection.config.model_copy(update={"source_id": None, "domain": None}).given()
        return LoadPlan(to_document(inspection.layout), used, max(1, parts))

    def chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        # Each chunk is read while the one before it is queued.
        return _ahead(self._chunks(job, part, position), self._executor)

    def _chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        file, layout = _file_of(job), _layout_of(job)
        if position == Position():
            position = layout.begins
        begun = job.started_at or self._clock()
        reader = ChunkReader(layout, job.source_id, part=part, parts=len(job.parts), clock=self._clock, now=begun)
        if is_packed(file.key):
            stream = ObjectStream(self._client, self._bucket, file, executor=self._executor)
            unpacked = open_unpacked(io.BufferedReader(stream), file.key)
            _skip(unpacked, position.offset)
            return reader.chunks(unpacked, position, lambda: stream.position)
        stream = ObjectStream(self._client, self._bucket, file, offset=position.offset, executor=self._executor)
        return reader.chunks(io.BufferedReader(stream), position, lambda: stream.position)

    def _sample(self, file: FileVersion) -> tuple[bytes, bool]:
        """The beginning of a file, with a flag if that is all of it."""
        stream = ObjectStream(self._client, self._bucket, file, executor=self._executor, range_bytes=SAMPLE_BYTES)
        return sample_of(open_unpacked(io.BufferedReader(stream), file.key))

    # --- rejected rows -----------------------------------------------------------------------------------------------

    def keep_rejected(self, job: CsvJob, part: int, position: Position, rows: Sequence[RejectedRow]) -> None:
        layout = _layout_of(job)
        text = "".join(line_of(row, layout.delimiter, is_marked=layout.is_marked) for row in rows)
        with unavailable("S3"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{REJECTS}/{job.job_id}/{position.offset:020d}-{part:02d}.csv",
                Body=text.encode("utf-8", "surrogateescape"),
                ContentType=_CONTENT_TYPE,
            )

    def gather_rejected(self, job: CsvJob) -> str:
        key = f"{REJECTS}/{job.job_id}.csv"
        layout = _layout_of(job)
        head = header(layout.columns, layout.delimiter)
        with unavailable("S3"):
            pieces = self._pieces(f"{REJECTS}/{job.job_id}/")
            _upload(self._client, self._bucket, key, self._contents(head, pieces))
        return key

    def _pieces(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, PaginationConfig={"MaxItems": MAX_GATHERED}
        )
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def _contents(self, head: str, pieces: Sequence[str]) -> Iterator[bytes]:
        yield f"{head}\n".encode()
        left = MAX_GATHERED_BYTES
        for piece in pieces:
            content = self._client.get_object(Bucket=self._bucket, Key=piece)["Body"].read()
            left -= len(content)
            if left < 0:
                return
            yield content


def _upload(client: "S3Client", bucket: str, key: str, contents: Iterator[bytes]) -> None:
    """Write an object of any size, with little of it in memory."""
    parts = _of_size(contents, _UPLOAD_PART_BYTES)
    first, second = next(parts), next(parts, None)
    if second is None:
        client.put_object(Bucket=bucket, Key=key, Body=first, ContentType=_CONTENT_TYPE)
        return
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=_CONTENT_TYPE)["UploadId"]
    done: list[CompletedPartTypeDef] = []
    for number, part in enumerate(itertools.chain([first, second], parts), start=1):
        answer = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done})


def _file_of(job: CsvJob) -> FileVersion:
    if job.version_of_file is None:
        raise NotReadableError(JobFault.FILE_GONE, "the file was not uploaded")
    return job.version_of_file


def _layout_of(job: CsvJob) -> Layout:
    return from_document(job.layout or {})


def _skip(file: Any, size: int) -> None:
    """Read up to a position: a packed file can be read from its beginning only."""
    while size > 0:
        size -= len(file.read(min(size, _SKIPPED_BYTES)))


def _of_size(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    waiting = b""
    for piece in pieces:
        waiting += piece
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


def _ahead(items: Iterator[Item], executor: Executor) -> Iterator[Item]:
    """Yield the items, each made while the one before it is in use."""
    following = executor.submit(next, items, None)
    while (item := following.result()) is not None:
        following = executor.submit(next, items, None)
        yield item
