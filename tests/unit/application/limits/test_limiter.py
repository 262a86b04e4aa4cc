"""The limiter: requests that are allowed or throttled, over all containers that share the limits."""

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier
from time import sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.errors import BusyError, UnavailableError
from afluente.application.limits.accounts import LEASE_SECONDS, LONGEST_LEASE_SECONDS
from afluente.application.limits.decisions import (
    Allowed,
    Demand,
    Standing,
    Throttled,
)
from afluente.application.limits.leases import SharedBucket, refilled
from afluente.application.limits.limiter import ATTEMPTS, CONTENTION_SECONDS, RECOVERY_SECONDS, Limiter
from afluente.application.limits.rules import (
    DAY_SECONDS,
    Dimension,
    Subject,
    rules_by_dimension,
)
from afluente.application.limits.stage_limits import (
    Limits,
)

NOW = 20_000 * DAY_SECONDS + 3_600.0
TEN_A_SECOND = Limits(requests_per_second=10, requests_burst=100)
TWO_LIMITS = Limits(requests_per_second=10, points_per_second=10)


def limiter(
    store: MemoryLimits | None = None,
    *,
    container: str = "one",
    fails_open: bool = True,
    sleep: Callable[[float], None] = lambda _: None,
) -> Limiter:
    return Limiter(MemoryLimits() if store is None else store, container=container, fails_open=fails_open, sleep=sleep)


def demand(limits: Limits = TEN_A_SECOND, *, requests: int = 1, points: int = 0, kind: Subject = Subject.KEY) -> Demand:
    return Demand(kind, "abc", limits, requests, points)


def count_allowed(limiter: Limiter, demands: Iterable[Demand], now: float) -> int:
    """The number of the demands that are allowed."""
    return sum(isinstance(limiter.acquire([one], now), Allowed) for one in demands)


def assert_throttled(answer: Allowed | Throttled) -> Throttled:
    assert isinstance(answer, Throttled)
    return answer


def assert_allowed(answer: Allowed | Throttled) -> Allowed:
    assert isinstance(answer, Allowed)
    return answer


# --- one container ---------------------------------------------------------------------------------------------------


def test_a_burst_is_allowed_and_no_request_more() -> None:
    assert count_allowed(limiter(), [demand()] * 150, NOW) == 100


def test_after_a_burst_requests_are_allowed_at_the_rate() -> None:
    one = limiter()
    count_allowed(one, [demand()] * 150, NOW)

    assert sum(count_allowed(one, [demand()] * 9, NOW + half / 2) for half in range(1, 41)) == 200
    assert count_allowed(one, [demand()] * 60, NOW + 23) == 30


def test_a_throttled_request_names_its_limit_and_the_time_to_retry() -> None:
    one = limiter()
    limits = Limits(points_per_second=100, points_burst=1_000)
    assert isinstance(one.acquire([demand(limits, points=900)], NOW), Allowed)

    throttled = assert_throttled(one.acquire([demand(limits, points=600)], NOW))

    assert (throttled.demand.kind, throttled.rule.dimension, throttled.needed) == (Subject.KEY, Dimension.POINTS, 600)
    assert throttled.retry_after == 5
    assert isinstance(one.acquire([demand(limits, points=600)], NOW + 5), Allowed)


def test_a_request_larger_than_the_burst_is_never_allowed_and_costs_no_call() -> None:
    store = MemoryLimits()
    limits = Limits(points_per_second=100, points_burst=1_000)

    throttled = assert_throttled(limiter(store).acquire([demand(limits, points=1_001)], NOW))

    assert throttled.retry_after is None
    assert (store.loads, store.saves) == (0, 0)


def test_points_of_a_day_are_full_again_at_midnight_utc() -> None:
    one = limiter()
    limits = Limits(points_per_day=1_000)
    assert count_allowed(one, [demand(limits, points=100)] * 12, NOW) == 10

    throttled = assert_throttled(one.acquire([demand(limits, points=100)], NOW + 60))

    midnight = 20_001 * DAY_SECONDS
    assert throttled.rule.dimension is Dimension.POINTS_PER_DAY
    assert throttled.retry_after == pytest.approx(midnight - NOW - 60)
    assert count_allowed(one, [demand(limits, points=100)] * 12, midnight) == 10


def test_a_subject_without_limits_is_never_throttled_and_costs_no_call() -> None:
    store = MemoryLimits()

    assert count_allowed(limiter(store), [demand(Limits(), points=10**9)] * 1_000, NOW) == 1_000

    assert (store.loads, store.saves) == (0, 0)


