"""The contract of `ApiKeyStore`: keys by their ids; of two writers one fails."""

from collections.abc import Callable

import msgspec
import pytest

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_tenants import DynamoTenants
from afluente.adapters.memory.access import MemoryApiKeys
from afluente.application.access.grants import Action
from afluente.application.access.ports import ApiKeyStore, StaleKeyError
from afluente.application.errors import UnavailableError
from afluente.application.limits.stage_limits import KeyLimits
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW, a_tenant, an_api_key


@pytest.fixture
def store(backend: LocalAws | None) -> ApiKeyStore:
    if backend is None:
        return MemoryApiKeys()
    return DynamoApiKeys(backend.client("dynamodb"), backend.table("id"))


def test_a_key_that_nobody_put_is_not_found(store: ApiKeyStore) -> None:
    assert store.find("aaaaaaaa") is None
    assert list(store.list()) == []


def test_a_key_is_found_by_its_id_as_it_was_put(store: ApiKeyStore) -> None:
    _, key = an_api_key(
        name="plant 7 😀",
        tenant="acme",
        actions=(Action.INGEST, Action.ALARMS),
        domains=("iot",),
        sources=("furnace-*", "é"),
        limits=KeyLimits(points_per_day=1_000),
        expires_at=NOW + 0.5,
    )
    _, other = an_api_key(another_id(2))

    store.put(key)
    store.put(other)

    assert store.find(key.key_id) == key
    assert store.find(other.key_id) == other


def test_a_key_replaces_the_one_that_was_found(store: ApiKeyStore) -> None:
    _, key = an_api_key()
    revoked = msgspec.structs.replace(key, revoked_at=NOW)

    store.put(key)
    store.put(revoked, replacing=key)

    assert store.find(key.key_id) == revoked
    assert list(store.list()) == [revoked]


def test_a_key_that_was_changed_meanwhile_is_left_as_it_is(store: ApiKeyStore) -> None:
    _, key = an_api_key()
    revoked = msgspec.structs.replace(key, revoked_at=NOW)
    store.put(key)
    store.put(revoked, replacing=key)

    with pytest.raises(StaleKeyError):
        store.put(msgspec.structs.replace(key, expires_at=NOW + 1), replacing=key)

    assert store.find(key.key_id) == revoked


def test_a_new_key_does_not_replace_another(store: ApiKeyStore) -> None:
    _, key = an_api_key()
    store.put(key)

    with pytest.raises(StaleKeyError):
        store.put(msgspec.structs.replace(key, name="another"))

    assert store.find(key.key_id) == key


def test_a_use_that_an_earlier_release_kept_in_the_key_is_read_and_left_by_changes(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    store, (_, key) = DynamoApiKeys(client, table), an_api_key()
    store.put(key)
    client.update_item(
        TableName=table,
        Key={"id": {"S": f"key#{key.key_id}"}},
        UpdateExpression="SET last_used_at = :now",
        ExpressionAttributeValues={":now": {"N": str(NOW + 0.5)}},
    )
    found = store.find(key.key_id)
    assert found == msgspec.structs.replace(key, last_used_at=NOW + 0.5)

    store.put(msgspec.structs.replace(key, revoked_at=NOW), replacing=found)

    assert store.find(key.key_id) == msgspec.structs.replace(key, revoked_at=NOW, last_used_at=NOW + 0.5)


def test_all_keys_are_listed(store: ApiKeyStore) -> None:
    keys = [an_api_key(another_id(number))[1] for number in range(50)]
    for key in keys:
        store.put(key)

    assert sorted(store.list(), key=lambda key: key.key_id) == sorted(keys, key=lambda key: key.key_id)


def test_tenants_in_the_same_table_are_no_keys(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    _, key = an_api_key()
    DynamoApiKeys(client, table).put(key)
    DynamoTenants(client, table).put(a_tenant())

    assert list(DynamoApiKeys(client, table).list()) == [key]


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem", "Scan"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    store = DynamoApiKeys(client, table)
    fail(client, operation)

    calls: dict[str, list[Callable[[], object]]] = {
        "GetItem": [lambda: store.find("aaaaaaaa")],
        "UpdateItem": [lambda: store.put(an_api_key()[1])],
        "Scan": [lambda: list(store.list())],
    }
    for call in calls[operation]:
        with pytest.raises(UnavailableError, match=table):
            call()


def another_id(number: int) -> int:
    """The number of which `an_api_key` makes a key with another id."""
    return number << (32 * 8)
