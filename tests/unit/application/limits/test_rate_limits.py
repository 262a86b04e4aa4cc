"""Rate limits: the address first, then the key, then the source."""

from afluente.application.limits.decisions import Allowed, Batch, Throttled
from afluente.application.limits.rate_limits import RateLimits, Sender
from afluente.application.limits.rules import Dimension, Subject
from afluente.application.limits.stage_limits import KeyLimits, Limits, StageLimits
from tests.factories import NOW, some_rate_limits

FURNACE = Batch("iot/furnace-1", 10)
SENDER = Sender("192.0.2.1", "abc")


def admitted(limits: RateLimits, sender: Sender = SENDER) -> Allowed:
    answer = limits.admit_request(sender, NOW)
    assert isinstance(answer, Allowed)
    return answer


def exceeded(answer: Allowed | Throttled) -> tuple[Subject, str, Dimension]:
    assert isinstance(answer, Throttled)
    return answer.demand.kind, answer.demand.name, answer.rule.dimension


def requests(burst: int) -> Limits:
    return Limits(requests_per_second=0.001, requests_burst=burst)


def points(burst: int) -> Limits:
    return Limits(points_per_second=0.001, points_burst=burst)


def test_the_limit_of_the_address_is_named_before_that_of_the_key() -> None:
    limits = some_rate_limits(StageLimits(ip=requests(2), key=requests(1)))
    admitted(limits)

    assert exceeded(limits.admit_request(SENDER, NOW)) == (Subject.KEY, "abc", Dimension.REQUESTS)
    admitted(limits, Sender("192.0.2.1", "another"))
    assert exceeded(limits.admit_request(SENDER, NOW)) == (Subject.IP, "192.0.2.1", Dimension.REQUESTS)


def test_points_are_counted_for_the_key_before_the_source() -> None:
    limits = some_rate_limits(StageLimits(key=points(15), source=points(15)))
    assert isinstance(limits.admit_points(SENDER, [FURNACE], admitted(limits), NOW), Allowed)

    assert exceeded(limits.admit_points(SENDER, [FURNACE], admitted(limits), NOW)) == (
        Subject.KEY,
        "abc",
        Dimension.POINTS,
    )
    other = Sender("192.0.2.1", "another")
    assert exceeded(limits.admit_points(other, [FURNACE], admitted(limits, other), NOW)) == (
        Subject.SOURCE,
        "iot/furnace-1",
        Dimension.POINTS,
    )


def test_a_request_whose_points_are_throttled_is_released() -> None:
    limits = some_rate_limits(StageLimits(key=requests(3), source=points(10)))
    assert isinstance(limits.admit_points(SENDER, [FURNACE], admitted(limits), NOW), Allowed)

    for _ in range(10):
        assert isinstance(limits.admit_points(SENDER, [FURNACE], admitted(limits), NOW), Throttled)

    assert isinstance(limits.admit_points(SENDER, [Batch("iot/furnace-2", 1)], admitted(limits), NOW), Allowed)


def test_a_key_with_limits_of_its_own_is_held_to_those() -> None:
    limits = some_rate_limits(StageLimits(key=requests(1)))
    wide = Sender("", "wide", KeyLimits(requests_burst=5))
    free = Sender("", "free", KeyLimits(requests_per_second=0))

    assert [isinstance(limits.admit_request(wide, NOW), Allowed) for _ in range(6)] == [True] * 5 + [False]
    assert all(isinstance(limits.admit_request(free, NOW), Allowed) for _ in range(100))


def test_a_sender_without_a_key_is_held_to_the_limit_of_its_address() -> None:
    limits = some_rate_limits(StageLimits(ip=requests(2)))

    assert [isinstance(limits.admit_connection("192.0.2.1", NOW), Allowed) for _ in range(3)] == [True, True, False]
    assert isinstance(limits.admit_connection("192.0.2.2", NOW), Allowed)
    assert isinstance(limits.admit_connection("", NOW), Allowed)


def test_messages_of_devices_are_held_to_the_limits_of_their_sources() -> None:
    limits = some_rate_limits(StageLimits(ip=requests(1), key=requests(1), source=requests(2)))
    messages = [[Batch(f"iot/oven-{n % 2}", 1)] for n in range(6)]

    answers = limits.admit_messages(messages, NOW)

    assert [isinstance(answer, Allowed) for answer in answers] == [True] * 4 + [False] * 2


def test_an_allowed_request_has_the_standings_of_all_its_limits() -> None:
    limits = some_rate_limits(StageLimits(ip=requests(5), key=points(100), source=points(100)))

    allowed = limits.admit_points(SENDER, [FURNACE], admitted(limits), NOW)

    standings = [(standing.kind, standing.rule.dimension, standing.remaining) for standing in allowed.standings]
    assert standings == [
        (Subject.IP, Dimension.REQUESTS, 4),
        (Subject.KEY, Dimension.POINTS, 90),
        (Subject.SOURCE, Dimension.POINTS, 90),
    ]