def test_a_rate_without_a_burst_allows_the_rate_of_a_second_at_once() -> None:
    assert count_allowed(limiter(), [demand(Limits(requests_per_second=2.5))] * 10, NOW) == 3


# --- several limits --------------------------------------------------------------------------------------------------


def test_the_first_exceeded_limit_is_named_and_no_other_is_spent() -> None:
    store = MemoryLimits()
    one = limiter(store)
    by_address = Demand(Subject.IP, "192.0.2.1", Limits(requests_per_second=1, requests_burst=5), 1)
    by_key = Demand(Subject.KEY, "abc", Limits(requests_per_second=1, requests_burst=2), 1)
    assert [isinstance(one.acquire([by_address, by_key], NOW), Allowed) for _ in range(2)] == [True, True]

    answers = [assert_throttled(one.acquire([by_address, by_key], NOW)) for _ in range(10)]

    assert {answer.demand.kind for answer in answers} == {Subject.KEY}
    assert count_allowed(one, [by_address] * 10, NOW) == 3
    assert assert_throttled(one.acquire([by_address, by_key], NOW)).demand.kind is Subject.IP


def test_released_tokens_can_be_acquired_again() -> None:
    one = limiter()
    first = [assert_allowed(one.acquire([demand()], NOW)) for _ in range(100)]

    for each in first[-30:]:
        one.release(each, NOW)

    assert count_allowed(one, [demand()] * 100, NOW) == 30


def test_tokens_released_later_are_less_those_refilled_in_their_place() -> None:
    one = limiter()
    first = [assert_allowed(one.acquire([demand()], NOW)) for _ in range(100)]

    for each in first:
        one.release(each, NOW + 4)

    # 40 were refilled meanwhile; each token released is worth at most the part that was not refilled in its place.
    assert 40 <= count_allowed(one, [demand()] * 300, NOW + 4) <= 100


def test_released_points_of_a_day_can_be_acquired_again_on_that_day() -> None:
    one = limiter()
    limits = Limits(points_per_day=1_000)
    first = assert_allowed(one.acquire([demand(limits, points=1_000)], NOW))
    one.release(first, NOW + 7_200)
    assert count_allowed(one, [demand(limits, points=1_000)] * 2, NOW + 7_200) == 1

    tomorrow = 20_001 * DAY_SECONDS
    assert count_allowed(one, [demand(limits, points=600)], tomorrow) == 1
    one.release(first, tomorrow)
    assert count_allowed(one, [demand(limits, points=600)], tomorrow) == 0


def test_a_release_of_a_subject_that_was_evicted_changes_nothing() -> None:
    first = assert_allowed(limiter().acquire([demand()], NOW))

    limiter().release(first, NOW)


def test_standings_have_the_remaining_tokens_and_the_time_until_all_are_back() -> None:
    one = limiter()
    limits = Limits(requests_per_second=10, requests_burst=100, points_per_day=1_000)

    after = assert_allowed(one.acquire([demand(limits, requests=40, points=250)], NOW))

    of_requests, of_day = after.standings
    rules = rules_by_dimension(limits)
    assert of_requests == Standing(Subject.KEY, rules[0], 60, 4)  # type: ignore[arg-type] # it has one
    assert (of_day.remaining, of_day.reset) == (750, DAY_SECONDS - 3_600)


def test_standings_of_a_throttled_request_have_nothing_left_of_the_exceeded_limit() -> None:
    one = limiter()
    count_allowed(one, [demand()] * 100, NOW)

    throttled = assert_throttled(one.acquire([demand(requests=20)], NOW))

    assert [(standing.remaining, standing.reset) for standing in throttled.standings] == [(0, 2)]


def test_standings_of_a_request_that_is_too_large_have_all_tokens() -> None:
    throttled = assert_throttled(limiter().acquire([demand(requests=101)], NOW))

    assert [standing.remaining for standing in throttled.standings] == [100]


def test_a_day_begins_with_all_its_tokens() -> None:
    one = limiter()
    limits = Limits(points_per_day=1_000)
    count_allowed(one, [demand(limits, points=900)], NOW)

    throttled = assert_throttled(one.acquire([demand(limits, points=1_001)], NOW + DAY_SECONDS))

    assert throttled.standings[0].remaining == 1_000


# --- few writes ------------------------------------------------------------------------------------------------------


