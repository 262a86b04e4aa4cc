"""The contract of `KeyUses`: the last use of each key."""

from collections.abc import Callable

import pytest

from afluente.adapters.aws.dynamodb_key_uses import DynamoKeyUses
from afluente.adapters.memory.access import MemoryKeyUses
from afluente.application.access.ports import KeyUses
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW


@pytest.fixture
def uses(backend: LocalAws | None) -> KeyUses:
    if backend is None:
        return MemoryKeyUses()
    return DynamoKeyUses(backend.client("dynamodb"), backend.table("id"))


def test_a_key_that_was_never_used_has_no_use(uses: KeyUses) -> None:
    assert uses.last("aaaaaaaa") is None
    assert list(uses.list()) == []


def test_the_last_use_of_each_key_is_kept(uses: KeyUses) -> None:
    uses.record("aaaaaaaa", NOW)
    uses.record("aaaaaaaa", NOW + 0.5)
    uses.record("bbbbbbbb", NOW + 1)

    assert uses.last("aaaaaaaa") == NOW + 0.5
    assert sorted(uses.list()) == [("aaaaaaaa", NOW + 0.5), ("bbbbbbbb", NOW + 1)]


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "Scan"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    uses = DynamoKeyUses(client, table)
    fail(client, operation)

    calls: dict[str, Callable[[], object]] = {
        "GetItem": lambda: uses.last("aaaaaaaa"),
        "PutItem": lambda: uses.record("aaaaaaaa", NOW),
        "Scan": lambda: list(uses.list()),
    }
    with pytest.raises(UnavailableError, match=table):
        calls[operation]()
