"""The contract of `TenantStore`: tenants by their names."""

from collections.abc import Callable

import pytest

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_tenants import DynamoTenants
from afluente.adapters.memory.access import MemoryTenants
from afluente.application.access.ports import TenantStore
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, fail
from tests.factories import a_tenant, an_api_key


@pytest.fixture
def store(backend: LocalAws | None) -> TenantStore:
    if backend is None:
        return MemoryTenants()
    return DynamoTenants(backend.client("dynamodb"), backend.table("id"))


def test_a_tenant_that_nobody_put_is_not_found(store: TenantStore) -> None:
    assert store.find("acme") is None
    assert list(store.list()) == []


def test_a_tenant_is_found_as_it_was_put_last(store: TenantStore) -> None:
    store.put(a_tenant("zeta"))
    store.put(a_tenant("acme", sources=("acme-*", "é*")))
    store.put(a_tenant("acme", sources=("acme-*",)))

    assert store.find("acme") == a_tenant("acme", sources=("acme-*",))
    assert sorted(tenant.name for tenant in store.list()) == ["acme", "zeta"]


def test_a_removed_tenant_is_not_found_and_the_others_are(store: TenantStore) -> None:
    store.put(a_tenant("zeta"))
    store.put(a_tenant("acme"))

    store.remove("acme")
    store.remove("acme")

    assert store.find("acme") is None
    assert [tenant.name for tenant in store.list()] == ["zeta"]


def test_keys_in_the_same_table_are_no_tenants(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    DynamoApiKeys(client, table).put(an_api_key()[1])
    DynamoTenants(client, table).put(a_tenant())

    assert list(DynamoTenants(client, table).list()) == [a_tenant()]


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "DeleteItem", "Scan"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    store = DynamoTenants(client, table)
    fail(client, operation)

    calls: dict[str, Callable[[], object]] = {
        "GetItem": lambda: store.find("acme"),
        "PutItem": lambda: store.put(a_tenant()),
        "DeleteItem": lambda: store.remove("acme"),
        "Scan": lambda: list(store.list()),
    }
    with pytest.raises(UnavailableError, match=table):
        calls[operation]()