def test_a_steady_sender_causes_few_writes() -> None:
    store = MemoryLimits()
    one = limiter(store)
    limits = Limits(requests_per_second=200, requests_burst=1_000)

    assert count_allowed_over_time(one, limits, per_second=50, seconds=120) == 6_000

    assert store.saves < 6_000 / 50


def test_a_sender_of_a_message_a_minute_causes_less_than_a_write_each() -> None:
    store = MemoryLimits()
    one = limiter(store)

    for minute in range(24 * 60):
        assert isinstance(one.acquire([demand()], NOW + 60 * minute), Allowed)

    assert store.saves < 24 * 60 / 4


def test_a_throttled_sender_causes_a_read_a_second_and_no_write() -> None:
    store = MemoryLimits()
    one = limiter(store)
    limits = Limits(points_per_second=1, points_burst=1_000)
    count_allowed(one, [demand(limits, points=1_000)], NOW)
    before = store.loads, store.saves

    assert count_allowed(one, [demand(limits, points=1_000)] * 5_000, NOW + 1) == 0

    assert (store.loads - before[0], store.saves - before[1]) == (1, 0)


def test_a_small_request_is_allowed_while_a_large_one_is_throttled() -> None:
    one = limiter()
    count_allowed(one, [demand()] * 90, NOW)

    assert count_allowed(one, [demand(requests=50)], NOW) == 0
    assert count_allowed(one, [demand(requests=5)], NOW) == 1


def count_allowed_over_time(one: Limiter, limits: Limits, *, per_second: int, seconds: int) -> int:
    moments = (NOW + n / per_second for n in range(per_second * seconds))
    return sum(count_allowed(one, [demand(limits)], moment) for moment in moments)


# --- several containers ----------------------------------------------------------------------------------------------


def test_idle_containers_leave_nearly_all_to_the_others() -> None:
    store = MemoryLimits()
    limits = Limits(requests_per_second=10, requests_burst=1_000)
    for n in range(20):
        count_allowed(limiter(store, container=f"idle-{n}"), [demand(limits)], NOW)

    assert count_allowed(limiter(store, container="busy"), [demand(limits)] * 1_000, NOW) >= 700


def test_many_containers_with_a_small_burst_do_not_shut_each_other_out() -> None:
    store = MemoryLimits()
    limits = Limits(requests_per_second=5, requests_burst=10)
    for n in range(10):
        count_allowed(limiter(store, container=f"one-{n}"), [demand(limits)], NOW)

    assert count_allowed(limiter(store, container="another"), [demand(limits)] * 20, NOW + 1) == 5


def test_the_lease_of_a_container_that_ended_returns_in_time() -> None:
    store = MemoryLimits()
    limits = Limits(requests_per_second=1_000, requests_burst=1_000)
    count_allowed(limiter(store, container="ended"), [demand(limits)], NOW)
    held = sum(hold.requests for hold in store.buckets["key:abc"].holds.values())
    assert held > 0

    later = refilled(store.buckets["key:abc"], limits, NOW + LEASE_SECONDS)
    after = refilled(store.buckets["key:abc"], limits, NOW + LEASE_SECONDS + 1)

    assert (later.requests, after.requests) == (1_000 - held, 1_000)


def test_a_day_loses_little_to_containers_that_end() -> None:
    store = MemoryLimits()
    limits = Limits(points_per_day=1_000_000)
    for n in range(20):
        count_allowed(limiter(store, container=f"ended-{n}"), [demand(limits, points=100)], NOW)

    assert store.buckets["key:abc"].day_points <= 20 * (100 + 10_000)


def test_lowered_limits_apply_at_once_and_new_ones_begin_full() -> None:
    store = MemoryLimits()
    count_allowed(
        limiter(store, container="before"), [demand(Limits(requests_per_second=10, requests_burst=1_000))], NOW
    )
    lowered = Limits(requests_per_second=10, requests_burst=200, points_per_second=1, points_burst=50)

    assert count_allowed(limiter(store, container="after"), [demand(lowered)] * 500, NOW) <= 200
    assert count_allowed(limiter(store, container="other"), [demand(lowered, requests=0, points=45)], NOW) == 1


def test_a_lowered_limit_of_a_day_that_is_used_up_throttles_points_and_no_requests() -> None:
    store = MemoryLimits()
    count_allowed(limiter(store), [demand(Limits(points_per_day=1_000), points=900)], NOW)
    lowered = Limits(requests_per_second=10, points_per_day=500)

    assert count_allowed(limiter(store, container="after"), [demand(lowered, points=1)], NOW) == 0
    assert count_allowed(limiter(store, container="after"), [demand(lowered)], NOW) == 1


