"""A file as it is loaded: by a plan, in chunks of rows, from one position to the next."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from afluente.application.csv.faults import JobFailure, RejectedRow
from afluente.application.ingest.packs import Series


class LoadPlan(msgspec.Struct, frozen=True):
    """The result of a first look at a file.

    Attributes:
        layout: of the file, for the port that reads it.
        used: the options in force: given, and inferred.
        parts: number of parts that its streams are loaded in side by side.
    """

    layout: Mapping[str, Any]
    used: Mapping[str, Any]
    parts: int


class Position(msgspec.Struct, frozen=True):
    """A place in a file, between two rows.

    Attributes:
        offset: bytes before it, unpacked.
        line: the line that begins there, from 1.
        row: the rows of data before it.
    """

    offset: int = 0
    line: int = 1
    row: int = 0


class Chunk(msgspec.Struct, frozen=True):
    """Some rows of a file that follow each other.

    Attributes:
        series: points of the streams of one part, those of a stream in their order.
        read_at: when they were read, in Unix seconds.
        rows: number of rows.
        rejected: rows with faults.
        position: where the next chunk begins.
        bytes_done: that position in the file as it is stored.
        damage: why the file cannot be read on from there; the chunk is the last one then.
    """

    series: tuple[Series, ...]
    read_at: float
    rows: int
    rejected: Sequence[RejectedRow]
    position: Position
    bytes_done: int
    damage: JobFailure | None = None
