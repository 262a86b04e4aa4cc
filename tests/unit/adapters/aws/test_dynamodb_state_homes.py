"""The cache of the buckets in which streams are: bounded by streams, not by sources."""

from afluente.adapters.aws.dynamodb_state_homes import Homes, HomesCache
from afluente.adapters.aws.dynamodb_state_items import Bucket
from afluente.adapters.codecs.stored_streams import StoredStream


def a_bucket(number: int, *streams: str) -> Bucket:
    return Bucket("iot/furnace-1", number, streams={its: StoredStream(its, b"", b"") for its in streams})


def homes_of(count: int) -> Homes:
    return Homes({f"sensor-{number}": number // 8 for number in range(count)}, last=count // 8)


def test_a_stream_of_two_buckets_is_in_the_last_of_them() -> None:
    homes = Homes()

    homes.add([a_bucket(7, "a", "b"), a_bucket(2, "b", "c")])

    assert homes.by_stream == {"a": 7, "b": 7, "c": 2}
    assert homes.last == 7
    assert homes.between(0, 7) == {"c": 2}


def test_sources_that_were_used_long_ago_are_dropped_for_new_ones() -> None:
    cache = HomesCache(size=300)
    for source in ("first", "second"):
        cache.keep(source, homes_of(100))
    assert cache.get("first") is not None

    cache.keep("third", homes_of(100))

    assert cache.get("second") is None
    assert cache.get("first") == cache.get("third") == homes_of(100)


def test_streams_that_a_source_gained_count() -> None:
    cache = HomesCache(size=300)
    grown = homes_of(100)
    cache.keep("grown", grown)
    cache.keep("other", homes_of(100))
    grown.by_stream.update({f"new-{number}": 20 for number in range(150)})

    cache.keep("grown", grown)

    assert cache.get("other") is None
    assert cache.get("grown") == grown


def test_a_source_that_is_larger_than_the_cache_is_not_cached() -> None:
    cache = HomesCache(size=300)
    cache.keep("small", homes_of(10))

    cache.keep("large", homes_of(300))

    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_a_source_can_be_forgotten() -> None:
    cache = HomesCache()
    cache.keep("source", homes_of(10))

    cache.forget("source")
    cache.forget("another")

    assert cache.get("source") is None
