"""API keys: shown once, kept as a hash, good for what they were made for."""

import base64
import hmac
import zlib
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.access import MemoryApiKeys
from afluente.application.access.api_keys import (
    KEY_RANDOM_BYTES,
    USE_RECORDED_SECONDS,
    ApiKey,
    Authentication,
    StaleKeyError,
    id_in,
    new_key,
    rotated,
    verifier_of,
)
from afluente.application.access.grants import Action
from afluente.application.errors import UnavailableError
from afluente.application.limits.limits import KeyLimits
from tests.factories import NOW, PEPPER, an_api_key, an_authentication

RANDOM = bytes(range(KEY_RANDOM_BYTES))
TTL_SECONDS = 15.0
DAY = 24 * 3600.0


class StoreThatIsAway:
    def find(self, key_id: str) -> ApiKey | None:
        raise UnavailableError("away")

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        raise UnavailableError("away")

    def used(self, key_id: str, now: float) -> None:
        raise UnavailableError("away")

    def list(self) -> Iterable[ApiKey]:
        raise UnavailableError("away")


class Store(MemoryApiKeys):
    """Keys in memory; counts what it is asked, and may be unable to write."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.uses: list[float] = []
        self.is_read_only = False

    def find(self, key_id: str) -> ApiKey | None:
        self.looks += 1
        return super().find(key_id)

    def used(self, key_id: str, now: float) -> None:
        if self.is_read_only:
            raise UnavailableError("throttled")
        self.uses.append(now)
        super().used(key_id, now)


class World:
    """An authentication with its keys, and a clock that stands still."""

    def __init__(self) -> None:
        self.store = Store()
        self.seconds = 0.0
        self.pepper = PEPPER
        self.lost: list[str] = []
        self.authenticate = self.another_container()

    def another_container(self) -> Authentication:
        return Authentication(
            self.store,
            pepper=lambda: self.pepper,
            ttl_seconds=TTL_SECONDS,
            clock=lambda: self.seconds,
            on_use_lost=self.lost.append,
        )

    def a_key(self, number: int = 1, **fields: object) -> tuple[str, ApiKey]:
        text, kept = an_api_key(number, **fields)
        self.store.put(kept)
        return text, kept

    def lets_in(self, text: str, now: float = NOW) -> bool:
        """As a container sees it that remembers nothing."""
        return self.another_container()(text, now) is not None


@pytest.fixture
def world() -> World:
    return World()


# --- making ----------------------------------------------------------------------------------------------------------


def test_a_key_is_a_prefix_a_readable_id_a_secret_of_256_bits_and_a_checksum() -> None:
    text, kept = new_key("plant 7", random=RANDOM, pepper=PEPPER, now=NOW)

    start = "afl_aaaqeaye_BQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQ"
    assert text.startswith(start)
    assert base64.urlsafe_b64decode(text[len(start) :] + "==") == zlib.crc32(start.encode()).to_bytes(4, "big")
    assert base64.urlsafe_b64decode(start.split("_")[2] + "=") == RANDOM[5:]
    assert kept.key_id == id_in(text) == "aaaqeaye"


def test_only_a_hash_of_a_key_is_kept_and_the_pepper_is_part_of_it() -> None:
    text, kept = new_key("plant 7", random=RANDOM, pepper=PEPPER, now=NOW)

    assert kept.verifier == hmac.new(PEPPER.encode(), sha256(text.encode()).digest(), "sha256").hexdigest()
    assert kept.verifier != verifier_of(text, "another pepper")
    assert text.split("_")[2] not in repr(kept)


def test_a_key_opens_everything_for_ever_unless_it_is_made_for_less() -> None:
    _, everything = an_api_key()
    _, less = an_api_key(
        tenant="acme",
        actions=(Action.INGEST,),
        domains=("iot",),
        sources=("furnace-*",),
        limits=KeyLimits(points_per_day=5),
        expires_at=NOW + 1,
    )

    assert (everything.tenant, everything.actions, everything.limits) == ("_", tuple(Action), None)
    assert (everything.domains, everything.sources, everything.expires_at) == (("*",), ("*",), None)
    assert (everything.name, everything.created_at, everything.revoked_at) == ("tests", NOW, None)
    assert (less.tenant, less.actions, less.limits) == ("acme", (Action.INGEST,), KeyLimits(points_per_day=5))
    assert (less.domains, less.sources, less.expires_at) == (("iot",), ("furnace-*",), NOW + 1)


@pytest.mark.parametrize("length", [0, KEY_RANDOM_BYTES - 1, KEY_RANDOM_BYTES + 1])
def test_a_key_is_not_made_from_too_few_random_bytes_nor_too_many(length: int) -> None:
    with pytest.raises(ValueError, match=f"a key takes 37 random bytes, not {length}"):
        new_key("plant 7", random=bytes(length), pepper=PEPPER, now=NOW)


# --- whom it lets in -------------------------------------------------------------------------------------------------


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
def test_what_never_was_a_key_is_refused_without_a_look(world: World, text: str) -> None:
    world.a_key()

    assert world.authenticate(text, NOW) is None
    assert world.store.looks == 0


def test_a_key_with_a_slip_is_refused_without_a_look(world: World) -> None:
    text, _ = world.a_key()

    for place in range(len(text)):
        slipped = text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]
        assert world.authenticate(slipped, NOW) is None
    assert world.authenticate(text + "\n", NOW) is None
    assert world.store.looks == 0


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


def test_a_store_that_is_away_lets_nobody_in_and_says_so() -> None:
    text, _ = an_api_key()
    authenticate = an_authentication(StoreThatIsAway())

    with pytest.raises(UnavailableError):
        authenticate(text, NOW)


# --- what is remembered ----------------------------------------------------------------------------------------------


def test_a_revoked_key_goes_on_for_as_long_as_it_is_remembered_and_no_longer(world: World) -> None:
    text, key = world.a_key()
    assert world.authenticate(text, NOW)
    world.store.put(msgspec.structs.replace(key, revoked_at=NOW), replacing=key)

    world.seconds = TTL_SECONDS - 1
    assert world.authenticate(text, NOW) == key.grant
    world.seconds = TTL_SECONDS
    assert world.authenticate(text, NOW) is None


def test_a_key_is_looked_up_once_while_it_is_remembered_be_it_good_or_not(world: World) -> None:
    good, _ = world.a_key()
    bad, _ = an_api_key(2)

    for _ in range(3):
        assert world.authenticate(good, NOW)
        assert world.authenticate(bad, NOW) is None

    assert world.store.looks == 2


def test_a_key_that_was_accepted_before_may_be_asked_for_by_its_id(world: World) -> None:
    _, key = world.a_key(expires_at=NOW + 1)

    assert world.authenticate.still_valid(key.key_id, NOW) == key.grant
    assert world.authenticate.still_valid(key.key_id, NOW + 1) is None
    assert world.authenticate.still_valid("zzzzzzzz", NOW) is None


# --- its use ---------------------------------------------------------------------------------------------------------


def test_a_use_is_written_down_but_not_each(world: World) -> None:
    text, key = world.a_key()
    later = [NOW, NOW + 1, NOW + USE_RECORDED_SECONDS - 1, NOW + USE_RECORDED_SECONDS]

    for now in later:
        world.another_container()(text, now)

    assert world.store.uses == [NOW, NOW + USE_RECORDED_SECONDS]
    found = world.store.find(key.key_id)
    assert found is not None
    assert found.last_used_at == NOW + USE_RECORDED_SECONDS


def test_a_bad_key_is_no_use(world: World) -> None:
    text, _ = world.a_key(expires_at=NOW)

    assert not world.lets_in(text)
    assert world.store.uses == []


def test_a_use_that_cannot_be_written_down_lets_the_owner_in_and_is_told(world: World) -> None:
    text, key = world.a_key()
    world.store.is_read_only = True

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


def test_a_key_that_was_revoked_meanwhile_is_not_brought_back(world: World) -> None:
    _, old = world.a_key()
    _, _, ending = rotated(old, random=RANDOM, pepper=PEPPER, now=NOW, overlap_seconds=DAY, expires_at=None)
    world.store.put(msgspec.structs.replace(old, revoked_at=NOW), replacing=old)

    with pytest.raises(StaleKeyError):
        world.store.put(ending, replacing=old)
