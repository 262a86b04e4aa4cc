"""The limiter: lets requests through within the limits of all their subjects; docs/reference/limits.md."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from threading import Lock

import msgspec
from cachetools import LRUCache

from afluente.application.errors import UnavailableError
from afluente.application.limits.leases import Leased, Lessee, LimitStore, SharedBucket, Short, lease, refilled
from afluente.application.limits.limits import (
    DAY,
    DAY_SECONDS,
    POINTS,
    REQUESTS,
    Limits,
    Rule,
    Subject,
    of_each,
    rules_of,
)

LEASE_SECONDS = 60.0
LONGEST_LEASE_SECONDS = 900.0
"""A lease that is not used up in time is followed by one of twice the time: who sends seldom writes seldom."""

CLOCK_SECONDS = 2.0
"""How far the clocks of two containers may be apart: so much earlier the holder of a lease stops to spend it."""

ATTEMPTS = 5
"""How often a container tries to write a lease that others were faster with."""

RECOVERY_SECONDS = 2.0
"""How long a store that did not answer is left alone."""

_FIRST_APPETITE = (10, 1_000, 10_000)
_RESTS = (0.05, 1.0)
_REMEMBERED = 10_000


class Demand(msgspec.Struct, frozen=True):
    """What one request asks of a subject.

    Attributes:
        kind, name: the subject.
        limits: of it.
        requests, points: how many.
    """

    kind: Subject
    name: str
    limits: Limits
    requests: int = 0
    points: int = 0

    @property
    def subject(self) -> str:
        """By which its bucket is found."""
        return f"{self.kind}:{self.name}"

    @property
    def need(self) -> tuple[int, int, int]:
        """By dimension."""
        return self.requests, self.points, self.points


class Standing(msgspec.Struct, frozen=True):
    """How a limit of a request stands after it.

    Attributes:
        kind: what it is for.
        rule: the limit.
        remaining: what may be left; other containers may know better.
        reset: seconds until it is whole again.
    """

    kind: Subject
    rule: Rule
    remaining: int
    reset: int


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that a request goes beyond; nothing was taken for it.

    Attributes:
        demand: what was asked.
        rule: the limit.
        needed: by the request.
        retry_after: seconds until it would go through; None where it never does.
        standings: how the limits of the request stand.
    """

    demand: Demand
    rule: Rule
    needed: int
    retry_after: int | None
    standings: tuple[Standing, ...] = ()


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What a request took.

    Attributes:
        at: when, in Unix seconds.
        standings: how its limits stand.
        uncounted: why it was let through without being counted; None where it was counted.
    """

    at: float
    standings: tuple[Standing, ...] = ()
    uncounted: str | None = None
    spent: tuple["_Spent", ...] = ()


class _Spent(msgspec.Struct, frozen=True):
    subject: str
    rules: tuple[Rule | None, ...]
    lease: int
    day: int
    held: tuple[float, float, float]
    credit: tuple[float, float, float]


class Limiter:
    """Lets requests through within the limits of all their subjects, or refuses them.

    Args:
        store: where the shared buckets are.
        container: a name that no other container has.
        fails_open: whether requests go through, uncounted, while the store does not answer.
        sleep: waits, some time around the seconds given, so that those who failed together do not try together again.
    """

    def __init__(self, store: LimitStore, *, container: str, fails_open: bool, sleep: Callable[[float], None]) -> None:
        self._store = store
        self._container = container
        self._fails_open = fails_open
        self._sleep = sleep
        self._accounts: LRUCache[str, _Account] = LRUCache(_REMEMBERED)
        self._finding = Lock()
        self._away: tuple[float, str] = (0.0, "")

    def take(self, demands: Sequence[Demand], now: float) -> Allowed | Throttled:
        """Take what a request asks of each of its subjects: of all of them or, where a limit is over, of none.

        Args:
            demands: in the order in which limits are looked at, each subject once.
            now: in Unix seconds.

        Raises:
            UnavailableError: the store does not answer, and the limits fail shut.
        """
        accounts = [self._account(demand) for demand in demands]
        uncounted: dict[str, str] = {}
        for demand, account in zip(demands, accounts, strict=True):
            try:
                over = self._short_of(demand, account, now)
            except UnavailableError as error:
                if not self._fails_open:
                    raise
                uncounted[demand.subject] = str(error)
                continue
            if over is not None:
                return msgspec.structs.replace(over, standings=_standings(demands, accounts, now, over))
        counted = [
            (demand, account)
            for demand, account in zip(demands, accounts, strict=True)
            if demand.subject not in uncounted
        ]
        spent = tuple(account.spend(demand, now) for demand, account in counted)
        cause = next(iter(uncounted.values()), None)
        return Allowed(at=now, standings=_standings(demands, accounts, now), uncounted=cause, spent=spent)

    def take_each(
        self, requests: Sequence[Sequence[Demand]], now: float, *, run: Callable[..., Iterable[object]] = map
    ) -> list[Allowed | Throttled]:
        """Take what each of several requests asks of its subjects, in their order; one that is over leaves the others.

        Args:
            requests: what each asks, as for `take`.
            now: in Unix seconds.
            run: maps, as an executor does side by side: the first lease of each subject is had so.

        Raises:
            UnavailableError: the store does not answer, and the limits fail shut.
        """
        together: dict[str, Demand] = {}
        for demand in chain.from_iterable(requests):
            before = together.get(demand.subject, msgspec.structs.replace(demand, requests=0, points=0))
            together[demand.subject] = msgspec.structs.replace(
                before, requests=before.requests + demand.requests, points=before.points + demand.points
            )
        for _ in run(lambda demand: self._prepare(demand, now), together.values()):
            pass
        return [self.take(demands, now) for demands in requests]

    def give_back(self, taken: Allowed, now: float) -> None:
        """Put back what a request took that went no further."""
        for spent in taken.spent:
            account = self._accounts.get(spent.subject)
            if account is not None:
                account.restore(spent, taken.at, now)

    def _account(self, demand: Demand) -> "_Account":
        with self._finding:
            account = self._accounts.get(demand.subject)
            if account is None:
                account = self._accounts[demand.subject] = _Account(demand.subject)
            return account

    def _prepare(self, demand: Demand, now: float) -> None:
        """Have what several requests need of a subject, where it is to be had; each is refused by itself."""
        try:
            self._short_of(demand, self._account(demand), now)
        except UnavailableError:
            return

    def _short_of(self, demand: Demand, account: "_Account", now: float) -> Throttled | None:
        rules = rules_of(demand.limits)
        for rule, needed in zip(rules, demand.need, strict=True):
            if rule is not None and needed > rule.size:
                return Throttled(demand=demand, rule=rule, needed=needed, retry_after=None)
        lacking = account.lacking(demand, now)
        if not lacking:
            return None
        short = account.known_shortage(demand, now)
        if short is None:
            short = self._lease(demand, account, now)
        if short is None:
            return None
        rule = rules[short.index]
        assert rule is not None  # noqa: S101 - only what is limited can be short
        return Throttled(
            demand=demand, rule=rule, needed=demand.need[short.index], retry_after=max(1, math.ceil(short.seconds))
        )

    def _lease(self, demand: Demand, account: "_Account", now: float) -> Short | None:
        until, cause = self._away
        if now < until:
            raise UnavailableError(cause)
        try:
            return self._leased(demand, account, now)
        except _ContendedError:
            raise
        except UnavailableError as error:
            self._away = (now + RECOVERY_SECONDS, str(error))
            raise

    def _leased(self, demand: Demand, account: "_Account", now: float) -> Short | None:
        account.adapt(demand, now)
        until = now + account.seconds
        # What it left there last is good enough to try with: whether it still is so is a condition of the write.
        is_fresh = account.bucket is None
        bucket = account.bucket or self._store.load(demand.subject)
        for attempt in range(ATTEMPTS):
            outcome = self._outcome(bucket, demand, account, now, until)
            if isinstance(outcome, Short):
                if not is_fresh:
                    bucket, is_fresh = self._store.load(demand.subject), True
                    continue
                account.refused(outcome, bucket, demand, now)
                return outcome
            forgotten_at = outcome.bucket.forgotten_at(demand.limits)
            newer = self._store.save(demand.subject, outcome.bucket, forgotten_at=forgotten_at)
            if newer is None:
                account.leased(outcome, now, until)
                return None
            bucket, is_fresh = newer, True
            account.bucket = None
            if 0 < attempt < ATTEMPTS - 1:
                self._sleep(0.005 * 2**attempt)
        raise _ContendedError(f"the limits of {demand.subject} are written by too many at once")

    def _outcome(
        self, bucket: SharedBucket, demand: Demand, account: "_Account", now: float, until: float
    ) -> Leased | Short:
        lessee = Lessee(self._container, account.returned(now), account.day)
        credit = account.credit_at(demand.limits, now)
        need = [max(0.0, needed - had) for needed, had in zip(demand.need, credit, strict=True)]
        ready = refilled(bucket, demand.limits, now)
        return lease(ready, demand.limits, lessee, need=need, wanted=account.appetite, until=until)


class _ContendedError(UnavailableError):
    """Others were faster, again and again."""


class _Account:
    """What a container has of a subject.

    Tokens are of two kinds. Those that are held are known to the others: their bucket is not filled in their place.
    Credit was leased for a request that was refused after all: the bucket has begun to be filled in its place, so it
    melts by as much.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.bucket: SharedBucket | None = None
        self.appetite: list[float] = list(_FIRST_APPETITE)
        self.seconds = LEASE_SECONDS
        self.day = 0
        self._lease = 0
        self._until = 0.0
        self._granted = [0.0, 0.0, 0.0]
        self._held = [0.0, 0.0, 0.0]
        self._credit = [0.0, 0.0, 0.0]
        self._credit_at = 0.0
        self._shortages: dict[int, tuple[float, float, float]] = {}
        self._seen: tuple[SharedBucket, float] | None = None

    def lacking(self, demand: Demand, now: float) -> bool:
        """Whether what it has is less than a request needs."""
        held, credit = self._usable(now), self.credit_at(demand.limits, now)
        return any(
            rule is not None and needed > had + more
            for rule, needed, had, more in zip(rules_of(demand.limits), demand.need, held, credit, strict=True)
        )

    def known_shortage(self, demand: Demand, now: float) -> Short | None:
        """What was found a moment ago: it holds for all that need as much."""
        for index, (needed, until, ready) in self._shortages.items():
            if now < until and demand.need[index] >= needed:
                return Short(index, ready - now)
        return None

    def refused(self, short: Short, bucket: SharedBucket, demand: Demand, now: float) -> None:
        """Keep that a lease could not be had."""
        shortest, longest = _RESTS
        rest = min(max(short.seconds, shortest), longest)
        self._shortages[short.index] = (demand.need[short.index], now + rest, now + short.seconds)
        self._seen = (bucket, now)

    def leased(self, leased: Leased, now: float, until: float) -> None:
        """Keep a lease."""
        bucket = leased.bucket
        self.bucket, self._seen = bucket, (bucket, now)
        self._lease += 1
        self._until = until - CLOCK_SECONDS
        self.day = bucket.day
        self._shortages.clear()
        self._held = [*leased.held[:DAY], leased.held[DAY] + leased.fresh[DAY]]
        self._granted = list(self._held)
        for index in (REQUESTS, POINTS):
            self._credit[index] += leased.fresh[index]

    def adapt(self, demand: Demand, now: float) -> None:
        """Lease more next time where it was too little, and less where it was too much."""
        if not self._lease:
            return
        if now >= self._until:
            self.seconds = min(2 * self.seconds, LONGEST_LEASE_SECONDS)
            for index in (REQUESTS, POINTS):
                self.appetite[index] = max(1.0, 2 * (self._granted[index] - self._held[index]))
            return
        usable = self._usable(now)
        for index, needed in enumerate(demand.need):
            if needed > usable[index]:
                self.appetite[index] = min(2 * max(self.appetite[index], needed), 1e12)

    def returned(self, now: float) -> tuple[float, float, float]:
        """What is given back with the next lease."""
        return of_each(self._usable(now))

    def credit_at(self, limits: Limits, now: float) -> list[float]:
        """What is left of the credit, by dimension."""
        if now > self._credit_at:
            for index, rule in enumerate(rules_of(limits)):
                gone = rule.rate * (now - self._credit_at) if rule else math.inf
                self._credit[index] = max(0.0, self._credit[index] - gone)
            self._credit_at = now
        return self._credit

    def spend(self, demand: Demand, now: float) -> _Spent:
        """Spend what a request needs: the credit first, for it melts."""
        held, credit = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        for index, (rule, needed) in enumerate(zip(rules_of(demand.limits), demand.need, strict=True)):
            if rule is None:
                continue
            credit[index] = min(self._credit[index], needed)
            held[index] = needed - credit[index]
            self._credit[index] -= credit[index]
            self._held[index] -= held[index]
        rules = rules_of(demand.limits)
        return _Spent(self.subject, rules, self._lease, int(now // DAY_SECONDS), of_each(held), of_each(credit))

    def restore(self, spent: _Spent, at: float, now: float) -> None:
        """Put back what was spent: to what is held, or as credit where others know of it no longer."""
        is_held = spent.lease == self._lease
        for index, rule in enumerate(spent.rules):
            if rule is None:
                continue
            if index == DAY:
                self._held[index] += spent.held[index] if spent.day == self.day else 0.0
                continue
            melting = spent.credit[index] + (0.0 if is_held else spent.held[index])
            self._credit[index] += max(0.0, melting - rule.rate * max(0.0, now - at))
            self._held[index] += spent.held[index] if is_held else 0.0

    def remaining(self, index: int, rule: Rule, now: float) -> float:
        """What may be left of a limit."""
        own = self._usable(now)[index] + self._credit[index]
        if self._seen is None:
            return rule.size
        bucket, at = self._seen
        if index == DAY:
            is_today = bucket.day == int(now // DAY_SECONDS)
            return own + rule.size - (bucket.day_points if is_today else 0.0)
        free = bucket.requests if index == REQUESTS else bucket.points
        return own + (rule.size if free is None else free + rule.rate * max(0.0, now - at))

    def _usable(self, now: float) -> list[float]:
        held = self._held
        requests, points = (held[REQUESTS], held[POINTS]) if now < self._until else (0.0, 0.0)
        return [requests, points, held[DAY] if self.day == int(now // DAY_SECONDS) else 0.0]


def _standings(
    demands: Sequence[Demand], accounts: Sequence[_Account], now: float, over: Throttled | None = None
) -> tuple[Standing, ...]:
    told = []
    for demand, account in zip(demands, accounts, strict=True):
        for index, (rule, needed) in enumerate(zip(rules_of(demand.limits), demand.need, strict=True)):
            if rule is None or not needed:
                continue
            if over is not None and over.demand is demand and over.rule is rule and over.retry_after is not None:
                told.append(Standing(demand.kind, rule, 0, over.retry_after))
                continue
            remaining = max(0.0, min(rule.size, account.remaining(index, rule, now)))
            reset = (rule.size - remaining) / rule.rate if rule.rate else DAY_SECONDS - now % DAY_SECONDS
            told.append(Standing(demand.kind, rule, math.floor(remaining), math.ceil(reset)))
    return tuple(told)
