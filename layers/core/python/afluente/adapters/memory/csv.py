"""In-memory twins of the ports of CSV jobs."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast

import msgspec

from afluente.adapters.codecs.csv.chunks import ChunkReader
from afluente.adapters.codecs.csv.inference import inspect, sample_of
from afluente.adapters.codecs.csv.layout import from_document, to_document
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv_jobs import decode_head, decode_part, encode_head, encode_part
from afluente.application.csv.chunks import Chunk, LoadPlan, Position
from afluente.application.csv.faults import JobFault, NotReadableError, RejectedRow
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.ports import StaleJobError
from afluente.application.csv.progress import PartProgress
from afluente.application.csv.uploads import MultipartUpload, part_bytes_of


class MemoryCsvFiles:
    """Plain files by key and version, and their rejected rows by job.

    Args:
        parts: number of parts of a job at the most.
        clock: Unix seconds.
    """

    def __init__(self, *, parts: int = 1, clock: Callable[[], float]) -> None:
        self.contents: dict[tuple[str, str], bytes] = {}
        self.options: dict[str, dict[str, Any]] = {}
        self.rejected: dict[str, dict[tuple[int, int], Sequence[RejectedRow]]] = {}
        self._parts = parts
        self._clock = clock

    def put(self, key: str, content: bytes) -> FileVersion:
        """Store a file as the next version under its key."""
        version = str(sum(1 for known, _ in self.contents if known == key))
        self.contents[key, version] = content
        return FileVersion(key, version, str(hash(content)), len(content))

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        return (self.options[file.key], "memory") if file.key in self.options else ({}, None)

    def plan(self, job: CsvJob) -> LoadPlan:
        sample, is_whole = sample_of(io.BytesIO(self._content(job)))
        config = CSVIngestConfig.model_validate({**job.options, "source_id": job.source_id})
        seen = inspect(sample, is_whole=is_whole, given=config, file=job.file)
        return LoadPlan(to_document(seen.layout), seen.config.given(), min(self._parts, seen.distinct_streams))

    def chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        layout = from_document(job.layout or {})
        if position == Position():
            position = layout.begins
        file = io.BytesIO(self._content(job))
        file.seek(position.offset)
        begun = job.started_at or self._clock()
        reader = ChunkReader(layout, job.source_id, part=part, parts=len(job.parts), clock=self._clock, now=begun)
        return reader.chunks(cast("BinaryIO", file), position, file.tell)

    def keep_rejected(self, job: CsvJob, part: int, position: Position, rows: Sequence[RejectedRow]) -> None:
        self.rejected.setdefault(job.job_id, {})[position.offset, part] = rows

    @staticmethod
    def gather_rejected(job: CsvJob) -> str:
        return f"rejects/{job.job_id}.csv"

    def _content(self, job: CsvJob) -> bytes:
        file = job.version_of_file
        if file is None or (file.key, file.version_id) not in self.contents:
            raise NotReadableError(JobFault.FILE_GONE, "the file is not there")
        return self.contents[file.key, file.version_id]


class MemoryCsvJobs:
    """CSV jobs by id, and the owners of content."""

    def __init__(self) -> None:
        self._jobs: dict[str, CsvJob] = {}
        self._owners: dict[str, str] = {}

    def create(self, job: CsvJob) -> CsvJob:
        return self._jobs.setdefault(job.job_id, _as_stored(job))

    def find(self, job_id: str) -> CsvJob | None:
        return self._jobs.get(job_id)

    def change(self, job: CsvJob) -> CsvJob:
        stored = self._jobs.get(job.job_id)
        if stored is None or stored.version != job.version:
            raise StaleJobError(f"job {job.job_id} was changed meanwhile")
        parts = stored.parts + job.parts[len(stored.parts) :]
        changed = msgspec.structs.replace(job, parts=parts, version=job.version + 1)
        self._jobs[job.job_id] = _as_stored(changed)
        return self._jobs[job.job_id]

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        stored = self._jobs.get(job.job_id)
        is_read = stored is not None and stored.status is JobStatus.READING and number < len(stored.parts)
        if stored is None or not is_read or stored.parts[number].version != part.version:
            raise StaleJobError(f"job {job.job_id} was changed meanwhile")
        saved = msgspec.structs.replace(part, version=part.version + 1)
        parts = (*stored.parts[:number], saved, *stored.parts[number + 1 :])
        self._jobs[job.job_id] = _as_stored(msgspec.structs.replace(stored, parts=parts))
        return saved

    def newest(self, domain: str, *, before: float | None, limit: int) -> Sequence[CsvJob]:
        found = [
            job for job in self._jobs.values() if job.domain == domain and (before is None or job.created_at < before)
        ]
        return sorted(found, key=lambda job: (-job.created_at, job.job_id))[:limit]

    def claim(self, content_id: str, job_id: str, now: float) -> str:
        del now  # Claims of the twin do not expire.
        return self._owners.setdefault(content_id, job_id)

    def release(self, content_id: str, job_id: str) -> None:
        if self._owners.get(content_id) == job_id:
            del self._owners[content_id]


def _as_stored(job: CsvJob) -> CsvJob:
    """A job as it is after its encoding by a store."""
    parts = tuple(decode_part(encode_part(part)) for part in job.parts)
    return msgspec.structs.replace(decode_head(encode_head(job)), parts=parts)


class MemoryCsvUploads:
    """Uploaded files by key; the URLs lead nowhere."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        self.files[key] = body

    def presign_put(self, key: str, size: int | None) -> str:
        return f"memory:put/{key}?size={size}"

    def begin_multipart(self, key: str, size: int) -> MultipartUpload:
        return self.go_on_with(key, size, "upload-1")

    def go_on_with(self, key: str, size: int, upload_id: str) -> MultipartUpload:
        part_bytes = part_bytes_of(size)
        urls = tuple(f"memory:part/{key}?number={number + 1}" for number in range(-(-size // part_bytes)))
        return MultipartUpload(upload_id, part_bytes, urls, f"memory:complete/{key}", f"memory:abort/{key}")

    def presign_rejects(self, key: str) -> str:
        return f"memory:get/{key}"
