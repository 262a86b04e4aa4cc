"""The contract of `ConnectionStore`: connections by their ids, and the last acknowledged sequence of each source."""

from collections.abc import Callable
from typing import Any

import pytest

from afluente.adapters.aws.dynamodb_connections import CONNECTION_SECONDS, SEQUENCE_SECONDS, DynamoConnections
from afluente.adapters.memory.websocket import MemoryConnections
from afluente.application.errors import UnavailableError
from afluente.application.websocket.ports import ConnectionStore
from afluente.domain.datapoints import MAX_SEQUENCE
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW, a_connection


@pytest.fixture
def store(backend: LocalAws | None) -> ConnectionStore:
    if backend is None:
        return MemoryConnections()
    return DynamoConnections(backend.client("dynamodb"), backend.table("id"))


def test_a_connection_that_nobody_opened_is_not_found(store: ConnectionStore) -> None:
    assert store.find("connection-1") is None


def test_a_connection_is_found_by_its_id_as_it_was_opened(store: ConnectionStore) -> None:
    one, other = a_connection("a=", source_id="Öl/😀", opened_at=NOW + 0.5), a_connection("b=")

    store.open(one)
    store.open(other)

    assert store.find("a=") == one
    assert store.find("b=") == other


def test_a_connection_that_is_opened_again_is_replaced(store: ConnectionStore) -> None:
    store.open(a_connection(source_id="furnace-1"))
    store.open(a_connection(source_id="furnace-2"))

    assert store.find("connection-1") == a_connection(source_id="furnace-2")


def test_a_closed_connection_is_not_found_and_the_others_are(store: ConnectionStore) -> None:
    store.open(a_connection("a"))
    store.open(a_connection("b"))

    store.close("a")
    store.close("a")

    assert store.find("a") is None
    assert store.find("b") == a_connection("b")


def test_a_source_without_acknowledgements_has_no_sequence(store: ConnectionStore) -> None:
    store.save_sequence("iot/furnace-10", 5, NOW)

    assert store.last_sequence("iot/furnace-1") is None


@pytest.mark.parametrize("sequence", [0, 41, MAX_SEQUENCE])
def test_the_last_sequence_replaces_the_one_before_even_if_smaller(store: ConnectionStore, sequence: int) -> None:
    store.save_sequence("iot/furnace-1", 42, NOW)
    store.save_sequence("iot/furnace-2", 7, NOW)
    store.save_sequence("iot/furnace-1", sequence, NOW + 1)

    assert store.last_sequence("iot/furnace-1") == sequence
    assert store.last_sequence("iot/furnace-2") == 7


def test_a_sequence_outlives_the_connection_over_which_it_came(store: ConnectionStore) -> None:
    store.open(a_connection())
    store.save_sequence(a_connection().source, 42, NOW)
    store.close("connection-1")

    assert store.last_sequence("iot/furnace-1") == 42


def test_a_connection_and_a_source_of_one_name_are_two_things(store: ConnectionStore) -> None:
    store.open(a_connection("iot/furnace-1"))
    store.save_sequence("connection-1", 3, NOW)

    assert store.last_sequence("iot/furnace-1") is None
    assert store.find("connection-1") is None


def test_connections_expire_after_their_end_and_sequences_after_a_month(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), aws.table("id")
    store = DynamoConnections(client, table)

    store.open(a_connection(opened_at=NOW + 0.75))
    store.save_sequence("iot/furnace-1", 42, NOW + 0.75)

    assert CONNECTION_SECONDS > 2 * 3600
    assert SEQUENCE_SECONDS == 30 * 24 * 3600
    expiries = {item["id"]["S"]: item["expires_at"] for item in client.scan(TableName=table)["Items"]}
    assert expiries == {
        "connection#connection-1": {"N": str(int(NOW) + CONNECTION_SECONDS)},
        "source#iot/furnace-1": {"N": str(int(NOW) + SEQUENCE_SECONDS)},
    }


@pytest.mark.parametrize(
    ("operation", "use"),
    [
        ("GetItem", lambda store: store.find("connection-1")),
        ("PutItem", lambda store: store.open(a_connection())),
        ("DeleteItem", lambda store: store.close("connection-1")),
        ("GetItem", lambda store: store.last_sequence("iot/furnace-1")),
        ("PutItem", lambda store: store.save_sequence("iot/furnace-1", 1, NOW)),
    ],
)
def test_a_table_that_does_not_answer_is_unavailable(
    aws: LocalAws, operation: str, use: Callable[[ConnectionStore], Any]
) -> None:
    client = aws.client("dynamodb")
    store = DynamoConnections(client, aws.table("id"))
    fail(client, operation)

    with pytest.raises(UnavailableError, match="DynamoDB table afluente-test"):
        use(store)
