"""Packs: the points of one shard that travel the queue as one message."""

from collections.abc import Iterable

import msgspec

from afluente.domain.datapoints import DataPoint
from afluente.domain.keys import shard_of

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
    return [Pack(f"{shard}{_OF}{shards}", tuple(its_points)) for shard, its_points in by_shard.items()]


def sharding_of(group: str) -> str:
    """How many shards there were when packs of the group were made; a source is in one group of each sharding."""
    return group.partition(_OF)[2]
