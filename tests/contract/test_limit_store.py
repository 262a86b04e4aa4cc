"""The contract of `LimitStore`, and the limiter on top of each of its adapters."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from afluente.adapters.aws.dynamodb_limits import DynamoLimits
from afluente.adapters.memory.limits import MemoryLimits
from afluente.application.errors import BusyError, UnavailableError
from afluente.application.limits.decisions import Allowed, Demand
from afluente.application.limits.leases import Hold, SharedBucket
from afluente.application.limits.limiter import Limiter
from afluente.application.limits.ports import LimitStore
from afluente.application.limits.rules import Subject
from afluente.application.limits.stage_limits import Limits
from tests.contract.conftest import MOTO_IS_UNFAITHFUL
from tests.contract.local_aws import LocalAws, count_requests, fail
from tests.factories import NOW

FULL = SharedBucket(
    version=1,
    at=NOW + 0.123456789,
    requests=12.345678901234567,
    points=0.1,
    day=20_000,
    day_points=7,
    holds={"é": Hold(1.5, 2, NOW + 60)},
)

NewStore = Callable[[], LimitStore]


@pytest.fixture
def new_store(backend: LocalAws | None) -> NewStore:
    """Makes stores of one content, one a container."""
    if backend is None:
        shared = MemoryLimits()
        return lambda: shared
    table = backend.table("subject")
    return lambda: DynamoLimits(backend.client("dynamodb"), table)


def test_a_subject_that_nobody_saved_has_an_empty_bucket(new_store: NewStore) -> None:
    assert new_store().load("key:abc") == SharedBucket()


def test_a_bucket_is_loaded_as_it_was_saved(new_store: NewStore) -> None:
    assert new_store().save("source:iot/é 😀", FULL, expires_at=NOW + 60) is None

    assert new_store().load("source:iot/é 😀") == FULL
    assert new_store().load("source:iot/e") == SharedBucket()


def test_the_second_writer_of_a_version_gets_the_bucket_of_the_first(new_store: NewStore) -> None:
    one, other = new_store(), new_store()
    second = msgspec.structs.replace(FULL, version=2, requests=1.0)
    assert one.save("key:abc", FULL, expires_at=NOW) is None

    assert other.save("key:abc", FULL, expires_at=NOW) == FULL
    assert other.save("key:abc", second, expires_at=NOW) is None
    assert one.save("key:abc", msgspec.structs.replace(second, requests=9.0), expires_at=NOW) == second
    assert one.load("key:abc") == second


def test_the_writer_of_a_bucket_that_was_deleted_gets_an_empty_one(new_store: NewStore) -> None:
    assert new_store().save("key:abc", msgspec.structs.replace(FULL, version=7), expires_at=NOW) == SharedBucket()


@MOTO_IS_UNFAITHFUL  # moto lets two conditional writes of one item through at once
def test_concurrent_containers_allow_no_more_than_burst_and_rate(new_store: NewStore) -> None:
    limits = Limits(requests_per_second=50, requests_burst=200, points_per_day=2_000)
    demand = Demand(Subject.KEY, "abc", limits, 1, 3)
    begun = time.time()

    def send(place: int) -> tuple[int, float]:
        # Fails shut: a request whose lease is not written in time is not allowed.
        one = Limiter(new_store(), container=f"container-{place}", fails_open=False, sleep=time.sleep)
        through = 0
        for _ in range(200):
            try:
                through += isinstance(one.acquire([demand], time.time()), Allowed)
            except UnavailableError:
                continue
        return through, time.time()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, range(8)))

    through = sum(count for count, _ in outcomes)
    allowed = 200 + 50 * (max(end for _, end in outcomes) - begun)
    assert 100 <= through <= allowed
    assert through * 3 <= 2_000


def test_an_item_expires_once_it_equals_a_new_one(aws: LocalAws) -> None:
    table = aws.table("subject")
    DynamoLimits(aws.client("dynamodb"), table).save("key:abc", FULL, expires_at=NOW + 60.5)

    (item,) = aws.client("dynamodb").scan(TableName=table)["Items"]

    assert float(item["expires_at"]["N"]) >= NOW + 60.5
    assert item["subject"] == {"S": "key:abc"}


def test_a_hundred_requests_of_a_sender_are_a_few_calls(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    one = Limiter(DynamoLimits(client, aws.table("subject")), container="one", fails_open=False, sleep=lambda _: None)
    demand = Demand(Subject.KEY, "abc", Limits(requests_per_second=100, requests_burst=1_000), 1, 0)
    calls = count_requests(client)

    for n in range(100):
        one.acquire([demand], NOW + n / 10)

    assert calls["GetItem"] == 1
    assert calls["PutItem"] <= 5


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
@pytest.mark.parametrize(
    ("code", "kind"), [("InternalServerError", UnavailableError), ("ThrottlingException", BusyError)]
)
def test_a_table_that_does_not_answer_is_unavailable_and_one_beyond_a_quota_busy(
    aws: LocalAws, operation: str, code: str, kind: type[UnavailableError]
) -> None:
    client = aws.client("dynamodb")
    store = DynamoLimits(client, aws.table("subject"))
    fail(client, operation, code=code)

    with pytest.raises(kind, match=code):
        store.load("key:abc") if operation == "GetItem" else store.save("key:abc", FULL, expires_at=NOW)
