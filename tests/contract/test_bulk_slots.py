"""The contract of `BulkSlots`: no more slots of a group than its limit, each until it is released or expires."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from afluente.adapters.aws.dynamodb_slots import DynamoSlots
from afluente.adapters.memory.ingest import MemorySlots
from afluente.application.errors import UnavailableError
from afluente.application.ingest.ports import BulkSlots, HeldSlot
from tests.contract.conftest import MOTO_IS_UNFAITHFUL
from tests.contract.local_aws import LocalAws, count_requests, fail
from tests.factories import NOW

GROUP = "3-of-64"
LEASE = 900
# As long as SQS makes them.
NUMBER = 18_900_000_000_000_000_123


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


NewSlots = Callable[[], BulkSlots]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_slots(backend: LocalAws | None, clock: Clock) -> NewSlots:
    """Makes stores of the same slots, one a container."""
    if backend is None:
        shared = MemorySlots(limit=2, lease_seconds=LEASE, clock=clock)
        return lambda: shared
    table = backend.table("group")
    return lambda: DynamoSlots(backend.client("dynamodb"), table, limit=2, lease_seconds=LEASE, clock=clock)


def test_a_group_has_no_more_slots_than_the_limit(new_slots: NewSlots) -> None:
    one, other = new_slots(), new_slots()

    assert [slots.acquire(GROUP, token) for slots, token in [(one, "a"), (other, "b")]] == [HeldSlot(), HeldSlot()]
    assert one.acquire(GROUP, "c") is None
    assert other.acquire(GROUP, "c") is None
    assert other.acquire("4-of-64", "c") == HeldSlot()


def test_the_same_token_has_the_same_slot(new_slots: NewSlots) -> None:
    slots = new_slots()
    slots.acquire(GROUP, "a")
    slots.acquire(GROUP, "b")

    assert new_slots().acquire(GROUP, "a") == HeldSlot()
    assert slots.acquire(GROUP, "c") is None


def test_a_released_slot_is_free_again_for_those_who_found_none(new_slots: NewSlots) -> None:
    slots, classifier = new_slots(), new_slots()
    for token in "abc":
        slots.acquire(GROUP, token)

    classifier.release(GROUP, "a", NUMBER)

    assert slots.acquire(GROUP, "c") == HeldSlot(released_through=NUMBER)
    assert slots.acquire(GROUP, "d") is None


def test_releasing_again_or_a_slot_that_nobody_holds_frees_no_other(new_slots: NewSlots) -> None:
    slots = new_slots()
    slots.release(GROUP, "a", 1)
    for token in "ab":
        slots.acquire(GROUP, token)

    slots.release(GROUP, "gone", 7)
    assert slots.acquire(GROUP, "c") is None

    slots.release(GROUP, "a", 8)
    slots.release(GROUP, "a", 8)

    assert slots.acquire(GROUP, "c") == HeldSlot(released_through=8)
    assert slots.acquire(GROUP, "d") is None


def test_a_slot_that_nobody_releases_expires(new_slots: NewSlots, clock: Clock) -> None:
    slots = new_slots()
    slots.acquire(GROUP, "a")
    clock.now += 1
    slots.acquire(GROUP, "b")
    assert slots.acquire(GROUP, "c") is None

    clock.now = NOW + LEASE
    assert slots.acquire(GROUP, "c") is not None
    assert slots.acquire(GROUP, "d") is None

    clock.now += 1
    assert slots.acquire(GROUP, "d") is not None
    assert slots.acquire(GROUP, "e") is None


def test_acquiring_again_renews_the_lease_even_of_an_expired_slot(new_slots: NewSlots, clock: Clock) -> None:
    slots = new_slots()
    slots.acquire(GROUP, "a")
    slots.acquire(GROUP, "b")
    clock.now += LEASE + 5

    assert slots.acquire(GROUP, "a") is not None
    clock.now += LEASE - 1

    assert slots.acquire(GROUP, "b") is not None
    assert slots.acquire(GROUP, "c") is None


@MOTO_IS_UNFAITHFUL  # moto (5.2) checks the condition of a write, and writes, in two steps
def test_senders_side_by_side_never_hold_more_than_the_limit(new_slots: NewSlots) -> None:
    def acquire(token: str) -> bool:
        return new_slots().acquire(GROUP, token) is not None

    with ThreadPoolExecutor(8) as executor:
        acquired = list(executor.map(acquire, "abcdefgh"))

    assert sum(acquired) == 2


# --- DynamoDB --------------------------------------------------------------------------------------------------------


def test_a_pack_costs_two_writes_and_a_wait_costs_reads(aws: LocalAws, clock: Clock) -> None:
    client = aws.client("dynamodb")
    slots = DynamoSlots(client, aws.table("group"), limit=2, lease_seconds=LEASE, clock=clock)
    slots.acquire(GROUP, "a")
    calls = count_requests(client)

    slots.acquire(GROUP, "b")
    slots.release(GROUP, "a", 1)
    assert calls == {"UpdateItem": 2}

    slots.acquire(GROUP, "c")
    slots.acquire(GROUP, "d")
    calls.clear()
    for _ in range(3):
        slots.acquire(GROUP, "d")
    assert calls == {"GetItem": 3}


@pytest.mark.parametrize("operation", ["UpdateItem", "GetItem"])
def test_a_store_that_does_not_answer_is_unavailable(aws: LocalAws, clock: Clock, operation: str) -> None:
    client = aws.client("dynamodb")
    slots = DynamoSlots(client, aws.table("group"), limit=2, lease_seconds=LEASE, clock=clock)
    for token in "abc":
        slots.acquire(GROUP, token)
    fail(client, operation)

    with pytest.raises(UnavailableError):
        slots.acquire(GROUP, "a")


def test_a_release_that_fails_is_said(aws: LocalAws, clock: Clock) -> None:
    client = aws.client("dynamodb")
    slots = DynamoSlots(client, aws.table("group"), limit=2, lease_seconds=LEASE, clock=clock)
    fail(client, "UpdateItem")

    with pytest.raises(UnavailableError):
        slots.release(GROUP, "a", 1)
