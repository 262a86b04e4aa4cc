"""The contract of `ApiKeyStore`: keys by their hash."""

from collections.abc import Callable

import msgspec
import pytest

from afluente.adapters.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.memory import MemoryApiKeys
from afluente.application.api_keys import ApiKeyStore
from afluente.application.ports import UnavailableError
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW, an_api_key


@pytest.fixture
def store(backend: LocalAws | None) -> ApiKeyStore:
    if backend is None:
        return MemoryApiKeys()
    return DynamoApiKeys(backend.client("dynamodb"), backend.table("key_hash"))


def test_a_key_that_nobody_put_is_not_found(store: ApiKeyStore) -> None:
    assert store.find("0" * 64) is None
    assert list(store.list()) == []


def test_a_key_is_found_by_its_hash_as_it_was_put(store: ApiKeyStore) -> None:
    _, key = an_api_key(name="plant 7 😀", domains=("iot",), sources=("furnace-*", "é"), expires_at=NOW + 0.5)
    _, other = an_api_key(2)

    store.put(key)
    store.put(other)

    assert store.find(key.key_hash) == key
    assert store.find(other.key_hash) == other
    assert store.find(other.key_id) is None


def test_a_key_that_is_put_again_takes_the_place_of_the_one_before(store: ApiKeyStore) -> None:
    _, key = an_api_key()
    revoked = msgspec.structs.replace(key, revoked_at=NOW)

    store.put(key)
    store.put(revoked)

    assert store.find(key.key_hash) == revoked
    assert list(store.list()) == [revoked]


def test_all_keys_are_listed(store: ApiKeyStore) -> None:
    keys = [an_api_key(number)[1] for number in range(50)]
    for key in keys:
        store.put(key)

    assert sorted(store.list(), key=lambda key: key.key_hash) == sorted(keys, key=lambda key: key.key_hash)


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "Scan"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("key_hash")
    store = DynamoApiKeys(client, table)
    fail(client, operation)

    calls: dict[str, Callable[[], object]] = {
        "GetItem": lambda: store.find("0" * 64),
        "PutItem": lambda: store.put(an_api_key()[1]),
        "Scan": lambda: list(store.list()),
    }
    with pytest.raises(UnavailableError, match=table):
        calls[operation]()
