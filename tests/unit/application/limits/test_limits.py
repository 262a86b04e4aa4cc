"""Limits: what goes through, what is refused and when again, over all containers that share them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.errors import UnavailableError
from afluente.application.limits.leases import Hold, SharedBucket, refilled
from afluente.application.limits.limiter import (
    ATTEMPTS,
    LEASE_SECONDS,
    LONGEST_LEASE_SECONDS,
    RECOVERY_SECONDS,
    Allowed,
    Demand,
    Limiter,
    Standing,
    Throttled,
)
from afluente.application.limits.limits import (
    DAY_SECONDS,
    Dimension,
    KeyLimits,
    Limits,
    RefusedKeys,
    StageLimits,
    Subject,
    decode_limits,
    rules_of,
)

NOW = 20_000 * DAY_SECONDS + 3_600.0
TEN_A_SECOND = Limits(requests_per_second=10, requests_burst=100)


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


def taken_of(limiter: Limiter, demands: Iterable[Demand], now: float) -> int:
    """How many of the demands go through."""
    return sum(isinstance(limiter.take([one], now), Allowed) for one in demands)


def over(answer: Allowed | Throttled) -> Throttled:
    assert isinstance(answer, Throttled)
    return answer


def taken(answer: Allowed | Throttled) -> Allowed:
    assert isinstance(answer, Allowed)
    return answer


# --- one container ---------------------------------------------------------------------------------------------------


def test_a_burst_goes_through_and_no_request_more() -> None:
    assert taken_of(limiter(), [demand()] * 150, NOW) == 100


def test_after_a_burst_requests_go_through_at_the_rate() -> None:
    one = limiter()
    taken_of(one, [demand()] * 150, NOW)

    assert sum(taken_of(one, [demand()] * 9, NOW + half / 2) for half in range(1, 41)) == 200
    assert taken_of(one, [demand()] * 60, NOW + 23) == 30


def test_a_refusal_says_which_limit_and_when_again() -> None:
    one = limiter()
    limits = Limits(points_per_second=100, points_burst=1_000)
    assert isinstance(one.take([demand(limits, points=900)], NOW), Allowed)

    refused = over(one.take([demand(limits, points=600)], NOW))

    assert (refused.demand.kind, refused.rule.dimension, refused.needed) == (Subject.KEY, Dimension.POINTS, 600)
    assert refused.retry_after == 5
    assert isinstance(one.take([demand(limits, points=600)], NOW + 5), Allowed)


def test_a_request_larger_than_the_burst_never_goes_through_and_asks_nobody() -> None:
    store = MemoryLimits()
    limits = Limits(points_per_second=100, points_burst=1_000)

    refused = over(limiter(store).take([demand(limits, points=1_001)], NOW))

    assert refused.retry_after is None
    assert (store.loads, store.saves) == (0, 0)


def test_points_of_a_day_are_full_again_at_midnight_utc() -> None:
    one = limiter()
    limits = Limits(points_per_day=1_000)
    assert taken_of(one, [demand(limits, points=100)] * 12, NOW) == 10

    refused = over(one.take([demand(limits, points=100)], NOW + 60))

    midnight = 20_001 * DAY_SECONDS
    assert refused.rule.dimension is Dimension.POINTS_PER_DAY
    assert refused.retry_after == pytest.approx(midnight - NOW - 60)
    assert taken_of(one, [demand(limits, points=100)] * 12, midnight) == 10


def test_what_has_no_limit_is_never_refused_and_costs_no_call() -> None:
    store = MemoryLimits()

    assert taken_of(limiter(store), [demand(Limits(), points=10**9)] * 1_000, NOW) == 1_000

    assert (store.loads, store.saves) == (0, 0)


def test_a_rate_without_a_burst_lets_a_seconds_worth_come_at_once() -> None:
    assert taken_of(limiter(), [demand(Limits(requests_per_second=2.5))] * 10, NOW) == 3


def test_a_key_has_its_own_limits_in_place_of_those_it_names() -> None:
    own = KeyLimits(requests_per_second=0, points_per_day=7)

    limits = Limits(requests_per_second=5, points_per_second=3, points_per_day=9).with_(own)

    assert limits == Limits(requests_per_second=0, points_per_second=3, points_per_day=7)
    assert limits.with_(None) is limits


def test_limits_are_read_as_a_stage_writes_them() -> None:
    text = '{"key": {"requests_per_second": 5, "points_per_day": 7}, "refused_keys": {"per_second": 0.5, "burst": 3}}'

    assert decode_limits(text) == StageLimits(
        key=Limits(requests_per_second=5, points_per_day=7), refused_keys=RefusedKeys(per_second=0.5, burst=3)
    )
    assert decode_limits("{}") == StageLimits()


def test_limits_that_are_not_of_the_form_are_refused_with_where() -> None:
    with pytest.raises(ValueError, match=r"\$\.key\.requests_per_second"):
        decode_limits('{"key": {"requests_per_second": "many"}}')


# --- several limits --------------------------------------------------------------------------------------------------


def test_the_first_limit_that_is_over_is_told_and_nothing_is_taken_from_the_others() -> None:
    store = MemoryLimits()
    one = limiter(store)
    by_address = Demand(Subject.IP, "192.0.2.1", Limits(requests_per_second=1, requests_burst=5), 1)
    by_key = Demand(Subject.KEY, "abc", Limits(requests_per_second=1, requests_burst=2), 1)
    assert [isinstance(one.take([by_address, by_key], NOW), Allowed) for _ in range(2)] == [True, True]

    refusals = [over(one.take([by_address, by_key], NOW)) for _ in range(10)]

    assert {refused.demand.kind for refused in refusals} == {Subject.KEY}
    assert taken_of(one, [by_address] * 10, NOW) == 3
    assert over(one.take([by_address, by_key], NOW)).demand.kind is Subject.IP


def test_what_is_given_back_can_be_taken_again() -> None:
    one = limiter()
    first = [taken(one.take([demand()], NOW)) for _ in range(100)]

    for each in first[-30:]:
        one.give_back(each, NOW)

    assert taken_of(one, [demand()] * 100, NOW) == 30


def test_what_is_given_back_later_is_less_what_came_in_its_place() -> None:
    one = limiter()
    first = [taken(one.take([demand()], NOW)) for _ in range(100)]

    for each in first:
        one.give_back(each, NOW + 4)

    # 40 came meanwhile; each of those that are given back one by one is no more than what did not come in its place.
    assert 40 <= taken_of(one, [demand()] * 300, NOW + 4) <= 100


def test_points_of_a_day_that_are_given_back_can_be_taken_again_on_that_day() -> None:
    one = limiter()
    limits = Limits(points_per_day=1_000)
    first = taken(one.take([demand(limits, points=1_000)], NOW))
    one.give_back(first, NOW + 7_200)
    assert taken_of(one, [demand(limits, points=1_000)] * 2, NOW + 7_200) == 1

    tomorrow = 20_001 * DAY_SECONDS
    assert taken_of(one, [demand(limits, points=600)], tomorrow) == 1
    one.give_back(first, tomorrow)
    assert taken_of(one, [demand(limits, points=600)], tomorrow) == 0


def test_what_is_given_back_after_the_subject_was_forgotten_changes_nothing() -> None:
    first = taken(limiter().take([demand()], NOW))

    limiter().give_back(first, NOW)


def test_standings_say_what_is_left_and_when_it_is_whole_again() -> None:
    one = limiter()
    limits = Limits(requests_per_second=10, requests_burst=100, points_per_day=1_000)

    after = taken(one.take([demand(limits, requests=40, points=250)], NOW))

    of_requests, of_a_day = after.standings
    rules = rules_of(limits)
    assert of_requests == Standing(Subject.KEY, rules[0], 60, 4)  # type: ignore[arg-type] # it has one
    assert (of_a_day.remaining, of_a_day.reset) == (750, DAY_SECONDS - 3_600)


def test_standings_of_a_refusal_have_nothing_left_of_the_limit_that_is_over() -> None:
    one = limiter()
    taken_of(one, [demand()] * 100, NOW)

    refused = over(one.take([demand(requests=20)], NOW))

    assert [(standing.remaining, standing.reset) for standing in refused.standings] == [(0, 2)]


def test_standings_of_a_request_that_is_too_large_say_what_there_is() -> None:
    refused = over(limiter().take([demand(requests=101)], NOW))

    assert [standing.remaining for standing in refused.standings] == [100]


def test_what_is_left_of_a_day_is_not_what_was_left_of_the_day_before() -> None:
    one = limiter()
    limits = Limits(points_per_day=1_000)
    taken_of(one, [demand(limits, points=900)], NOW)

    refused = over(one.take([demand(limits, points=1_001)], NOW + DAY_SECONDS))

    assert refused.standings[0].remaining == 1_000


# --- few writes ------------------------------------------------------------------------------------------------------


def test_a_steady_sender_causes_few_writes() -> None:
    store = MemoryLimits()
    one = limiter(store)
    limits = Limits(requests_per_second=200, requests_burst=1_000)

    assert taken_of_over_time(one, limits, per_second=50, seconds=120) == 6_000

    assert store.saves < 6_000 / 50


def test_a_sender_of_a_message_a_minute_causes_less_than_a_write_each() -> None:
    store = MemoryLimits()
    one = limiter(store)

    for minute in range(24 * 60):
        assert isinstance(one.take([demand()], NOW + 60 * minute), Allowed)

    assert store.saves < 24 * 60 / 4


def test_who_is_over_causes_a_look_a_second_and_no_write() -> None:
    store = MemoryLimits()
    one = limiter(store)
    limits = Limits(points_per_second=1, points_burst=1_000)
    taken_of(one, [demand(limits, points=1_000)], NOW)
    before = store.loads, store.saves

    assert taken_of(one, [demand(limits, points=1_000)] * 5_000, NOW + 1) == 0

    assert (store.loads - before[0], store.saves - before[1]) == (1, 0)


def test_a_small_request_goes_through_while_a_large_one_has_to_wait() -> None:
    one = limiter()
    taken_of(one, [demand()] * 90, NOW)

    assert taken_of(one, [demand(requests=50)], NOW) == 0
    assert taken_of(one, [demand(requests=5)], NOW) == 1


def taken_of_over_time(one: Limiter, limits: Limits, *, per_second: int, seconds: int) -> int:
    moments = (NOW + n / per_second for n in range(per_second * seconds))
    return sum(taken_of(one, [demand(limits)], moment) for moment in moments)


# --- several containers ----------------------------------------------------------------------------------------------


def test_containers_that_rest_leave_the_others_nearly_all() -> None:
    store = MemoryLimits()
    limits = Limits(requests_per_second=10, requests_burst=1_000)
    for n in range(20):
        taken_of(limiter(store, container=f"resting-{n}"), [demand(limits)], NOW)

    assert taken_of(limiter(store, container="busy"), [demand(limits)] * 1_000, NOW) >= 700


def test_many_containers_with_a_small_burst_do_not_shut_each_other_out() -> None:
    store = MemoryLimits()
    limits = Limits(requests_per_second=5, requests_burst=10)
    for n in range(10):
        taken_of(limiter(store, container=f"one-{n}"), [demand(limits)], NOW)

    assert taken_of(limiter(store, container="another"), [demand(limits)] * 20, NOW + 1) == 5


def test_what_a_container_took_with_it_is_there_again_in_time() -> None:
    store = MemoryLimits()
    limits = Limits(requests_per_second=1_000, requests_burst=1_000)
    taken_of(limiter(store, container="gone"), [demand(limits)], NOW)
    held = sum(hold.requests for hold in store.buckets["key:abc"].holds.values())
    assert held > 0

    later = refilled(store.buckets["key:abc"], limits, NOW + LEASE_SECONDS)
    after = refilled(store.buckets["key:abc"], limits, NOW + LEASE_SECONDS + 1)

    assert (later.requests, after.requests) == (1_000 - held, 1_000)


def test_a_day_loses_little_to_containers_that_end() -> None:
    store = MemoryLimits()
    limits = Limits(points_per_day=1_000_000)
    for n in range(20):
        taken_of(limiter(store, container=f"gone-{n}"), [demand(limits, points=100)], NOW)

    assert store.buckets["key:abc"].day_points <= 20 * (100 + 10_000)


def test_limits_that_are_lowered_hold_at_once_and_those_that_are_new_begin_full() -> None:
    store = MemoryLimits()
    taken_of(limiter(store, container="before"), [demand(Limits(requests_per_second=10, requests_burst=1_000))], NOW)
    lowered = Limits(requests_per_second=10, requests_burst=200, points_per_second=1, points_burst=50)

    assert taken_of(limiter(store, container="after"), [demand(lowered)] * 500, NOW) <= 200
    assert taken_of(limiter(store, container="other"), [demand(lowered, requests=0, points=45)], NOW) == 1


def test_a_lowered_limit_of_a_day_that_is_used_up_refuses_points_and_no_requests() -> None:
    store = MemoryLimits()
    taken_of(limiter(store), [demand(Limits(points_per_day=1_000), points=900)], NOW)
    lowered = Limits(requests_per_second=10, points_per_day=500)

    assert taken_of(limiter(store, container="after"), [demand(lowered, points=1)], NOW) == 0
    assert taken_of(limiter(store, container="after"), [demand(lowered)], NOW) == 1


def test_a_clock_that_lags_fills_nothing_twice() -> None:
    bucket = SharedBucket(version=3, at=NOW, requests=0.0, day=20_000)

    assert refilled(bucket, TEN_A_SECOND, NOW - 30) == bucket


def test_a_bucket_is_forgotten_once_it_is_as_if_it_were_new() -> None:
    bucket = SharedBucket(version=1, at=NOW, requests=0.0, day=20_000)
    held = SharedBucket(version=1, at=NOW, requests=0.0, day=20_000, holds={"one": Hold(5, 0, NOW + 60)})
    of_the_day = SharedBucket(version=1, at=NOW, day=20_000, day_points=5)

    assert bucket.forgotten_at(TEN_A_SECOND) == NOW + 10
    assert held.forgotten_at(TEN_A_SECOND) == NOW + 70
    assert of_the_day.forgotten_at(Limits(points_per_day=9)) == 20_001 * DAY_SECONDS


@dataclass
class Crowd:
    """Containers in simulated time, which end and begin as they like."""

    limits: Limits
    store: MemoryLimits = field(default_factory=MemoryLimits)
    admitted: list[tuple[float, int, int]] = field(default_factory=list)
    now: float = NOW
    containers: dict[int, Limiter] = field(default_factory=dict)
    begun: int = 0
    under_way: list[tuple[Limiter, Allowed]] = field(default_factory=list)

    def drain(self, place: int, points: int) -> None:
        """Send small requests until one does not go through."""
        while self.send(place, 1, points, goes_on=True):
            pass

    def send(self, place: int, requests: int, points: int, *, goes_on: bool) -> bool:
        if place not in self.containers:
            self.begun += 1
            self.containers[place] = limiter(self.store, container=f"container-{self.begun}")
        answer = self.containers[place].take([demand(self.limits, requests=requests, points=points)], self.now)
        if isinstance(answer, Throttled):
            return False
        if goes_on:
            self.admitted.append((self.now, requests, points))
        else:
            self.under_way.append((self.containers[place], answer))
        return True

    def pass_(self, seconds: float) -> None:
        """What was refused for another reason is given back a while later."""
        self.now += seconds
        for container, answer in self.under_way:
            container.give_back(answer, self.now)
        self.under_way.clear()

    def end(self, place: int) -> None:
        self.containers.pop(place, None)


def assert_within(moments: list[tuple[float, int]], rate: float, burst: float) -> None:
    """No window has more than burst + rate * w: a bucket that begins full and gives all of it lacks none."""
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
        st.sampled_from(["send", "send", "send", "send", "drain", "drain", "refused later", "end"]),
    ),
    min_size=20,
    max_size=200,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, rate=st.sampled_from([0.5, 3.0, 40.0]), burst=st.sampled_from([30, 100, 300]))
def test_over_all_containers_no_window_has_more_than_burst_and_rate_give(
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
def test_over_all_containers_nearly_all_that_the_rate_gives_goes_through(places: list[int]) -> None:
    limits = Limits(requests_per_second=10, requests_burst=20)
    crowd = Crowd(limits)
    for place in places:
        crowd.now += 0.05
        crowd.send(place, 1, 0, goes_on=True)

    assert len(crowd.admitted) >= 0.8 * (20 + 10 * 20)


# --- a store that is away, or slow to agree --------------------------------------------------------------------------


class Away(MemoryLimits):
    """A store that does not answer while it is away."""

    is_away = True

    def load(self, subject: str) -> SharedBucket:
        if self.is_away:
            self.loads += 1
            raise UnavailableError("away")
        return super().load(subject)


def test_a_limiter_that_fails_open_lets_all_through_and_says_that_it_did_not_count() -> None:
    one = limiter(Away())

    answers = [one.take([demand()], NOW) for _ in range(500)]

    assert {taken(answer).uncounted for answer in answers} == {"away"}


def test_a_limiter_that_fails_shut_lets_nothing_through() -> None:
    one = limiter(Away(), fails_open=False)

    with pytest.raises(UnavailableError, match="away"):
        one.take([demand()], NOW)


def test_a_store_that_is_away_is_left_alone_for_a_while_and_then_asked_again() -> None:
    store = Away()
    one = limiter(store)
    taken_of(one, [demand()] * 100, NOW)
    assert store.loads == 1
    store.is_away = False

    assert taken(one.take([demand()], NOW + RECOVERY_SECONDS / 2)).uncounted == "away"
    assert taken(one.take([demand()], NOW + RECOVERY_SECONDS)).uncounted is None


def test_the_limits_that_can_be_counted_are_while_another_cannot() -> None:
    store = Away()
    one = limiter(store)
    store.is_away = False
    taken_of(one, [demand()], NOW)
    store.is_away = True
    unknown = Demand(Subject.SOURCE, "iot/furnace-1", TEN_A_SECOND, 1)

    both = taken(one.take([demand(), unknown], NOW))

    assert both.uncounted == "away"
    assert [standing.remaining for standing in both.standings] == [98, 100]


class Crowded(MemoryLimits):
    """A store in which others are always faster, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def save(self, subject: str, bucket: SharedBucket, *, forgotten_at: float) -> SharedBucket | None:
        if self.times:
            self.times -= 1
            other = limiter_of_another(self)
            other.take([demand()], NOW)
        return super().save(subject, bucket, forgotten_at=forgotten_at)