@dataclass
class Crowd:
    """Containers in simulated time, which begin and end at any moment."""

    limits: Limits
    store: MemoryLimits = field(default_factory=MemoryLimits)
    admitted: list[tuple[float, int, int]] = field(default_factory=list)
    now: float = NOW
    containers: dict[int, Limiter] = field(default_factory=dict)
    begun: int = 0
    under_way: list[tuple[Limiter, Allowed]] = field(default_factory=list)

    def drain(self, place: int, points: int) -> None:
        """Send small requests until one is throttled."""
        while self.send(place, 1, points, goes_on=True):
            pass

    def send(self, place: int, requests: int, points: int, *, goes_on: bool) -> bool:
        if place not in self.containers:
            self.begun += 1
            self.containers[place] = limiter(self.store, container=f"container-{self.begun}")
        answer = self.containers[place].acquire([demand(self.limits, requests=requests, points=points)], self.now)
        if isinstance(answer, Throttled):
            return False
        if goes_on:
            self.admitted.append((self.now, requests, points))
        else:
            self.under_way.append((self.containers[place], answer))
        return True

    def pass_(self, seconds: float) -> None:
        """Let time pass, then release the requests that went no further."""
        self.now += seconds
        for container, answer in self.under_way:
            container.release(answer, self.now)
        self.under_way.clear()

    def end(self, place: int) -> None:
        self.containers.pop(place, None)


def assert_within(moments: list[tuple[float, int]], rate: float, burst: float) -> None:
    """Check that no window has more than burst + rate * w: a bucket that begins full never falls below zero."""
    left, before = burst, 0.0
    for moment, amount in moments:
        left, before = min(burst, left + rate * (moment - before)) - amount, moment
        assert left >= -1e-3


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.01, 0.3, 7.0, 30.0, 57.9, 58.5, 60.0, 61.0, 400.0]),
        st.integers(0, 5),
        st.integers(1, 4) | st.integers(1, 30),
        st.integers(0, 20) | st.integers(0, 400),
        st.sampled_from(["send", "send", "send", "send", "drain", "drain", "release later", "end"]),
    ),
    min_size=20,
    max_size=200,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, rate=st.sampled_from([0.5, 3.0, 40.0]), burst=st.sampled_from([30, 100, 300]))
def test_no_window_has_more_than_burst_and_rate_over_all_containers(
    steps: list[tuple[float, int, int, int, str]], rate: float, burst: int
) -> None:
    points_rate, points_burst, a_day = 10 * rate, 10 * burst, 60 * burst
    limits = Limits(
        requests_per_second=rate,
        requests_burst=burst,
        points_per_second=points_rate,
        points_burst=points_burst,
        points_per_day=a_day,
    )
    crowd = Crowd(limits)
    for passing, place, requests, points, what in steps:
        crowd.pass_(passing)
        if what == "end":
            crowd.end(place)
        elif what == "drain":
            crowd.drain(place, points % 20 + 1)
        else:
            crowd.send(place, requests, points, goes_on=what == "send")

    assert_within([(at, requests) for at, requests, _ in crowd.admitted], rate, burst)
    assert_within([(at, points) for at, _, points in crowd.admitted], points_rate, points_burst)
    days: dict[int, int] = {}
    for at, _, points in crowd.admitted:
        days[math.floor(at / DAY_SECONDS)] = days.get(math.floor(at / DAY_SECONDS), 0) + points
    assert all(total <= a_day for total in days.values())


@settings(max_examples=20, deadline=None)
@given(places=st.lists(st.integers(0, 9), min_size=400, max_size=400))
def test_nearly_all_of_the_rate_is_allowed_over_all_containers(places: list[int]) -> None:
    limits = Limits(requests_per_second=10, requests_burst=20)
    crowd = Crowd(limits)
    for place in places:
        crowd.now += 0.05
        crowd.send(place, 1, 0, goes_on=True)

    assert len(crowd.admitted) >= 0.8 * (20 + 10 * 20)


# --- a store that does not answer, or is contended -------------------------------------------------------------------


class UnavailableStore(MemoryLimits):
    """A store that can be made not to answer."""

    is_unavailable = True

    def load(self, subject: str) -> SharedBucket:
        if self.is_unavailable:
            self.loads += 1
            raise UnavailableError("away")
        return super().load(subject)


