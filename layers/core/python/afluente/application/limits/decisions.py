"""Demands on limits, and the decisions on them: allowed or throttled."""

import msgspec

from afluente.application.limits.rules import Rule, Subject
from afluente.application.limits.stage_limits import CsvLimits, Limits


class Batch(msgspec.Struct, frozen=True):
    """A number of points of one source (`domain/source_id`)."""

    source: str
    points: int


class Demand(msgspec.Struct, frozen=True):
    """The demand of one request on one subject.

    Attributes:
        kind, name: the subject.
        limits: of the subject.
        requests, points: numbers of them; of a CSV file its bytes in place of points.
    """

    kind: Subject
    name: str
    limits: Limits | CsvLimits
    requests: int = 0
    points: int = 0

    @property
    def subject(self) -> str:
        """The name of its bucket."""
        return f"{self.kind}:{self.name}"

    @property
    def need(self) -> tuple[int, int, int]:
        """Tokens by dimension."""
        return self.requests, self.points, self.points


class Standing(msgspec.Struct, frozen=True):
    """The state of a limit after a request.

    Attributes:
        kind: the kind of its subject.
        rule: the limit.
        remaining: an upper bound of the tokens left; other containers may have spent some.
        reset: seconds until the bucket is full.
    """

    kind: Subject
    rule: Rule
    remaining: int
    reset: int


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """A request that exceeds a limit, or cannot be counted in time; it has spent nothing.

    Attributes:
        demand: the demand that exceeds it.
        rule: the limit.
        is_contended: True if the limit is counted by too many at once; the request may be within it.
        needed: tokens that the request needs.
        retry_after: seconds until it would be allowed; None if it never would.
        standings: of all limits of the request.
    """

    demand: Demand
    rule: Rule
    needed: int
    retry_after: int | None
    is_contended: bool = False
    standings: tuple[Standing, ...] = ()


class Spent(msgspec.Struct, frozen=True):
    """Tokens that a request has spent of one subject, so that they can be released.

    Attributes:
        subject: the name of its bucket.
        rules: of the subject, by dimension.
        lease: number of the container's lease at that time.
        day: days since 1970.
        held, credit: tokens by dimension, of either kind (see `Account`).
    """

    subject: str
    rules: tuple[Rule | None, ...]
    lease: int
    day: int
    held: tuple[float, float, float]
    credit: tuple[float, float, float]


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """A request within its limits.

    Attributes:
        at: time of the request, in Unix seconds.
        standings: of its limits.
        uncounted: the reason for which it was allowed without being counted; None if it was counted.
        spent: tokens that it has spent.
    """

    at: float
    standings: tuple[Standing, ...] = ()
    uncounted: str | None = None
    spent: tuple[Spent, ...] = ()
