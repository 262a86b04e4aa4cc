"""ConnectionRegistry: opened with a key for one source, and known again while the key is good."""

from typing import Any

import msgspec
import pytest

from afluente.adapters.memory.access import MemoryApiKeys
from afluente.adapters.memory.websocket import MemoryConnections
from afluente.application.access.api_keys import ApiKey
from afluente.application.access.grants import Action
from afluente.application.websocket.connections import Connection
from afluente.application.websocket.registry import ConnectionRegistry, RefusedError
from tests.factories import DOMAINS, NOW, a_point, an_api_key, an_authentication

TTL_SECONDS = 60.0


class World:
    """ConnectionRegistry and all that they are made of, with a clock that stands still."""

    def __init__(self) -> None:
        self.store = MemoryConnections()
        self.keys = MemoryApiKeys()
        self.seconds = 0.0
        self.connections = self.another_container()

    def another_container(self) -> ConnectionRegistry:
        return ConnectionRegistry(
            store=self.store,
            authenticate=an_authentication(self.keys),
            domains=DOMAINS,
            ttl_seconds=TTL_SECONDS,
            clock=lambda: self.seconds,
        )

    def a_key(self, **fields: Any) -> tuple[str, ApiKey]:
        text, record = an_api_key(**fields)
        self.keys.put(record)
        return text, record

    def open(self, api_key: object, *, domain: object = "iot", source_id: object = "furnace-1") -> Connection:
        return self.connections.open("connection-1", domain=domain, source_id=source_id, api_key=api_key, now=NOW)


@pytest.fixture
def world() -> World:
    return World()


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_key_opens_a_connection_for_one_source(world: World) -> None:
    text, record = world.a_key()

    opened = world.open(text)

    assert opened == Connection("connection-1", "iot", "furnace-1", record.key_id, NOW)
    assert opened.source == "iot/furnace-1"
    assert world.another_container().find("connection-1", NOW) == opened


def test_a_source_that_is_left_out_is_the_missing_one(world: World) -> None:
    text, _ = world.a_key()

    assert world.open(text, source_id=None).source == "iot/_"


@pytest.mark.parametrize("api_key", [None, "", 5, True, ["afl"], {}])
def test_without_a_key_that_is_text_nothing_is_opened(world: World, api_key: object) -> None:
    with pytest.raises(RefusedError, match="api_key is required") as refused:
        world.open(api_key)

    assert refused.value.is_known is False


@pytest.mark.parametrize("fields", [{"expires_at": NOW}, {"expires_at": NOW - 1}])
def test_an_expired_key_opens_nothing(world: World, fields: dict[str, float]) -> None:
    text, _ = world.a_key(**fields)

    with pytest.raises(RefusedError, match="unknown, expired or revoked") as refused:
        world.open(text)

    assert refused.value.is_known is False
    assert world.connections.find("connection-1", NOW) is None


def test_a_key_that_is_unknown_or_revoked_opens_nothing(world: World) -> None:
    text, record = world.a_key()
    world.keys.put(msgspec.structs.replace(record, revoked_at=NOW - 1), replacing=record)

    for key in (text, "afl_aaaaaaaa_unknown"):
        with pytest.raises(RefusedError, match="unknown, expired or revoked"):
            world.open(key)


@pytest.mark.parametrize(
    ("domain", "source_id", "message"),
    [
        (None, "furnace-1", "domain must be a string, not null"),
        (7, "furnace-1", "domain must be"),
        ("Iot", "furnace-1", "domain must be"),
        ("iot", 7, "source_id must be"),
        ("iot", "", "source_id must have"),
        ("iot", "a/b", "source_id"),
        ("space", "furnace-1", "lacks the scope domain:space"),
        ("finance", "furnace-1", "lacks the scope domain:finance"),
        ("iot", "oven-1", "lacks the scope source:oven-1"),
    ],
)
def test_a_valid_key_opens_no_invalid_source_and_none_beyond_its_reach(
    world: World, domain: object, source_id: object, message: str
) -> None:
    text, _ = world.a_key(domains=("iot",), sources=("furnace-*",))

    with pytest.raises(RefusedError) as refused:
        world.open(text, domain=domain, source_id=source_id)

    assert message in str(refused.value)
    assert refused.value.is_known is True
    assert world.store.find("connection-1") is None