def limiter_of_another(store: Crowded) -> Limiter:
    times, store.times = store.times, 0
    other = limiter(store, container=f"other-{times}")
    taken_of(other, [demand()], NOW)
    store.times = times
    return limiter(MemoryLimits())


def test_a_lease_that_others_were_faster_with_is_tried_again_with_what_they_left() -> None:
    naps: list[float] = []
    one = limiter(Crowded(ATTEMPTS - 1), sleep=naps.append)

    assert taken(one.take([demand()], NOW)).uncounted is None
    assert len(naps) == ATTEMPTS - 2


def test_a_lease_that_others_were_too_often_faster_with_is_as_if_the_store_were_away_for_this_request() -> None:
    one = limiter(Crowded(ATTEMPTS))

    assert "too many at once" in str(taken(one.take([demand()], NOW)).uncounted)
    assert taken(one.take([demand()], NOW)).uncounted is None


def test_a_bucket_that_was_forgotten_begins_anew() -> None:
    store = MemoryLimits()
    one = limiter(store)
    taken_of(one, [demand()] * 50, NOW)
    store.buckets.clear()

    assert taken_of(one, [demand()] * 90, NOW + 3_600) == 90


# --- many requests of one batch --------------------------------------------------------------------------------------


def test_the_messages_of_a_batch_go_through_in_their_order_until_a_limit_is_over() -> None:
    store = MemoryLimits()
    slow = Limits(requests_per_second=1, requests_burst=3)
    messages = [Demand(Subject.SOURCE, f"iot/{n % 2}", slow if n % 2 else TEN_A_SECOND, 1, 1) for n in range(10)]

    answers = limiter(store).take_each([[message] for message in messages], NOW)

    assert [isinstance(answer, Allowed) for answer in answers] == [True] * 6 + [True, False, True, False]


def test_a_batch_has_one_lease_a_source() -> None:
    store = MemoryLimits()
    messages = [Demand(Subject.SOURCE, f"iot/{n % 5}", TEN_A_SECOND, 1, 1) for n in range(100)]

    limiter(store).take_each([[message] for message in messages], NOW)

    assert store.saves == 5


def test_a_batch_goes_through_uncounted_while_the_store_is_away() -> None:
    answers = limiter(Away()).take_each([[demand()]] * 3, NOW)

    assert [taken(answer).uncounted for answer in answers] == ["away"] * 3


def test_a_batch_waits_where_the_limits_fail_shut() -> None:
    with pytest.raises(UnavailableError):
        limiter(Away(), fails_open=False).take_each([[demand()]] * 3, NOW)


def test_a_lease_that_lasts_is_at_most_a_quarter_of_an_hour() -> None:
    store = MemoryLimits()
    one = limiter(store)
    for hour in range(10):
        taken_of(one, [demand()], NOW + 3_600 * hour)

    (hold,) = store.buckets["key:abc"].holds.values()
    assert hold.until == NOW + 3_600 * 9 + LONGEST_LEASE_SECONDS
