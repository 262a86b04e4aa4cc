"""Token buckets: a rate, a second of burst, and no memory of keys that are at rest."""

from hypothesis import given
from hypothesis import strategies as st

from cli.local_stack.aws_limits.buckets import KeyedBuckets, TokenBucket


def test_a_second_of_units_may_come_at_once_and_no_more() -> None:
    buckets = KeyedBuckets(5)
    assert [buckets.take("shard", 1, 0.0) for _ in range(6)] == [True] * 5 + [False]


def test_units_come_back_at_the_rate() -> None:
    buckets = KeyedBuckets(5)
    assert buckets.take("shard", 5, 0.0)
    assert not buckets.take("shard", 1, 0.19)
    assert buckets.take("shard", 1, 0.2)


def test_keys_do_not_share_their_units() -> None:
    buckets = KeyedBuckets(1)
    assert buckets.take("one", 1, 0.0)
    assert buckets.take("other", 1, 0.0)


def test_an_amount_above_a_second_is_taken_once_the_bucket_is_full_and_paid_for_afterwards() -> None:
    buckets = KeyedBuckets(10)
    assert buckets.take("shard", 30, 0.0)
    assert not buckets.take("shard", 1, 2.0)
    assert buckets.take("shard", 1, 2.1)


def test_buckets_that_are_full_again_are_dropped() -> None:
    buckets = KeyedBuckets(1)
    for key in range(10_000):
        buckets.take(str(key), 1, 0.0)
    buckets.take("another", 1, 1.0)
    assert len(buckets) == 1


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 8)), max_size=50))
def test_what_is_taken_never_exceeds_the_rate_and_one_second_of_burst(steps: list[tuple[float, int]]) -> None:
    bucket, now, taken = TokenBucket(8, 8, 0.0), 0.0, 0
    for wait, amount in steps:
        now += wait
        if bucket.holds(amount, now):
            bucket.charge(amount)
            taken += amount
        assert taken <= 8 * (now + 1) + 1e-6
