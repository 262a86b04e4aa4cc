"""The contract of `PackTries`: failed tries are counted pack by pack."""

import time

import pytest

from afluente.adapters.aws.dynamodb_pack_tries import KEPT_SECONDS, DynamoPackTries
from afluente.adapters.memory.classification import MemoryPackTries
from afluente.application.classification.ports import PackTries
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, fail

NUMBER = 18881963022385647616
"""A sequence number of SQS: beyond 64 bits of a signed integer."""


@pytest.fixture
def tries(backend: LocalAws | None) -> PackTries:
    if backend is None:
        return MemoryPackTries()
    return DynamoPackTries(backend.client("dynamodb"), backend.table("source", "bucket"))


def test_each_pack_has_a_count_of_its_own(tries: PackTries) -> None:
    assert [tries.count("3-of-64", NUMBER) for _ in range(3)] == [1, 2, 3]
    assert tries.count("3-of-64", NUMBER + 1) == 1
    assert tries.count("4-of-64", NUMBER) == 1
    assert tries.count("3-of-64", NUMBER) == 4


def test_a_count_expires_after_the_queue_has_lost_the_pack(moto: LocalAws) -> None:
    client, table = moto.client("dynamodb"), moto.table("source", "bucket")

    DynamoPackTries(client, table, clock=lambda: 1000.5).count("3-of-64", NUMBER)

    (item,) = client.scan(TableName=table)["Items"]
    assert item["expires_at"] == {"N": str(1000 + KEPT_SECONDS)}
    assert KEPT_SECONDS > 14 * 86_400


def test_a_table_that_does_not_answer_is_unavailable(moto: LocalAws) -> None:
    client = moto.client("dynamodb")
    fail(client, "UpdateItem")

    with pytest.raises(UnavailableError):
        DynamoPackTries(client, moto.table("source", "bucket"), clock=time.time).count("3-of-64", NUMBER)
