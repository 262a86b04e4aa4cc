"""Limits: how many requests and points a source, a key and an address may send; docs/reference/limits.md."""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

import msgspec

DAY_SECONDS = 86_400

REQUESTS, POINTS, DAY = range(3)
"""Places of the dimensions, wherever there is something for each."""


class Subject(StrEnum):
    """What a limit is for."""

    IP = "ip"
    KEY = "key"
    SOURCE = "source"


class Dimension(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    POINTS = "points"
    POINTS_PER_DAY = "points_per_day"


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


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of each subject of a kind; 0 for no limit, and a burst of 0 for what the rate gives in a second.

    Attributes:
        requests_per_second: steady rate of requests.
        requests_burst: requests that may come at once.
        points_per_second: steady rate of points.
        points_burst: points that may come at once.
        points_per_day: points of a day, which begins at midnight UTC.
    """

    requests_per_second: float = 0
    requests_burst: int = 0
    points_per_second: float = 0
    points_burst: int = 0
    points_per_day: int = 0

    def with_(self, own: KeyLimits | None) -> "Limits":
        """These limits, with those of one key in their place where it has some."""
        if own is None:
            return self
        named = {name: getattr(own, name) for name in own.__struct_fields__}
        return msgspec.structs.replace(self, **{name: value for name, value in named.items() if value is not None})


class RefusedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """How many bad keys of one address each container looks up; 0 for all of them."""

    per_second: float = 0
    burst: int = 0


class StageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a stage, by what they are for."""

    ip: Limits = Limits()
    key: Limits = Limits()
    source: Limits = Limits()
    refused_keys: RefusedKeys = RefusedKeys()


def decode_limits(text: str) -> StageLimits:
    """The limits that a stage writes as JSON.

    Raises:
        ValueError: they are not of the form; says where.
    """
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


class Rule(msgspec.Struct, frozen=True):
    """One limit: a bucket that holds `size` and is filled by `rate` a second; a day's is not filled, but renewed."""

    dimension: Dimension
    rate: float
    size: float


_decoder = msgspec.json.Decoder(StageLimits)


@lru_cache(4_096)
def rules_of(limits: Limits) -> tuple[Rule | None, Rule | None, Rule | None]:
    """The limit of each dimension; None where there is none."""
    return (
        _rate_rule(Dimension.REQUESTS, limits.requests_per_second, limits.requests_burst),
        _rate_rule(Dimension.POINTS, limits.points_per_second, limits.points_burst),
        Rule(Dimension.POINTS_PER_DAY, 0.0, limits.points_per_day) if limits.points_per_day > 0 else None,
    )


def of_each(amounts: Sequence[float]) -> tuple[float, float, float]:
    """Amounts, one for each dimension."""
    requests, points, day = amounts
    return requests, points, day


def _rate_rule(dimension: Dimension, rate: float, burst: int) -> Rule | None:
    return Rule(dimension, rate, float(burst or math.ceil(rate))) if rate > 0 else None
