"""Rules: the limits of a subject by dimension, each as the size and the rate of a token bucket."""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

import msgspec

from afluente.application.limits.stage_limits import CsvLimits, Limits

DAY_SECONDS = 86_400

REQUESTS, POINTS, DAY = range(3)
"""Indices of the dimensions, in every tuple by dimension."""


class Subject(StrEnum):
    """The kind of sender that a limit is for."""

    IP = "ip"
    KEY = "key"
    SOURCE = "source"
    CSV = "csv"
    """A key, for the bytes of its CSV files."""


class Dimension(StrEnum):
    """The unit that a limit counts."""

    REQUESTS = "requests"
    POINTS = "points"
    POINTS_PER_DAY = "points_per_day"
    BYTES_PER_DAY = "bytes_per_day"


class Rule(msgspec.Struct, frozen=True):
    """One limit: a bucket of `size` tokens, refilled by `rate` a second; that of a day is renewed at midnight UTC."""

    dimension: Dimension
    rate: float
    size: float


@lru_cache(4_096)
def rules_by_dimension(limits: Limits | CsvLimits) -> tuple[Rule | None, Rule | None, Rule | None]:
    """The rule of each dimension; None without a limit."""
    if isinstance(limits, CsvLimits):
        return None, None, Rule(Dimension.BYTES_PER_DAY, 0.0, limits.bytes_per_day) if limits.bytes_per_day else None
    return (
        _rate_rule(Dimension.REQUESTS, limits.requests_per_second, limits.requests_burst),
        _rate_rule(Dimension.POINTS, limits.points_per_second, limits.points_burst),
        Rule(Dimension.POINTS_PER_DAY, 0.0, limits.points_per_day) if limits.points_per_day > 0 else None,
    )


def by_dimension(amounts: Sequence[float]) -> tuple[float, float, float]:
    """Amounts of the three dimensions as a tuple."""
    requests, points, day = amounts
    return requests, points, day


def _rate_rule(dimension: Dimension, rate: float, burst: int) -> Rule | None:
    return Rule(dimension, rate, float(burst or math.ceil(rate))) if rate > 0 else None
