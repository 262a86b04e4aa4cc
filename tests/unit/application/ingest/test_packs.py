"""Packs: points of one shard that travel together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.application.ingest.packs import Pack, into_packs, sharding_of
from afluente.domain.datapoints import DataPoint
from tests.factories import a_point


def test_no_points_make_no_pack() -> None:
    assert into_packs([], shards=64) == []


def test_points_of_one_source_travel_in_one_pack_in_their_order() -> None:
    its_points = [a_point(3, at=2), a_point(1, at=0, stream_id="pressure"), a_point(2, at=1)]

    assert into_packs(its_points, shards=64) == [Pack("0-of-64", tuple(its_points))]


def test_a_source_is_in_the_same_group_in_every_release() -> None:
    # Figures that were written down once: points of a source that is in two groups may overtake each other.
    its_points = [
        a_point(domain=domain, source_id=source)
        for domain, source in [("iot", "furnace-1"), ("finance", "sp500"), ("health", "_")]
    ]

    assert [pack.group for pack in into_packs(its_points, shards=64)] == ["0-of-64", "57-of-64", "44-of-64"]


@pytest.mark.parametrize("shards", [1, 2, 64, 1024])
def test_a_group_carries_the_number_of_shards(shards: int) -> None:
    (pack,) = into_packs([a_point()], shards)

    assert sharding_of(pack.group) == str(shards)


_points = st.builds(
    lambda value, source, domain: a_point(value, source_id=f"furnace-{source}", domain=domain),
    st.integers(0, 5).map(float),
    st.integers(0, 20),
    st.sampled_from(["iot", "health"]),
)


@given(st.lists(_points, max_size=40), st.integers(1, 8))
def test_each_point_is_in_one_pack_and_each_source_in_one_group(its_points: list[DataPoint], shards: int) -> None:
    packs = into_packs(its_points, shards)

    assert len({pack.group for pack in packs}) == len(packs) <= shards
    for source in {point.key.source for point in its_points}:
        holders = [
            [point for point in pack.points if point.key.source == source]
            for pack in packs
            if any(point.key.source == source for point in pack.points)
        ]
        assert holders == [[point for point in its_points if point.key.source == source]]
