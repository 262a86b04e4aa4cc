"""The limiter: allows or throttles requests by the limits of all their subjects; docs/reference/limits.md."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from threading import Lock

import msgspec
from cachetools import LRUCache

from afluente.application.errors import BusyError, UnavailableError
from afluente.application.limits.accounts import Account
from afluente.application.limits.decisions import Allowed, Demand, Standing, Throttled
from afluente.application.limits.leases import Leased, Lessee, SharedBucket, Shortage, lease, refilled
from afluente.application.limits.ports import LimitStore
from afluente.application.limits.rules import DAY_SECONDS, rules_by_dimension

ATTEMPTS = 12
"""Attempts of a container to write a lease while other writers are faster."""

PAUSE_SECONDS = 0.06
"""Pause before such an attempt, after which the bucket is loaded again: one that waited is outdated.

Of 100 containers that begin at once all have their lease within a second, with some seven writes each."""

CONTENTION_SECONDS = 1.0
"""Time after which a request is retried whose lease was lost in every attempt."""

RECOVERY_SECONDS = 2.0
"""Time for which a store that did not answer is not called again."""

_CACHED_ACCOUNTS = 10_000


class Limiter:
    """Allows or throttles requests by the limits of all their subjects.

    Args:
        store: of the shared buckets.
        container: a unique name of this container.
        fails_open: True to allow requests uncounted while the store does not answer.
        sleep: waits for about the seconds given, with jitter, so that colliding writers do not collide again.
    """

    def __init__(self, store: LimitStore, *, container: str, fails_open: bool, sleep: Callable[[float], None]) -> None:
        self._store = store
        self._container = container
        self._fails_open = fails_open
        self._sleep = sleep
        self._accounts: LRUCache[str, Account] = LRUCache(_CACHED_ACCOUNTS)
        self._accounts_lock = Lock()
        self._outage: tuple[float, str] = (0.0, "")

    def acquire(self, demands: Sequence[Demand], now: float) -> Allowed | Throttled:
        """Spend the tokens that a request needs of all its subjects or, if one limit is exceeded, of none.

        Args:
            demands: in the order in which limits are checked, each subject once.
            now: in Unix seconds.

        Raises:
            UnavailableError: the store does not answer, and the limits fail shut.
        """
        accounts = [self._account(demand) for demand in demands]
        uncounted: dict[str, str] = {}
        for demand, account in zip(demands, accounts, strict=True):
            try:
                throttled = self._throttled(demand, account, now)
            except UnavailableError as error:
                if not self._fails_open:
                    raise
                uncounted[demand.subject] = str(error)
                continue
            if throttled is not None:
                return msgspec.structs.replace(throttled, standings=_standings(demands, accounts, now, throttled))
        counted = [
            (demand, account)
            for demand, account in zip(demands, accounts, strict=True)
            if demand.subject not in uncounted
        ]
        spent = tuple(account.spend(demand, now) for demand, account in counted)
        cause = next(iter(uncounted.values()), None)
        return Allowed(at=now, standings=_standings(demands, accounts, now), uncounted=cause, spent=spent)

    def acquire_each(
        self,
        requests: Sequence[Sequence[Demand]],
        now: float,
        *,
        run: Callable[..., Iterable[object]] = map,
        is_time_left: Callable[[], bool] = lambda: True,
    ) -> list[Allowed | Throttled]:
        """Decide on several requests, in their order, each by itself.

        Args:
            requests: the demands of each, as for `acquire`.
            now: in Unix seconds.
            run: maps, as an executor does concurrently: the first lease of each subject is acquired with it.
            is_time_left: tells whether more leases may be acquired; a store that is slower does not answer.

        Raises:
            UnavailableError: the store does not answer, and the limits fail shut.
        """
        totals: dict[str, Demand] = {}
        for demand in chain.from_iterable(requests):
            before = totals.get(demand.subject, msgspec.structs.replace(demand, requests=0, points=0))
            totals[demand.subject] = msgspec.structs.replace(
                before, requests=before.requests + demand.requests, points=before.points + demand.points
            )

        def prepare(demand: Demand) -> None:
            if is_time_left():
                self._prepare(demand, now)
            else:
                self._outage = (now + RECOVERY_SECONDS, "the limits of a batch are not counted in time")

        for _ in run(prepare, totals.values()):
            pass
        return [self.acquire(demands, now) for demands in requests]

    def release(self, allowed: Allowed, now: float) -> None:
        """Return the tokens of an allowed request that goes no further."""
        for spent in allowed.spent:
            account = self._accounts.get(spent.subject)
            if account is not None:
                account.release(spent, allowed.at, now)

    def _account(self, demand: Demand) -> Account:
        with self._accounts_lock:
            account = self._accounts.get(demand.subject)
            if account is None:
                account = self._accounts[demand.subject] = Account(demand.subject)
            return account

    def _prepare(self, demand: Demand, now: float) -> None:
        """Lease the total need of several requests, as far as possible; `acquire` decides on each."""
        try:
            self._throttled(demand, self._account(demand), now)
        except UnavailableError:
            return

    def _throttled(self, demand: Demand, account: Account, now: float) -> Throttled | None:
        """The limit that a demand exceeds; None if the account covers it, by a new lease if need be."""
        rules = rules_by_dimension(demand.limits)
        for rule, needed in zip(rules, demand.need, strict=True):
            if rule is not None and needed > rule.size:
                return Throttled(demand=demand, rule=rule, needed=needed, retry_after=None)
        if account.covers(demand, now):
            return None
        shortage = account.known_shortage(demand, now) or self._lease(demand, account, now)
        if shortage is None:
            return None
        rule = rules[shortage.index]
        assert rule is not None  # noqa: S101 - only what is limited can be short
        retry_after = max(1, math.ceil(shortage.seconds))
        return Throttled(
            demand=demand,
            rule=rule,
            needed=demand.need[shortage.index],
            retry_after=retry_after,
            is_contended=shortage.is_contended,
        )

    def _lease(self, demand: Demand, account: Account, now: float) -> Shortage | None:
        """Lease tokens, unless the store did not answer a moment ago."""
        until, cause = self._outage
        if now < until:
            raise UnavailableError(cause)
        try:
            return self._write_lease(demand, account, now)
        except BusyError:
            # The table answers: what it cannot count is not let through.
            return _contended(demand, account, now)
        except UnavailableError as error:
            self._outage = (now + RECOVERY_SECONDS, str(error))
            raise

    def _write_lease(self, demand: Demand, account: Account, now: float) -> Shortage | None:
        account.adapt(demand, now)
        until = now + account.seconds
        # The bucket as this container left it will do for an attempt: the write is conditional on its version.
        is_fresh = account.bucket is None
        bucket = account.bucket or self._store.load(demand.subject)
        for attempt in range(ATTEMPTS):
            leased = self._lease_from(bucket, demand, account, now, until)
            if isinstance(leased, Shortage):
                if not is_fresh:
                    bucket, is_fresh = self._store.load(demand.subject), True
                    continue
                account.note_shortage(leased, bucket, demand, now)
                return leased
            newer = self._store.save(demand.subject, leased.bucket, expires_at=leased.bucket.expires_at(demand.limits))
            if newer is None:
                account.note_lease(leased, now, until)
                return None
            bucket, is_fresh = newer, True
            account.bucket = None
            if 0 < attempt < ATTEMPTS - 1:
                self._sleep(PAUSE_SECONDS)
                bucket = self._store.load(demand.subject)
        return _contended(demand, account, now)

    def _lease_from(
        self, bucket: SharedBucket, demand: Demand, account: Account, now: float, until: float
    ) -> Leased | Shortage:
        lessee = Lessee(self._container, account.unspent(now), account.day)
        credit = account.credit_at(demand.limits, now)
        need = [max(0.0, needed - had) for needed, had in zip(demand.need, credit, strict=True)]
        ready = refilled(bucket, demand.limits, now)
        return lease(ready, demand.limits, lessee, need=need, wanted=account.wanted, until=until)


def _contended(demand: Demand, account: Account, now: float) -> Shortage:
    """The shortage of a demand whose lease cannot be written, since too many write the bucket at once."""
    index = account.uncovered(demand, now)
    assert index is not None  # noqa: S101 - only a demand that the account does not cover needs a lease
    shortage = Shortage(index, CONTENTION_SECONDS, is_contended=True)
    account.note_shortage(shortage, None, demand, now)
    return shortage


def _standings(
    demands: Sequence[Demand], accounts: Sequence[Account], now: float, throttled: Throttled | None = None
) -> tuple[Standing, ...]:
    standings = []
    for demand, account in zip(demands, accounts, strict=True):
        for index, (rule, needed) in enumerate(zip(rules_by_dimension(demand.limits), demand.need, strict=True)):
            if rule is None or not needed:
                continue
            if throttled and throttled.retry_after and throttled.demand is demand and throttled.rule is rule:
                standings.append(Standing(demand.kind, rule, 0, throttled.retry_after))
                continue
            remaining = max(0.0, min(rule.size, account.remaining(index, rule, now)))
            reset = (rule.size - remaining) / rule.rate if rule.rate else DAY_SECONDS - now % DAY_SECONDS
            standings.append(Standing(demand.kind, rule, math.floor(remaining), math.ceil(reset)))
    return tuple(standings)
