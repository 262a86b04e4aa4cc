"""Authentication: a key lets its owner in until it expires, is revoked or is replaced."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.access import MemoryApiKeys, MemoryKeyUses
from afluente.application.access.api_keys import (
    KEY_RANDOM_BYTES,
    ApiKey,
    new_key,
    rotated,
)
from afluente.application.access.authentication import USE_RECORDED_SECONDS, Authentication, with_last_uses
from afluente.application.access.grants import Action
from afluente.application.access.ports import StaleKeyError
from afluente.application.errors import UnavailableError
from afluente.application.limits.stage_limits import KeyLimits
from tests.factories import NOW, PEPPER, an_api_key, an_authentication

RANDOM = bytes(range(KEY_RANDOM_BYTES))
TTL_SECONDS = 15.0
DAY = 24 * 3600.0


class UnavailableStore:
    def find(self, key_id: str) -> ApiKey | None:
        raise UnavailableError("away")

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        raise UnavailableError("away")

    def list(self) -> Iterable[ApiKey]:
        raise UnavailableError("away")


class Store(MemoryApiKeys):
    """Keys in memory, with counted look-ups."""

    def __init__(self) -> None:
        super().__init__()
        self.look_ups = 0

    def find(self, key_id: str) -> ApiKey | None:
        self.look_ups += 1
        return super().find(key_id)


class Uses(MemoryKeyUses):
    """Uses in memory, with counted look-ups, and writes that can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.look_ups = 0
        self.recorded: list[float] = []
        self.is_read_only = False

    def last(self, key_id: str) -> float | None:
        self.look_ups += 1
        return super().last(key_id)

    def record(self, key_id: str, now: float) -> None:
        if self.is_read_only:
            raise UnavailableError("throttled")
        self.recorded.append(now)
        super().record(key_id, now)


class World:
    """An authentication with its keys, and a clock that stands still."""

    def __init__(self) -> None:
        self.store = Store()
        self.uses = Uses()
        self.seconds = 0.0
        self.pepper = PEPPER
        self.lost: list[str] = []
        self.authenticate = self.another_container()

    def another_container(self) -> Authentication:
        return Authentication(
            self.store,
            self.uses,
            pepper=lambda: self.pepper,
            ttl_seconds=TTL_SECONDS,
            clock=lambda: self.seconds,
            on_use_lost=self.lost.append,
        )

    def a_key(self, number: int = 1, **fields: object) -> tuple[str, ApiKey]:
        text, record = an_api_key(number, **fields)
        self.store.put(record)
        return text, record

    def lets_in(self, text: str, now: float = NOW) -> bool:
        """Ask a container with an empty cache."""
        return self.another_container()(text, now) is not None


@pytest.fixture
def world() -> World:
    return World()


# --- who is let in --------------------------------------------------------------------------------------------------


def test_a_key_lets_its_owner_in_with_what_it_was_made_for(world: World) -> None:
    limits = KeyLimits(requests_per_second=5)
    scope: dict[str, Any] = {
        "tenant": "acme",
        "actions": (Action.JOBS,),
        "domains": ("iot",),
        "sources": ("furnace-*",),
    }
    text, key = world.a_key(limits=limits, **scope)

    assert world.authenticate(text, NOW) == key.grant
    assert msgspec.structs.asdict(key.grant) == {"key_id": key.key_id, "limits": limits, **scope}


@pytest.mark.parametrize("text", ["", "afl_", "afl_aaaaaaaa_wrong", "\ud800", "é" * 10_000, "afl_" + "a" * 100_000])
def test_text_without_the_form_of_a_key_is_refused_without_a_look_up(world: World, text: str) -> None:
    world.a_key()

    assert world.authenticate(text, NOW) is None
    assert world.store.look_ups == 0


def test_a_key_with_a_typing_error_is_refused_without_a_look_up(world: World) -> None:
    text, _ = world.a_key()

    for place in range(len(text)):
        slipped = text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]
        assert world.authenticate(slipped, NOW) is None
    assert world.authenticate(text + "\n", NOW) is None
    assert world.store.look_ups == 0


def test_another_key_does_not_open_for_this_one(world: World) -> None:
    world.a_key(1)
    other, _ = an_api_key(2)

    assert not world.lets_in(other)


def test_the_right_id_with_another_secret_opens_nothing(world: World) -> None:
    _, key = world.a_key()
    forged, its = new_key("forged", random=bytes(5) + bytes(range(32)), pepper=PEPPER, now=NOW)

    assert its.key_id == key.key_id
    assert not world.lets_in(forged)


def test_another_pepper_revokes_every_key(world: World) -> None:
    text, _ = world.a_key()
    assert world.lets_in(text)

    world.pepper = "another"

    assert not world.lets_in(text)


def test_an_expired_key_lets_nobody_in(world: World) -> None:
    text, _ = world.a_key(expires_at=NOW)

    assert world.lets_in(text, NOW - 0.001)
    assert not world.lets_in(text, NOW)


def test_a_revoked_key_lets_nobody_in(world: World) -> None:
    text, key = world.a_key()
    world.store.put(msgspec.structs.replace(key, revoked_at=NOW), replacing=key)

    assert not world.lets_in(text, NOW - 10)
    assert not world.lets_in(text, NOW + 10)


