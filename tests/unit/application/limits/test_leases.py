"""Leases: shared buckets over time."""

from afluente.application.limits.leases import Hold, SharedBucket, refilled
from afluente.application.limits.rules import DAY_SECONDS
from afluente.application.limits.stage_limits import Limits

NOW = 20_000 * DAY_SECONDS + 3_600.0
TEN_A_SECOND = Limits(requests_per_second=10, requests_burst=100)


def test_a_clock_that_lags_refills_nothing_twice() -> None:
    bucket = SharedBucket(version=3, at=NOW, requests=0.0, day=20_000)

    assert refilled(bucket, TEN_A_SECOND, NOW - 30) == bucket


def test_a_bucket_expires_once_it_equals_a_new_one() -> None:
    bucket = SharedBucket(version=1, at=NOW, requests=0.0, day=20_000)
    held = SharedBucket(version=1, at=NOW, requests=0.0, day=20_000, holds={"one": Hold(5, 0, NOW + 60)})
    of_the_day = SharedBucket(version=1, at=NOW, day=20_000, day_points=5)

    assert bucket.expires_at(TEN_A_SECOND) == NOW + 10
    assert held.expires_at(TEN_A_SECOND) == NOW + 70
    assert of_the_day.expires_at(Limits(points_per_day=9)) == 20_001 * DAY_SECONDS