def test_a_limiter_that_fails_open_allows_all_as_uncounted() -> None:
    one = limiter(UnavailableStore())

    answers = [one.acquire([demand()], NOW) for _ in range(500)]

    assert {assert_allowed(answer).uncounted for answer in answers} == {"away"}


def test_a_limiter_that_fails_shut_allows_nothing() -> None:
    one = limiter(UnavailableStore(), fails_open=False)

    with pytest.raises(UnavailableError, match="away"):
        one.acquire([demand()], NOW)


def test_a_store_that_does_not_answer_is_called_again_after_a_while() -> None:
    store = UnavailableStore()
    one = limiter(store)
    count_allowed(one, [demand()] * 100, NOW)
    assert store.loads == 1
    store.is_unavailable = False

    assert assert_allowed(one.acquire([demand()], NOW + RECOVERY_SECONDS / 2)).uncounted == "away"
    assert assert_allowed(one.acquire([demand()], NOW + RECOVERY_SECONDS)).uncounted is None


def test_limits_are_counted_while_another_cannot_be() -> None:
    store = UnavailableStore()
    one = limiter(store)
    store.is_unavailable = False
    count_allowed(one, [demand()], NOW)
    store.is_unavailable = True
    unknown = Demand(Subject.SOURCE, "iot/furnace-1", TEN_A_SECOND, 1)

    both = assert_allowed(one.acquire([demand(), unknown], NOW))

    assert both.uncounted == "away"
    assert [standing.remaining for standing in both.standings] == [98, 100]


