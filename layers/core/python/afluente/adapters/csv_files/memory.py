"""The twin in memory of the bucket of CSV files."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast

from afluente.adapters.csv_files.chunks import ChunkReader
from afluente.adapters.csv_files.inference import inspect, sample_of
from afluente.adapters.csv_files.layout import from_document, to_document
from afluente.adapters.csv_files.options import CSVIngestConfig
from afluente.application.csv_jobs import CsvJob, FileVersion, JobFault, NotReadableError, Position, RejectedRow
from afluente.application.read_csv import Chunk, Look


class MemoryCsvFiles:
    """Keeps plain files by key and version, and what was rejected of them by job.

    Args:
        parts: in how many parts a file is read at the most.
        clock: Unix seconds.
    """

    def __init__(self, *, parts: int = 1, clock: Callable[[], float]) -> None:
        self.contents: dict[tuple[str, str], bytes] = {}
        self.options: dict[str, dict[str, Any]] = {}
        self.rejected: dict[str, dict[tuple[int, int], Sequence[RejectedRow]]] = {}
        self._parts = parts
        self._clock = clock

    def put(self, key: str, content: bytes) -> FileVersion:
        """Keep a file as the next version under its key."""
        version = str(sum(1 for known, _ in self.contents if known == key))
        self.contents[key, version] = content
        return FileVersion(key, version, str(hash(content)), len(content))

    def options_of(self, file: FileVersion) -> tuple[dict[str, Any], str | None]:
        """See `OptionsReader.options_of`."""
        return (self.options[file.key], "memory") if file.key in self.options else ({}, None)

    def look(self, job: CsvJob) -> Look:
        """See `CsvFiles.look`."""
        sample, is_whole = sample_of(io.BytesIO(self._content(job)))
        config = CSVIngestConfig.model_validate({**job.options, "source_id": job.source_id})
        seen = inspect(sample, is_whole=is_whole, given=config, file=job.file)
        return Look(to_document(seen.layout), seen.config.given(), min(self._parts, seen.distinct_streams))

    def chunks(self, job: CsvJob, part: int, position: Position) -> Iterator[Chunk]:
        """See `CsvFiles.chunks`."""
        layout = from_document(job.layout or {})
        if position == Position():
            position = layout.begins
        file = io.BytesIO(self._content(job))
        file.seek(position.offset)
        begun = job.started_at or self._clock()
        reader = ChunkReader(layout, job.source_id, part=part, parts=len(job.parts), clock=self._clock, now=begun)
        return reader.chunks(cast("BinaryIO", file), position, file.tell)

    def keep_rejected(self, job: CsvJob, part: int, position: Position, rows: Sequence[RejectedRow]) -> None:
        """See `CsvFiles.keep_rejected`."""
        self.rejected.setdefault(job.job_id, {})[position.offset, part] = rows

    @staticmethod
    def gather_rejected(job: CsvJob) -> str:
        """See `CsvFiles.gather_rejected`."""
        return f"rejects/{job.job_id}.csv"

    def _content(self, job: CsvJob) -> bytes:
        file = job.version_of_file
        if file is None or (file.key, file.version_id) not in self.contents:
            raise NotReadableError(JobFault.FILE_GONE, "the file is not there")
        return self.contents[file.key, file.version_id]