def test_a_store_that_does_not_answer_is_an_error() -> None:
    text, _ = an_api_key()
    authenticate = an_authentication(UnavailableStore())

    with pytest.raises(UnavailableError):
        authenticate(text, NOW)


# --- cache ----------------------------------------------------------------------------------------------------------


def test_a_revoked_key_goes_on_for_as_long_as_it_is_cached_and_no_longer(world: World) -> None:
    text, key = world.a_key()
    assert world.authenticate(text, NOW)
    world.store.put(msgspec.structs.replace(key, revoked_at=NOW), replacing=key)

    world.seconds = TTL_SECONDS - 1
    assert world.authenticate(text, NOW) == key.grant
    world.seconds = TTL_SECONDS
    assert world.authenticate(text, NOW) is None


def test_a_good_or_bad_key_is_looked_up_once_while_it_is_cached(world: World) -> None:
    good, _ = world.a_key()
    bad, _ = an_api_key(2)

    for _ in range(3):
        assert world.authenticate(good, NOW)
        assert world.authenticate(bad, NOW) is None

    assert world.store.look_ups == 2


def test_a_key_that_was_accepted_before_is_checked_by_its_id(world: World) -> None:
    _, key = world.a_key(expires_at=NOW + 1)

    assert world.authenticate.still_valid(key.key_id, NOW) == key.grant
    assert world.authenticate.still_valid(key.key_id, NOW + 1) is None
    assert world.authenticate.still_valid("zzzzzzzz", NOW) is None


# --- last use --------------------------------------------------------------------------------------------------------


def test_uses_are_recorded_once_in_a_quarter_of_an_hour(world: World) -> None:
    text, key = world.a_key()
    later = [NOW, NOW + 1, NOW + USE_RECORDED_SECONDS - 1, NOW + USE_RECORDED_SECONDS]

    for now in later:
        world.another_container()(text, now)

    assert world.uses.recorded == [NOW, NOW + USE_RECORDED_SECONDS]
    assert list(with_last_uses([key], world.uses)) == [
        msgspec.structs.replace(key, last_used_at=NOW + USE_RECORDED_SECONDS)
    ]


def test_a_container_looks_at_the_uses_of_a_key_as_rarely_as_they_are_recorded(world: World) -> None:
    text, _ = world.a_key()
    world.another_container()(text, NOW)

    for now in (NOW + 1, NOW + 2, NOW + USE_RECORDED_SECONDS):
        world.seconds += TTL_SECONDS
        world.authenticate(text, now)

    assert world.uses.recorded == [NOW, NOW + USE_RECORDED_SECONDS]
    assert world.uses.look_ups == 3


def test_a_use_that_an_earlier_release_kept_in_the_key_counts(world: World) -> None:
    text, key = an_api_key()
    world.store.put(key)
    kept = world.store._keys[key.key_id] = msgspec.structs.replace(key, last_used_at=NOW)

    assert list(with_last_uses([kept], world.uses)) == [kept]
    world.another_container()(text, NOW + 1)
    assert world.uses.recorded == []
    world.another_container()(text, NOW + USE_RECORDED_SECONDS)
    assert list(with_last_uses([kept], world.uses)) == [
        msgspec.structs.replace(key, last_used_at=NOW + USE_RECORDED_SECONDS)
    ]


def test_a_refused_key_has_no_use_recorded(world: World) -> None:
    text, _ = world.a_key(expires_at=NOW)

    assert not world.lets_in(text)
    assert world.uses.recorded == []


def test_a_use_that_cannot_be_recorded_is_reported_and_lets_the_owner_in(world: World) -> None:
    text, key = world.a_key()
    world.uses.is_read_only = True

    assert world.authenticate(text, NOW) == key.grant
    assert world.lost == [key.key_id]


# --- rotating --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_at", "end"), [(None, NOW + DAY), (NOW + 2 * DAY, NOW + DAY), (NOW + DAY / 2, NOW + DAY / 2)]
)
def test_a_rotated_key_is_good_beside_its_successor_for_a_while(
    world: World, expires_at: float | None, end: float
) -> None:
    old_text, old = world.a_key(tenant="acme", domains=("iot",), sources=("acme-*",), expires_at=expires_at)

    text, successor, ending = rotated(
        old, random=RANDOM, pepper=PEPPER, now=NOW, overlap_seconds=DAY, expires_at=NOW + 90 * DAY
    )
    world.store.put(successor)
    world.store.put(ending, replacing=old)

    assert (ending.expires_at, ending.replaced_by) == (end, successor.key_id)
    assert (successor.name, successor.expires_at) == (old.name, NOW + 90 * DAY)
    assert msgspec.structs.replace(successor.grant, key_id=old.key_id) == old.grant
    assert world.lets_in(old_text, end - 1)
    assert world.lets_in(text, end - 1)
    assert not world.lets_in(old_text, end)
    assert world.lets_in(text, end)


def test_a_key_that_was_revoked_meanwhile_is_not_rotated(world: World) -> None:
    _, old = world.a_key()
    _, _, ending = rotated(old, random=RANDOM, pepper=PEPPER, now=NOW, overlap_seconds=DAY, expires_at=None)
    world.store.put(msgspec.structs.replace(old, revoked_at=NOW), replacing=old)

    with pytest.raises(StaleKeyError):
        world.store.put(ending, replacing=old)
