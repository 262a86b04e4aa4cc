"""The contract of `ConstraintsCatalogue`: constraints by scope, in versions."""

from collections.abc import Callable

import pytest

from afluente.adapters.dynamodb_constraints import DynamoConstraints
from afluente.adapters.memory import MemoryConstraints
from afluente.application.ports import ConstraintsCatalogue, StaleConstraintsError, UnavailableError
from afluente.domain.classification import Baseline, VersionedConfig
from afluente.domain.constraints import Severity
from tests.contract.local_aws import BATCH_GET_ITEM, LocalAws, count_requests, fail, fail_in_part
from tests.factories import NOW, Clock, a_config


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def catalogue(backend: LocalAws | None, clock: Clock) -> ConstraintsCatalogue:
    if backend is None:
        return MemoryConstraints(clock)
    return DynamoConstraints(backend.client("dynamodb"), backend.table("key"), sleep=no_sleep, clock=clock)


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


FULL = a_config(
    stream_id="temperature",
    source_id="furnace-1",
    stream_type="thermocouple",
    min_value=-273.15,
    max_value=1e300,
    warning_min=0.1,
    severity=Severity.CRITICAL,
    rel_slope=0.5,
    consecutive_violations_required=5,
    cooldown_seconds=0.5,
    metadata={"owner": "plant 7 😀", "nested": [1, None]},
)


def test_a_scope_that_has_no_constraints_is_not_found(catalogue: ConstraintsCatalogue) -> None:
    assert catalogue.fetch(["iot", "iot#wind", "iot/furnace-1/temperature"]) == {}
    assert list(catalogue.list()) == []


def test_nothing_is_found_of_no_scopes(catalogue: ConstraintsCatalogue) -> None:
    assert catalogue.fetch([]) == {}


