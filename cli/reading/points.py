"""Classified points of a deployment, from the streams of their classes."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from afluente.adapters.codecs.kinesis_records import UnreadableRecordError, lines_of
from afluente.domain.classification import ClassifiedDataPoint
from cli.core.target import Target
from cli.reading.rendering import decode_point
from cli.reading.shards import LATEST, OLDEST, ShardReader, Start


class PublishedPoint(NamedTuple):
    """A line of a stream with its point; None for a line that cannot be decoded."""

    line: bytes
    point: ClassifiedDataPoint | None


def start_of(since: datetime | None, *, from_start: bool) -> Start:
    """The place to begin at: a time, the oldest record, or from now on."""
    if since is not None:
        return Start("AT_TIMESTAMP", since)
    return OLDEST if from_start else LATEST


def points(
    target: Target, classes: Sequence[str], pattern: str, start: Start, *, until_idle: float | None
) -> Iterator[PublishedPoint]:
    """The points of streams that match, and lines that cannot be decoded.

    Args:
        target: the deployment.
        classes: whose streams are read.
        pattern: of streams, as in a shell.
        start: place to begin at.
        until_idle: end when nothing came for so many seconds; None for never.
    """
    streams = [target[f"{name.title()}Stream"] for name in dict.fromkeys(classes)]
    reader = ShardReader(target.client("kinesis"), streams, start)
    for record in reader.records(until_idle=until_idle):
        for line in _lines(record):
            point = decode_point(line)
            if point is None or fnmatchcase(f"{point.domain}/{point.source_id}/{point.stream_id}", pattern):
                yield PublishedPoint(line, point)


def _lines(record: bytes) -> list[bytes]:
    """The lines of a record; one that cannot be unpacked is a line that cannot be decoded."""
    try:
        return lines_of(record)
    except UnreadableRecordError:
        return [record]
