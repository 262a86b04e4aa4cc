"""API keys: shown once, kept as a hash, good for what they were made for."""

from collections.abc import Iterable
from hashlib import sha256

import pytest

from afluente.adapters.memory import MemoryApiKeys
from afluente.application.api_keys import KEY_RANDOM_BYTES, ApiKey, Grant, authenticate, hash_of, new_key
from afluente.application.ports import UnavailableError
from tests.factories import NOW, an_api_key

RANDOM = bytes(range(KEY_RANDOM_BYTES))


class StoreThatIsAway:
    def find(self, key_hash: str) -> ApiKey | None:
        raise UnavailableError("away")

    def put(self, key: ApiKey) -> None:
        raise UnavailableError("away")

    def list(self) -> Iterable[ApiKey]:
        raise UnavailableError("away")


def a_store(*keys: ApiKey) -> MemoryApiKeys:
    store = MemoryApiKeys()
    for key in keys:
        store.put(key)
    return store


# --- making ----------------------------------------------------------------------------------------------------------


def test_a_key_is_a_prefix_a_readable_id_and_a_secret() -> None:
    text, kept = new_key("plant 7", random=RANDOM, now=NOW)

    assert text == "afl_aaaqeaye_BQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQ"
    assert kept.key_id == "aaaqeaye"


def test_only_a_hash_of_a_key_is_kept() -> None:
    text, kept = new_key("plant 7", random=RANDOM, now=NOW)

    assert kept.key_hash == hash_of(text) == sha256(text.encode()).hexdigest()
    assert text.split("_")[2] not in repr(kept)


def test_a_key_opens_everything_for_ever_unless_it_is_made_for_less() -> None:
    _, everything = new_key("plant 7", random=RANDOM, now=NOW)
    _, less = new_key("plant 7", random=RANDOM, now=NOW, domains=("iot",), sources=("furnace-*",), expires_at=NOW + 1)

    assert (everything.domains, everything.sources, everything.expires_at) == (("*",), ("*",), None)
    assert (less.domains, less.sources, less.expires_at) == (("iot",), ("furnace-*",), NOW + 1)
    assert (everything.name, everything.created_at, everything.revoked_at) == ("plant 7", NOW, None)


@pytest.mark.parametrize("length", [0, KEY_RANDOM_BYTES - 1, KEY_RANDOM_BYTES + 1])
def test_a_key_is_not_made_from_too_few_random_bytes_nor_too_many(length: int) -> None:
    with pytest.raises(ValueError, match=f"a key takes 37 random bytes, not {length}"):
        new_key("plant 7", random=bytes(length), now=NOW)


# --- whom it lets in -------------------------------------------------------------------------------------------------


def test_a_key_lets_its_owner_in_with_what_it_was_made_for() -> None:
    text, key = an_api_key(domains=("iot",), sources=("furnace-*",))

    assert authenticate(text, a_store(key), NOW) == Grant(key.key_id, ("iot",), ("furnace-*",))


@pytest.mark.parametrize("text", ["", "afl_", "afl_aaaaaaaa_wrong", "\ud800", "é" * 10_000])
def test_a_key_that_nobody_made_lets_nobody_in(text: str) -> None:
    _, key = an_api_key()

    assert authenticate(text, a_store(key), NOW) is None


def test_another_key_does_not_open_for_this_one() -> None:
    _, key = an_api_key(1)
    other, _ = an_api_key(2)

    assert authenticate(other, a_store(key), NOW) is None


def test_an_expired_key_lets_nobody_in() -> None:
    text, key = an_api_key(expires_at=NOW)

    assert authenticate(text, a_store(key), NOW - 0.001) is not None
    assert authenticate(text, a_store(key), NOW) is None


def test_a_revoked_key_lets_nobody_in() -> None:
    text, key = an_api_key()
    revoked = ApiKey(key_hash=key.key_hash, key_id=key.key_id, name=key.name, created_at=key.created_at, revoked_at=NOW)

    assert authenticate(text, a_store(revoked), NOW - 10) is None
    assert authenticate(text, a_store(revoked), NOW + 10) is None


def test_a_store_that_is_away_lets_nobody_in_and_says_so() -> None:
    with pytest.raises(UnavailableError):
        authenticate("afl_aaaaaaaa_secret", StoreThatIsAway(), NOW)


# --- what it is good for ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domains", "sources", "missing"),
    [
        (("*",), ("*",), None),
        (("iot",), ("furnace-1",), None),
        (("health", "iot"), ("furnace-2", "furnace-?"), None),
        (("iot",), ("furnace-[0-9]",), None),
        (("health",), ("*",), "domain:iot"),
        ((), ("*",), "domain:iot"),
        (("io*",), ("*",), "domain:iot"),
        (("iot",), ("furnace",), "source:furnace-1"),
        (("iot",), ("Furnace-1",), "source:furnace-1"),
        (("iot",), (), "source:furnace-1"),
        (("health",), ("boiler-*",), "domain:iot"),
    ],
)
def test_a_grant_is_good_for_its_domains_and_for_sources_of_its_patterns(
    domains: tuple[str, ...], sources: tuple[str, ...], missing: str | None
) -> None:
    assert Grant("aaaqeaye", domains, sources).missing_scope("iot", "furnace-1") == missing
