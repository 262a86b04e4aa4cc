"""Packs: the points of one shard that travel the queue as one message."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import shard_of

_OF = "-of-"


class Pack(msgspec.Struct, frozen=True):
    """Points of one shard, in the order in which they arrived.

    Attributes:
        group: the shard, as the queue's message group; one writer at a time works on a group.
        points: of one or more sources of the shard, each with its `ingested_at`.
    """

    group: str
    points: tuple[DataPoint, ...]


class ReceivedPack(msgspec.Struct, frozen=True):
    """A pack as the queue delivers it.

    Attributes:
        message_id: the queue's id of the message.
        group: the message group it came in.
        sequence_number: its place in the group; larger for a later pack.
        points: the points of the pack.
    """

    message_id: str
    group: str
    sequence_number: int
    points: tuple[DataPoint, ...]


class Series(msgspec.Struct, frozen=True):
    """Points of one stream that follow each other, column by column.

    Attributes:
        stream_id: the stream.
        stream_type: its type.
        timestamps: of the points, in Unix seconds.
        values: of the points, as many.
    """

    stream_id: str
    stream_type: str | None
    timestamps: Sequence[float]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.values)


class SeriesPack(msgspec.Struct, frozen=True):
    """A pack of series of one source, for transports that bring many points of the same form.

    Whoever makes one answers for it that each point is sound: no `DataPoint` is made that would refuse.

    Attributes:
        group: the shard, as the queue's message group.
        domain: of the source.
        source_id: the source.
        ingested_at: when its points arrived, in Unix seconds.
        series: its points.
    """

    group: str
    domain: str
    source_id: str
    ingested_at: float
    series: tuple[Series, ...]

    def points(self) -> Iterator[DataPoint]:
        """The points one by one, a series after the other."""
        for series in self.series:
            for timestamp, value in zip(series.timestamps, series.values, strict=True):
                yield DataPoint(
                    domain=self.domain,
                    source_id=self.source_id,
                    stream_id=series.stream_id,
                    stream_type=series.stream_type,
                    value=value,
                    timestamp=timestamp,
                    ingested_at=self.ingested_at,
                )


def into_packs(points: Iterable[DataPoint], shards: int) -> list[Pack]:
    """One pack for each shard that `points` belong to, keeping their order.

    Args:
        points: of any sources.
        shards: how many shards there are. It is part of the group's name: the queue numbers messages a group, and
            numbers of another sharding must not be compared with them.
    """
    by_source: dict[str, list[DataPoint]] = {}
    for point in points:
        by_source.setdefault(f"{point.domain}/{point.source_id}", []).append(point)
    by_shard: dict[int, list[DataPoint]] = {}
    for source, its_points in by_source.items():
        by_shard.setdefault(shard_of(source, shards), []).extend(its_points)
    return [Pack(_group(shard, shards), tuple(its_points)) for shard, its_points in by_shard.items()]


def group_of(source: str, shards: int) -> str:
    """The message group of a source, `{domain}/{source_id}`."""
    return _group(shard_of(source, shards), shards)


def sharding_of(group: str) -> str:
    """How many shards there were when packs of the group were made; a source is in one group of each sharding."""
    return group.partition(_OF)[2]


def _group(shard: int, shards: int) -> str:
    return f"{shard}{_OF}{shards}"
