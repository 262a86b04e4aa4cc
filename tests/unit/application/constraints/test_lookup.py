"""Look-up of constraints: the closest scope decides, through a cache with a time to live."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.lookup import ConstraintsLookup, NoConstraints
from afluente.application.constraints.scopes import lookup_order, of_domain, of_stream, of_type
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import VersionedConfig
from tests.factories import Clock, a_config, a_key


class Store(MemoryConstraints):
    """Constraints in memory that record what is fetched, and can be made not to answer."""

    def __init__(self, **limits: float) -> None:
        super().__init__()
        self.fetched: list[set[str]] = []
        self.is_unavailable = False
        for scope, limit in limits.items():
            self.limit(scope, limit)

    def limit(self, scope: str, limit: float) -> None:
        self.put(scope, a_config(max_value=limit))

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        if self.is_unavailable:
            raise UnavailableError("away")
        self.fetched.append(set(scopes))
        return super().fetch(self.fetched[-1])


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


def test_scopes_are_looked_up_from_the_closest_to_the_widest() -> None:
    assert lookup_order(a_key(), "thermocouple") == (STREAM, TYPE, DOMAIN)
    assert lookup_order(a_key(), None) == (STREAM, DOMAIN)


# --- precedence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "stream_type", "limit"),
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
    stored: dict[str, Any], stream_type: str | None, limit: float | None
) -> None:
    assert limit_found(a_lookup(Store(**stored)), stream_type) == limit


def test_constraints_come_with_their_version_and_their_scope() -> None:
    store = Store(**{STREAM: 1})
    store.limit(STREAM, 2)

    found = a_lookup(store).find({a_key(): None})

    assert found == {a_key(): VersionedConfig(a_config(max_value=2), 2, key=STREAM)}


def test_many_streams_are_looked_up_in_one_call() -> None:
    store = Store(**{TYPE: 2, "iot/furnace-1/b": 3})
    streams = {a_key("a"): "thermocouple", a_key("b"): None, a_key("c", domain="health"): None}

    found = a_lookup(store).find(streams)

    assert [found[key] is not None for key in streams] == [True, True, False]
    assert store.fetched == [
        {"iot/furnace-1/a", "iot/furnace-1/b", "health/furnace-1/c", "iot#thermocouple", "iot", "health"}
    ]


def test_no_streams_need_no_call() -> None:
    store = Store()

    assert a_lookup(store).find({}) == {}
    assert store.fetched == []


def test_a_stage_without_constraints_finds_none() -> None:
    lookup = ConstraintsLookup(NoConstraints(), ttl_seconds=60, clock=Clock())

    assert lookup.find({a_key(): "thermocouple"}) == {a_key(): None}


# --- cache -----------------------------------------------------------------------------------------------------------


def test_constraints_and_misses_are_cached() -> None:
    store = Store(**{TYPE: 2})
    lookup = a_lookup(store)

    assert [limit_found(lookup), limit_found(lookup)] == [2, 2]
    assert store.fetched == [{STREAM, TYPE, DOMAIN}]


def test_only_scopes_that_are_not_cached_are_fetched() -> None:
    store = Store()
    lookup = a_lookup(store)

    lookup.find({a_key("a"): None})
    lookup.find({a_key("a"): "thermocouple", a_key("b"): None})

    assert store.fetched == [{"iot/furnace-1/a", "iot"}, {"iot#thermocouple", "iot/furnace-1/b"}]


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


def test_deleted_constraints_are_not_found_once_the_time_to_live_has_passed() -> None:
    store, clock = Store(**{STREAM: 1}), Clock()
    lookup = a_lookup(store, clock, ttl_seconds=60)
    assert limit_found(lookup) == 1

    store.delete(STREAM)
    clock.now += 60

    assert limit_found(lookup) is None


def test_without_a_time_to_live_nothing_is_cached() -> None:
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store, ttl_seconds=0)
    assert limit_found(lookup) == 1

    store.limit(STREAM, 2)

    assert limit_found(lookup) == 2


def test_constraints_that_expire_during_a_look_up_are_fetched_again() -> None:
    ticks = iter(range(1_000))
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store, lambda: next(ticks), ttl_seconds=10)

    assert [limit_found(lookup) for _ in range(40)] == [1] * 40


def test_a_store_that_does_not_answer_is_an_error_that_is_not_cached() -> None:
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store)
    store.is_unavailable = True

    with pytest.raises(UnavailableError):
        limit_found(lookup)

    store.is_unavailable = False
    assert limit_found(lookup) == 1


def test_cached_constraints_need_no_store() -> None:
    store = Store(**{STREAM: 1})
    lookup = a_lookup(store)
    assert limit_found(lookup) == 1

    store.is_unavailable = True

    assert limit_found(lookup) == 1