def test_constraints_are_found_as_they_were_put(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot/furnace-1/temperature", FULL)
    catalogue.put("iot#wind", a_config())

    assert catalogue.fetch(["iot/furnace-1/temperature", "iot#wind", "iot"]) == {
        "iot/furnace-1/temperature": VersionedConfig(FULL, 1),
        "iot#wind": VersionedConfig(a_config(), 1),
    }


def test_constraints_that_are_put_again_have_the_next_version(catalogue: ConstraintsCatalogue) -> None:
    assert [catalogue.put("iot", a_config(max_value=limit)) for limit in (1, 2, 3)] == [1, 2, 3]

    assert catalogue.fetch(["iot"]) == {"iot": VersionedConfig(a_config(max_value=3), 3)}


def test_scopes_count_their_versions_each_for_itself(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config())

    assert catalogue.put("health", a_config()) == 1


def test_constraints_that_were_deleted_are_gone(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config())

    assert catalogue.delete("iot") is True
    assert catalogue.delete("iot") is False
    assert catalogue.fetch(["iot"]) == {}


def test_constraints_of_the_expected_version_are_replaced_and_taken_away(catalogue: ConstraintsCatalogue) -> None:
    assert catalogue.put("iot", a_config(max_value=1), expected_version=0) == 1
    assert catalogue.put("iot", a_config(max_value=2), expected_version=1) == 2
    assert catalogue.delete("iot", expected_version=2) is True
    assert catalogue.delete("iot", expected_version=2) is False


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_constraints_of_another_version_than_expected_stay(catalogue: ConstraintsCatalogue, expected: int) -> None:
    catalogue.put("iot", a_config(max_value=1))
    catalogue.put("iot", a_config(max_value=2))

    with pytest.raises(StaleConstraintsError):
        catalogue.put("iot", a_config(max_value=3), expected_version=expected)
    with pytest.raises(StaleConstraintsError):
        catalogue.delete("iot", expected_version=expected)

    assert catalogue.fetch(["iot"]) == {"iot": VersionedConfig(a_config(max_value=2), 2)}


def test_constraints_that_are_expected_and_not_there_are_not_made(catalogue: ConstraintsCatalogue) -> None:
    with pytest.raises(StaleConstraintsError):
        catalogue.put("iot", a_config(), expected_version=1)

    assert catalogue.fetch(["iot"]) == {}


def test_a_baseline_stays_until_another_is_put(catalogue: ConstraintsCatalogue) -> None:
    first, second = Baseline(NOW - 0.125, -1e300), Baseline(NOW, 0.1)

    catalogue.put("iot", a_config())
    assert catalogue.fetch(["iot"])["iot"].baseline is None
    catalogue.put("iot", a_config(), baseline=first)
    catalogue.put("iot", a_config(max_value=1))
    assert catalogue.fetch(["iot"]) == {"iot": VersionedConfig(a_config(max_value=1), 3, first)}
    catalogue.put("iot", a_config(), baseline=second)
    assert dict(catalogue.list())["iot"].baseline == second


def test_a_deleted_scope_has_no_baseline_when_it_comes_again(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config(), baseline=Baseline(NOW, 1))
    catalogue.delete("iot")
    catalogue.put("iot", a_config())

    assert catalogue.fetch(["iot"]) == {"iot": VersionedConfig(a_config(), 1)}


def test_it_is_known_when_constraints_were_written_last(catalogue: ConstraintsCatalogue, clock: Clock) -> None:
    assert catalogue.changed_at("iot") is None

    catalogue.put("iot", a_config())
    clock.now += 7.25
    catalogue.put("iot", a_config())
    catalogue.put("health", a_config())

    assert catalogue.changed_at("iot") == NOW + 7.25
    catalogue.delete("iot")
    assert catalogue.changed_at("iot") is None


def test_any_number_of_scopes_is_found_and_listed(catalogue: ConstraintsCatalogue) -> None:
    scopes = [f"iot/furnace-1/sensor-{number}" for number in range(250)]
    for number, scope in enumerate(scopes):
        catalogue.put(scope, a_config(max_value=number))
    expected = {scope: VersionedConfig(a_config(max_value=number), 1) for number, scope in enumerate(scopes)}

    assert catalogue.fetch([*scopes, "iot"]) == expected
    assert dict(catalogue.list()) == expected


def test_many_scopes_take_few_requests(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    requests = count_requests(client)

    DynamoConstraints(client, table, sleep=no_sleep).fetch([f"iot/furnace-1/{number}" for number in range(250)])

    assert requests == {"BatchGetItem": 3}


@pytest.mark.parametrize("consistent", [True, False])
def test_a_read_is_as_consistent_as_it_is_asked_to_be(aws: LocalAws, *, consistent: bool) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    asked: list[bool] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.BatchGetItem",
        lambda params, **_: asked.append(params["RequestItems"][table]["ConsistentRead"]),
    )

    DynamoConstraints(client, table, sleep=no_sleep, consistent=consistent).fetch(["iot"])

    assert asked == [consistent]


def test_scopes_that_dynamodb_leaves_unprocessed_are_read_again_alone(aws: LocalAws) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    catalogue = DynamoConstraints(client, table, sleep=no_sleep)
    for scope in ("a", "b", "c"):
        catalogue.put(scope, a_config())
    told = fail_in_part(client, BATCH_GET_ITEM, plan=[{1, 2}, {0, 1}])

    assert set(catalogue.fetch(["a", "b", "c"])) == {"a", "b", "c"}
    assert [len(items) for items in told.calls] == [3, 2, 2]


@pytest.mark.parametrize("operation", ["BatchGetItem", "GetItem", "UpdateItem", "DeleteItem", "Scan"])
def test_a_table_that_fails_is_unavailable(aws: LocalAws, operation: str) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    catalogue = DynamoConstraints(client, table, sleep=no_sleep)
    fail(client, operation)

    calls: dict[str, Callable[[], object]] = {
        "BatchGetItem": lambda: catalogue.fetch(["iot"]),
        "GetItem": lambda: catalogue.changed_at("iot"),
        "UpdateItem": lambda: catalogue.put("iot", a_config()),
        "DeleteItem": lambda: catalogue.delete("iot"),
        "Scan": lambda: list(catalogue.list()),
    }
    with pytest.raises(UnavailableError, match=table):
        calls[operation]()