class ContendedStore(MemoryLimits):
    """A store in which other writers are faster, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        if self.times:
            self.times -= 1
            other = limiter_of_another(self)
            other.acquire([demand()], NOW)
        return super().save(subject, bucket, expires_at=expires_at)


def limiter_of_another(store: ContendedStore) -> Limiter:
    times, store.times = store.times, 0
    other = limiter(store, container=f"other-{times}")
    count_allowed(other, [demand()], NOW)
    store.times = times
    return limiter(MemoryLimits())


def test_a_lease_that_lost_to_another_writer_is_retried() -> None:
    naps: list[float] = []
    one = limiter(ContendedStore(ATTEMPTS - 1), sleep=naps.append)

    assert assert_allowed(one.acquire([demand()], NOW)).uncounted is None
    assert len(naps) == ATTEMPTS - 2


def test_a_request_whose_lease_lost_in_every_attempt_is_throttled_for_a_second() -> None:
    store = ContendedStore(ATTEMPTS)
    one = limiter(store)

    throttled = assert_throttled(one.acquire([demand()], NOW))

    assert (throttled.is_contended, throttled.retry_after) == (True, CONTENTION_SECONDS)
    saves = store.saves
    assert assert_throttled(one.acquire([demand()], NOW + 0.5)).is_contended
    assert store.saves == saves
    assert assert_allowed(one.acquire([demand()], NOW + CONTENTION_SECONDS)).uncounted is None


@pytest.mark.parametrize("fails_open", [True, False])
@pytest.mark.parametrize("operation", ["load", "save"])
def test_a_request_that_a_busy_store_cannot_count_is_throttled(operation: str, fails_open: bool) -> None:
    store = BusyStore(operation)
    one = limiter(store, fails_open=fails_open)

    assert assert_throttled(one.acquire([demand(TWO_LIMITS, points=5)], NOW)).is_contended

    store.busy = ""
    assert assert_allowed(one.acquire([demand(TWO_LIMITS, points=5)], NOW + CONTENTION_SECONDS)).uncounted is None


class BusyStore(MemoryLimits):
    """A store that gets too many calls at the moment."""

    def __init__(self, busy: str) -> None:
        super().__init__()
        self.busy = busy

    def load(self, subject: str) -> SharedBucket:
        if self.busy == "load":
            raise BusyError("DynamoDB: ThrottlingException")
        return super().load(subject)

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        if self.busy == "save":
            raise BusyError("DynamoDB: ThrottlingException")
        return super().save(subject, bucket, expires_at=expires_at)


class InterleavedStore(MemoryLimits):
    """A store in which other containers write between the load and the save of one, by a script."""

    def __init__(self, others: Sequence[bool]) -> None:
        super().__init__()
        self.others = iter(others)
        self.write_of_another: Callable[[], object] = lambda: None
        self._is_another = False

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        if not self._is_another and next(self.others, False):
            self._is_another = True
            self.write_of_another()
            self._is_another = False
        return super().save(subject, bucket, expires_at=expires_at)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, others=st.lists(st.booleans(), min_size=50, max_size=2_000), burst=st.sampled_from([10, 60, 300]))
def test_no_window_has_more_than_burst_and_rate_even_in_contention(
    steps: list[tuple[float, int, int, int, str]], others: list[bool], burst: int
) -> None:
    limits = Limits(requests_per_second=3.0, requests_burst=burst)
    store = InterleavedStore(others)
    crowd = Crowd(limits, store)
    store.write_of_another = lambda: crowd.send(9, 1, 0, goes_on=True)
    for passing, place, requests, _, _ in steps:
        crowd.pass_(passing)
        crowd.send(place, requests, 0, goes_on=True)

    assert_within([(at, requests) for at, requests, _ in crowd.admitted], 3.0, burst)


def test_clients_that_start_at_once_are_allowed_the_burst_and_no_request_more() -> None:
    store = SlowStore()
    limits = Limits(requests_per_second=0.001, requests_burst=60)
    start = Barrier(100)

    def send(place: int) -> Allowed | Throttled:
        one = limiter(store, container=f"container-{place}", sleep=lambda _: store.pause())
        start.wait()
        return one.acquire([demand(limits)], NOW)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(send, range(100)))

    assert not any(isinstance(answer, Allowed) and answer.uncounted for answer in answers)
    assert 1 <= sum(isinstance(answer, Allowed) for answer in answers) <= 60


class SlowStore(MemoryLimits):
    """A store that lets other threads run between the load and the save of one."""

    @staticmethod
    def pause() -> None:
        sleep(0.001)

    def load(self, subject: str) -> SharedBucket:
        found = super().load(subject)
        self.pause()
        return found


def test_a_bucket_that_was_deleted_begins_anew() -> None:
    store = MemoryLimits()
    one = limiter(store)
    count_allowed(one, [demand()] * 50, NOW)
    store.buckets.clear()

    assert count_allowed(one, [demand()] * 90, NOW + 3_600) == 90


# --- many requests of one batch --------------------------------------------------------------------------------------


def test_the_messages_of_a_batch_are_allowed_in_their_order_until_a_limit_is_exceeded() -> None:
    store = MemoryLimits()
    slow = Limits(requests_per_second=1, requests_burst=3)
    messages = [Demand(Subject.SOURCE, f"iot/{n % 2}", slow if n % 2 else TEN_A_SECOND, 1, 1) for n in range(10)]

    answers = limiter(store).acquire_each([[message] for message in messages], NOW)

    assert [isinstance(answer, Allowed) for answer in answers] == [True] * 6 + [True, False, True, False]


def test_a_batch_has_one_lease_a_source() -> None:
    store = MemoryLimits()
    messages = [Demand(Subject.SOURCE, f"iot/{n % 5}", TEN_A_SECOND, 1, 1) for n in range(100)]

    limiter(store).acquire_each([[message] for message in messages], NOW)

    assert store.saves == 5


def test_a_batch_is_allowed_uncounted_while_the_store_does_not_answer() -> None:
    answers = limiter(UnavailableStore()).acquire_each([[demand()]] * 3, NOW)

    assert [assert_allowed(answer).uncounted for answer in answers] == ["away"] * 3


@pytest.mark.parametrize("leases", [0, 2])
def test_a_batch_that_cannot_be_counted_in_time_is_as_if_the_store_did_not_answer(leases: int) -> None:
    store = MemoryLimits()
    messages = [[Demand(Subject.SOURCE, f"iot/{number}", TEN_A_SECOND, 1, 1)] for number in range(5)]

    answers = limiter(store).acquire_each(messages, NOW, is_time_left=lambda: store.saves < leases)

    uncounted = [assert_allowed(answer).uncounted for answer in answers]
    assert uncounted == [None] * leases + ["the limits of a batch are not counted in time"] * (5 - leases)
    assert store.saves == leases


def test_a_batch_is_an_error_where_the_limits_fail_shut() -> None:
    with pytest.raises(UnavailableError):
        limiter(UnavailableStore(), fails_open=False).acquire_each([[demand()]] * 3, NOW)


def test_a_lease_lasts_at_most_a_quarter_of_an_hour() -> None:
    store = MemoryLimits()
    one = limiter(store)
    for hour in range(10):
        count_allowed(one, [demand()], NOW + 3_600 * hour)

    (hold,) = store.buckets["key:abc"].holds.values()
    assert hold.until == NOW + 3_600 * 9 + LONGEST_LEASE_SECONDS
