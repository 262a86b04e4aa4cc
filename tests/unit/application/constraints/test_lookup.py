"""Look-up of constraints: which of them decide, and what a cache may remember for how long."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.constraints.scopes import lookup_order, of_domain, of_stream, of_type
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import VersionedConfig
from tests.factories import Clock, a_config, a_key


class Store(MemoryConstraints):
    """Constraints in memory that can be away, and remember what they were asked for."""

    def __init__(self, **limits: float) -> None:
        super().__init__()
        self.asked: list[set[str]] = []
        self.away = False
        for scope, limit in limits.items():
            self.limit(scope, limit)

    def limit(self, scope: str, limit: float) -> None:
        self.put(scope, a_config(max_value=limit))

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        if self.away:
            raise UnavailableError("away")
        self.asked.append(set(scopes))
        return super().fetch(self.asked[-1])


STREAM = "iot/furnace-1/temperature"
TYPE = "iot#thermocouple"
DOMAIN = "iot"


def limit_found(lookup: ConstraintsLookup, stream_type: str | None = "thermocouple") -> float | None:
    found = lookup.find({a_key(): stream_type})[a_key()]
    return found.config.value_constraints.max_value if found else None


def a_lookup(store: Store, clock: Callable[[], float] | None = None, ttl_seconds: float = 60) -> ConstraintsLookup:
    return ConstraintsLookup(store, ttl_seconds=ttl_seconds, clock=clock or Clock())


# --- scopes ----------------------------------------------------------------------------------------------------------


def test_a_scope_is_a_stream_a_type_of_a_domain_or_a_domain() -> None:
    assert of_stream(a_key()) == STREAM
    assert of_type("iot", "thermocouple") == TYPE
    assert of_domain("iot") == DOMAIN


def test_constraints_are_looked_for_from_the_closest_scope_to_the_widest() -> None:
    assert lookup_order(a_key(), "thermocouple") == (STREAM, TYPE, DOMAIN)
    assert lookup_order(a_key(), None) == (STREAM, DOMAIN)


# --- which decide ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "stream_type", "limit"),
    [
        ({STREAM: 1, TYPE: 2, DOMAIN: 3}, "thermocouple", 1),
        ({TYPE: 2, DOMAIN: 3}, "thermocouple", 2),
        ({DOMAIN: 3}, "thermocouple", 3),
        ({STREAM: 1, DOMAIN: 3}, None, 1),
        ({TYPE: 2, DOMAIN: 3}, None, 3),
        ({TYPE: 2, DOMAIN: 3}, "pressure", 3),
        ({TYPE: 2}, "pressure", None),
        ({"health": 4, "iot/furnace-2/temperature": 5, "health#thermocouple": 6}, "thermocouple", None),
        ({}, "thermocouple", None),
    ],
)
def test_the_closest_constraints_decide_and_hide_the_wider_ones(
    there: dict[str, Any], stream_type: str | None, limit: float | None
) -> None:
    assert limit_found(a_lookup(Store(**there)), stream_type) == limit


def test_constraints_come_with_their_version() -> None:
    store = Store(**{STREAM: 1})
    store.limit(STREAM, 2)

    found = a_lookup(store).find({a_key(): None})

    assert found == {a_key(): VersionedConfig(a_config(max_value=2), 2)}


def test_many_streams_are_looked_up_in_one_question() -> None:
    store = Store(**{TYPE: 2, "iot/furnace-1/b": 3})
    streams = {a_key("a"): "thermocouple", a_key("b"): None, a_key("c", domain="health"): None}

    found = a_lookup(store).find(streams)

    assert [found[key] is not None for key in streams] == [True, True, False]
    assert store.asked == [
        {"iot/furnace-1/a", "iot/furnace-1/b", "health/furnace-1/c", "iot#thermocouple", "iot", "health"}
    ]


def test_no_streams_need_no_question() -> None:
    store = Store()

    assert a_lookup(store).find({}) == {}
    assert store.asked == []


# --- what is remembered ----------------------------------------------------------------------------------------------


def test_what_was_found_and_what_was_not_is_remembered() -> None:
    store = Store(**{TYPE: 2})
    lookup = a_lookup(store)

    assert [limit_found(lookup), limit_found(lookup)] == [2, 2]
    assert store.asked == [{STREAM, TYPE, DOMAIN}]


def test_only_what_is_not_remembered_is_asked_for() -> None:
    store = Store()
    lookup = a_lookup(store)

    lookup.find({a_key("a"): None})
    lookup.find({a_key("a"): "thermocouple", a_key("b"): None})

    assert store.asked == [{"iot/furnace-1/a", "iot"}, {"iot#thermocouple", "iot/furnace-1/b"}]


def test_a_change_is_in_force_once_the_time_to_live_has_passed() -> None:
    store, clock = Store(**{DOMAIN: 1}), Clock()
    lookup = a_lookup(store, clock, ttl_seconds=60)
    assert limit_found(lookup) == 1

    store.limit(DOMAIN, 2)
    store.limit(STREAM, 3)
    clock.now += 59.9
    assert limit_found(lookup) == 1
    clock.now += 0.1
    assert limit_found(lookup) == 3


def test_constraints_that_were_taken_away_are_gone_once_the_time_to_live_has_passed() -> None:
    store, clock = Store(**{STREAM: 1}), Clock()
    lookup = a_lookup(store, clock, ttl_seconds=60)
    assert limit_found(lookup) == 1

    store.delete(STREAM)
    clock.now += 60

    assert limit_found(lookup) is None


def test_without_a_time_to_live_every_question_is_asked() -> None:
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store, ttl_seconds=0)
    assert limit_found(lookup) == 1

    store.limit(STREAM, 2)

    assert limit_found(lookup) == 2


def test_what_expires_while_it_is_looked_up_is_asked_for_again() -> None:
    ticks = iter(range(1_000))
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store, lambda: next(ticks), ttl_seconds=10)

    assert [limit_found(lookup) for _ in range(40)] == [1] * 40


def test_a_store_that_is_away_is_told_of_and_not_remembered() -> None:
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store)
    store.away = True

    with pytest.raises(UnavailableError):
        limit_found(lookup)

    store.away = False
    assert limit_found(lookup) == 1


def test_what_is_remembered_needs_no_store() -> None:
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store)
    assert limit_found(lookup) == 1

    store.away = True

    assert limit_found(lookup) == 1