def test_the_refusal_of_a_closed_domain_names_the_open_ones_within_reach(world: World) -> None:
    text, _ = world.a_key(domains=("space", "iot", "health"))

    with pytest.raises(RefusedError, match=r"the domain 'space' is not open; open are health, iot$") as refused:
        world.open(text, domain="space")

    assert refused.value.is_known is True


def test_a_key_for_other_actions_opens_nothing(world: World) -> None:
    text, _ = world.a_key(actions=(Action.JOBS,))

    with pytest.raises(RefusedError, match="lacks the scope action:ingest"):
        world.open(text)


def test_both_faults_of_a_source_are_named(world: World) -> None:
    text, _ = world.a_key()

    with pytest.raises(RefusedError, match=r"domain .*; source_id "):
        world.open(text, domain="Iot", source_id="")


def test_a_connection_stays_with_its_source(world: World) -> None:
    text, _ = world.a_key()
    opened = world.open(text, source_id="furnace-1")

    with pytest.raises(RefusedError, match="is for iot/furnace-1; make another one for iot/furnace-2"):
        world.open(text, source_id="furnace-2")

    assert world.open(text, source_id="furnace-1") == opened
    for connections in (world.connections, world.another_container()):
        assert connections.find("connection-1", NOW) == opened


# --- finding ---------------------------------------------------------------------------------------------------------


def test_a_connection_that_did_not_authenticate_is_not_found(world: World) -> None:
    assert world.connections.find("connection-1", NOW) is None


def test_a_revoked_key_goes_on_for_as_long_as_it_is_cached_and_no_longer(world: World) -> None:
    text, record = world.a_key()
    opened = world.open(text)
    world.keys.put(msgspec.structs.replace(record, revoked_at=NOW), replacing=record)

    world.seconds = TTL_SECONDS - 1
    assert world.connections.find("connection-1", NOW) == opened
    assert world.another_container().find("connection-1", NOW) is None

    world.seconds = TTL_SECONDS
    assert world.connections.find("connection-1", NOW) is None


def test_a_connection_whose_key_was_deleted_is_not_found(world: World) -> None:
    text, _ = world.a_key()
    world.open(text)
    world.keys = MemoryApiKeys()

    assert world.another_container().find("connection-1", NOW) is None


def test_a_key_that_expires_during_a_connection_ends_it(world: World) -> None:
    text, _ = world.a_key(expires_at=NOW + 100)
    opened = world.open(text)

    world.seconds = TTL_SECONDS
    assert world.connections.find("connection-1", NOW + 99) == opened
    world.seconds = 2 * TTL_SECONDS
    assert world.connections.find("connection-1", NOW + 100) is None


def test_a_connection_that_was_found_is_cached(world: World) -> None:
    text, record = world.a_key()
    opened = world.open(text)
    other = world.another_container()
    assert other.find("connection-1", NOW) == opened
    world.keys.put(msgspec.structs.replace(record, revoked_at=NOW), replacing=record)

    assert other.find("connection-1", NOW) == opened


def test_a_closed_connection_is_not_found(world: World) -> None:
    text, _ = world.a_key()
    world.open(text)

    world.connections.close("connection-1")
    world.connections.close("connection-1")

    assert world.connections.find("connection-1", NOW) is None


# --- last acknowledged sequence --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequences", "last"),
    [([41, 42], 42), ([42, 41], 41), ([42, None], 42), ([None, 42, None], 42), ([0], 0), ([None], None), ([], None)],
)
def test_the_last_sequence_among_the_points_is_that_of_the_source(
    world: World, sequences: list[int | None], last: int | None
) -> None:
    text, _ = world.a_key()
    opened = world.open(text)

    world.connections.acknowledge(opened, [a_point(sequence=sequence) for sequence in sequences], NOW)

    assert world.connections.last_sequence(opened) == last


def test_points_without_a_sequence_leave_the_last_one_as_it_was(world: World) -> None:
    text, _ = world.a_key()
    opened = world.open(text)
    world.connections.acknowledge(opened, [a_point(sequence=42)], NOW)

    world.connections.acknowledge(opened, [a_point()], NOW + 1)

    assert world.connections.last_sequence(opened) == 42
