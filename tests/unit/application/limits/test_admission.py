"""The gate: the address first, then the key, then the source."""

from afluente.application.limits.admission import Batch, RateLimits, Sender
from afluente.application.limits.limiter import Allowed, Throttled
from afluente.application.limits.limits import Dimension, KeyLimits, Limits, StageLimits, Subject
from tests.factories import NOW, a_gate

FURNACE = Batch("iot/furnace-1", 10)
SENDER = Sender("192.0.2.1", "abc")


def entered(gate: RateLimits, sender: Sender = SENDER) -> Allowed:
    answer = gate.enter(sender, NOW)
    assert isinstance(answer, Allowed)
    return answer


def over(answer: Allowed | Throttled) -> tuple[Subject, str, Dimension]:
    assert isinstance(answer, Throttled)
    return answer.demand.kind, answer.demand.name, answer.rule.dimension


def requests(burst: int) -> Limits:
    return Limits(requests_per_second=0.001, requests_burst=burst)


def points(burst: int) -> Limits:
    return Limits(points_per_second=0.001, points_burst=burst)


def test_of_several_limits_that_are_over_the_addresss_is_told_first_then_the_keys() -> None:
    gate = a_gate(StageLimits(ip=requests(2), key=requests(1)))
    entered(gate)

    assert over(gate.enter(SENDER, NOW)) == (Subject.KEY, "abc", Dimension.REQUESTS)
    entered(gate, Sender("192.0.2.1", "another"))
    assert over(gate.enter(SENDER, NOW)) == (Subject.IP, "192.0.2.1", Dimension.REQUESTS)


def test_points_are_counted_for_the_key_before_the_source() -> None:
    gate = a_gate(StageLimits(key=points(15), source=points(15)))
    assert isinstance(gate.bring(SENDER, [FURNACE], entered(gate), NOW), Allowed)

    assert over(gate.bring(SENDER, [FURNACE], entered(gate), NOW)) == (Subject.KEY, "abc", Dimension.POINTS)
    other = Sender("192.0.2.1", "another")
    assert over(gate.bring(other, [FURNACE], entered(gate, other), NOW)) == (
        Subject.SOURCE,
        "iot/furnace-1",
        Dimension.POINTS,
    )


def test_a_request_whose_points_are_over_a_limit_is_given_back() -> None:
    gate = a_gate(StageLimits(key=requests(3), source=points(10)))
    assert isinstance(gate.bring(SENDER, [FURNACE], entered(gate), NOW), Allowed)

    for _ in range(10):
        assert isinstance(gate.bring(SENDER, [FURNACE], entered(gate), NOW), Throttled)

    assert isinstance(gate.bring(SENDER, [Batch("iot/furnace-2", 1)], entered(gate), NOW), Allowed)


def test_a_key_with_limits_of_its_own_is_held_to_those() -> None:
    gate = a_gate(StageLimits(key=requests(1)))
    wide = Sender("", "wide", KeyLimits(requests_burst=5))
    free = Sender("", "free", KeyLimits(requests_per_second=0))

    assert [isinstance(gate.enter(wide, NOW), Allowed) for _ in range(6)] == [True] * 5 + [False]
    assert all(isinstance(gate.enter(free, NOW), Allowed) for _ in range(100))


def test_who_has_no_key_yet_is_held_to_the_limit_of_the_address() -> None:
    gate = a_gate(StageLimits(ip=requests(2)))

    assert [isinstance(gate.connect("192.0.2.1", NOW), Allowed) for _ in range(3)] == [True, True, False]
    assert isinstance(gate.connect("192.0.2.2", NOW), Allowed)
    assert isinstance(gate.connect("", NOW), Allowed)


def test_messages_of_devices_are_held_to_the_limits_of_their_sources() -> None:
    gate = a_gate(StageLimits(ip=requests(1), key=requests(1), source=requests(2)))
    messages = [[Batch(f"iot/oven-{n % 2}", 1)] for n in range(6)]

    answers = gate.receive(messages, NOW)

    assert [isinstance(answer, Allowed) for answer in answers] == [True] * 4 + [False] * 2


def test_a_request_that_went_through_has_the_standings_of_all_its_limits() -> None:
    gate = a_gate(StageLimits(ip=requests(5), key=points(100), source=points(100)))

    brought = gate.bring(SENDER, [FURNACE], entered(gate), NOW)

    told = [(standing.kind, standing.rule.dimension, standing.remaining) for standing in brought.standings]
    assert told == [
        (Subject.IP, Dimension.REQUESTS, 4),
        (Subject.KEY, Dimension.POINTS, 90),
        (Subject.SOURCE, Dimension.POINTS, 90),
    ]
