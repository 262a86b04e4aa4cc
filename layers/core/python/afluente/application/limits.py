"""Limits: how many requests and points a source, a key and an address may send."""

import msgspec


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of one key, each in place of the stage's limit for keys.

    Attributes:
        requests_per_second: steady rate of requests; None for the stage's, 0 for no limit, as with all of them.
        requests_burst: requests that may come at once.
        points_per_second: steady rate of points.
        points_burst: points that may come at once.
        points_per_day: points of a day, which begins at midnight UTC.
    """

    requests_per_second: float | None = None
    requests_burst: int | None = None
    points_per_second: float | None = None
    points_burst: int | None = None
    points_per_day: int | None = None
