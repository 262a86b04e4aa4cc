"""Packs: the points of one shard that travel the queue as one message."""

from collections.abc import Iterable, Sequence

import msgspec

from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import shard_of

MAX_PACK_POINTS = 5_000
"""Points of a message: they are some 2 MB as lines of JSON, which a shard of Kinesis takes in two seconds, so that a
classifier finishes several packs in an invocation, and live points wait for one of bulk no longer."""

_OF = "-of-"


class Pack(msgspec.Struct, frozen=True):
    """Points of one shard, in the order in which they arrived.

    Attributes:
        group: the shard, as the queue's message group; one classifier at a time works on a group.
        points: of one or more sources of the shard, each with its `ingested_at`.
        transport: over which they came: `http`, `mqtt`, `ws` or `csv`; metrics tell them apart.
    """

    group: str
    points: tuple[DataPoint, ...]
    transport: str | None = None


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
    """A pack of series of one source: the same on the queue as a pack of their points, without a `DataPoint` for each.

    Its maker vouches that each point is sound.

    Attributes:
        group: the shard, as the queue's message group.
        domain: of the source.
        source_id: the source.
        ingested_at: when its points arrived, in Unix seconds.
        series: its points.
        transport: over which they came.
    """

    group: str
    domain: str
    source_id: str
    ingested_at: float
    series: tuple[Series, ...]
    transport: str | None = None

    @property
    def points(self) -> tuple[DataPoint, ...]:
        """The points one by one, a series after the other."""
        return tuple(
            DataPoint(
                domain=self.domain,
                source_id=self.source_id,
                stream_id=series.stream_id,
                stream_type=series.stream_type,
                value=value,
                timestamp=timestamp,
                ingested_at=self.ingested_at,
            )
            for series in self.series
            for timestamp, value in zip(series.timestamps, series.values, strict=True)
        )


class SealedPack(msgspec.Struct, frozen=True):
    """A pack of bulk as one message of the queue.

    Attributes:
        group: the shard, as the queue's message group.
        slot: the slot of the group that it holds.
        points: number of its points.
        body: of the message.
        deduplication_id: the same for the same points, whenever they arrived.
    """

    group: str
    slot: str
    points: int
    body: str
    deduplication_id: str


class ReceivedPack(msgspec.Struct, frozen=True):
    """A pack as the queue delivers it.

    Attributes:
        message_id: the queue's id of the message.
        group: the message group it came in.
        sequence_number: its place in the group; larger for a later pack.
        points: the points of the pack.
        transport: over which they came; None where the pack names none.
        slot: the slot of its group that a pack of bulk holds, to be released once it is classified; None of any other.
        body: the message as it came.
    """

    message_id: str
    group: str
    sequence_number: int
    points: tuple[DataPoint, ...]
    transport: str | None = None
    slot: str | None = None
    body: str = ""


def into_packs(points: Iterable[DataPoint], shards: int, transport: str | None = None) -> list[Pack]:
    """One pack for each shard of the points' sources, keeping their order.

    Args:
        points: of any sources.
        shards: number of shards. It is part of the group's name: the queue numbers messages a group, and numbers of
            another sharding must not be compared with them.
        transport: over which the points came.
    """
    by_source: dict[str, list[DataPoint]] = {}
    for point in points:
        by_source.setdefault(f"{point.domain}/{point.source_id}", []).append(point)
    by_group: dict[str, list[DataPoint]] = {}
    for source, its_points in by_source.items():
        by_group.setdefault(shard_group(source, shards), []).extend(its_points)
    return [Pack(group, tuple(its_points), transport) for group, its_points in by_group.items()]


def shard_group(source: str, shards: int) -> str:
    """The message group of a source's shard.

    Args:
        source: `{domain}/{source_id}`.
        shards: number of shards.
    """
    return f"{shard_of(source, shards)}{_OF}{shards}"


def sharding_of(group: str) -> str:
    """The number of shards that a group's name carries; a source is in one group of each sharding."""
    return group.partition(_OF)[2]
