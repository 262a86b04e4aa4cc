"""The contract of `ConstraintsCatalogue`: constraints by scope, in versions."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import msgspec
import pytest

from afluente.adapters.aws.dynamodb_constraints import BY_DOMAIN, DynamoConstraints, DynamoConstraintsCatalogue
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.constraints.history import ChangeKind, ConstraintsChange
from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import Baseline, Severity, VersionedConfig
from tests.contract.local_aws import BATCH_GET_ITEM, LocalAws, count_requests, fail, fail_in_part
from tests.factories import NOW, Clock, a_config


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def catalogue(backend: LocalAws | None, clock: Clock) -> ConstraintsCatalogue:
    return MemoryConstraints(clock, by="key-1") if backend is None else Tables(backend).catalogue(clock=clock)


@pytest.fixture
def tables(aws: LocalAws) -> "Tables":
    return Tables(aws)


class Tables:
    """The tables of constraints and of their history in a local AWS, for any number of clients."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.constraints = aws.table("key", indexes={BY_DOMAIN: ("domain", "key")}, index_form="S")
        self.history = aws.table("key", "version")
        self.client = aws.client("dynamodb")

    def catalogue(self, *, by: str = "key-1", clock: Callable[[], float] = time.time) -> DynamoConstraintsCatalogue:
        """A catalogue with a client of its own, which is `client` from now on."""
        self.client = self.aws.client("dynamodb")
        return DynamoConstraintsCatalogue(
            self.client, self.constraints, self.history, by=by, sleep=no_sleep, clock=clock
        )


@pytest.fixture(params=["memory", pytest.param("ministack", marks=pytest.mark.integration)])
def at_once(request: pytest.FixtureRequest) -> LocalAws | None:
    """The `backend` without moto, whose transactions do not isolate threads."""
    return None if request.param == "memory" else request.getfixturevalue(request.param)


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


def test_no_scopes_have_no_constraints(catalogue: ConstraintsCatalogue) -> None:
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


def test_each_scope_has_versions_of_its_own(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config())

    assert catalogue.put("health", a_config()) == 1


def test_deleted_constraints_are_not_found(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config())

    assert catalogue.delete("iot") is True
    assert catalogue.delete("iot") is False
    assert catalogue.fetch(["iot"]) == {}


def test_constraints_of_the_expected_version_are_replaced_and_deleted(catalogue: ConstraintsCatalogue) -> None:
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


def test_constraints_that_are_expected_and_absent_are_not_created(catalogue: ConstraintsCatalogue) -> None:
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


def test_a_deleted_scope_has_no_baseline_when_it_is_put_again(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config(), baseline=Baseline(NOW, 1))
    catalogue.delete("iot")
    catalogue.put("iot", a_config())

    assert catalogue.fetch(["iot"]) == {"iot": VersionedConfig(a_config(), 3)}


def test_constraints_have_the_time_of_their_last_change(catalogue: ConstraintsCatalogue, clock: Clock) -> None:
    assert catalogue.changed_at("iot") is None

    catalogue.put("iot", a_config())
    clock.now += 7.25
    catalogue.put("iot", a_config())
    catalogue.put("health", a_config())

    assert catalogue.changed_at("iot") == NOW + 7.25
    catalogue.delete("iot")
    assert catalogue.changed_at("iot") is None


def test_versions_continue_after_a_deletion(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config(max_value=1))
    catalogue.delete("iot")
    assert catalogue.put("iot", a_config(max_value=2), expected_version=0) == 3
    catalogue.delete("iot", expected_version=3)
    assert catalogue.put("iot", a_config(max_value=3)) == 5

    assert dict(catalogue.list()) == {"iot": VersionedConfig(a_config(max_value=3), 5)}


@pytest.mark.parametrize("expected", [1, 2])
def test_deleted_constraints_are_expected_as_none(catalogue: ConstraintsCatalogue, expected: int) -> None:
    catalogue.put("iot", a_config())
    catalogue.delete("iot")

    with pytest.raises(StaleConstraintsError):
        catalogue.put("iot", a_config(), expected_version=expected)
    assert catalogue.delete("iot", expected_version=expected) is False
    assert [change.version for change in catalogue.history("iot", limit=9)] == [2, 1]


def test_the_history_has_each_change_with_its_time_and_author(catalogue: ConstraintsCatalogue, clock: Clock) -> None:
    catalogue.put("iot", FULL)
    clock.now += 0.5
    catalogue.delete("iot")
    clock.now += 60
    catalogue.put("iot", FULL, restored=1)

    config = msgspec.to_builtins(FULL)
    assert catalogue.history("iot", limit=9) == [
        ConstraintsChange(version=3, kind=ChangeKind.ROLL_BACK, at=NOW + 60.5, by="key-1", config=config, restored=1),
        ConstraintsChange(version=2, kind=ChangeKind.DELETE, at=NOW + 0.5, by="key-1"),
        ConstraintsChange(version=1, kind=ChangeKind.PUT, at=NOW, by="key-1", config=config),
    ]
    assert catalogue.history("health", limit=9) == []


def test_a_change_that_fails_is_not_in_the_history(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot", a_config())
    with pytest.raises(StaleConstraintsError):
        catalogue.put("iot", a_config(max_value=1), expected_version=0)
    with pytest.raises(StaleConstraintsError):
        catalogue.delete("iot", expected_version=7)
    catalogue.delete("health")

    assert [change.version for change in catalogue.history("iot", limit=9)] == [1]
    assert catalogue.history("health", limit=9) == []


def test_the_history_is_read_in_parts(catalogue: ConstraintsCatalogue) -> None:
    for limit in range(12):
        catalogue.put("iot", a_config(max_value=limit))

    assert [change.version for change in catalogue.history("iot", limit=5)] == [12, 11, 10, 9, 8]
    assert [change.version for change in catalogue.history("iot", before=8, limit=99)] == [7, 6, 5, 4, 3, 2, 1]
    assert catalogue.history("iot", before=1, limit=5) == []


def test_many_are_put_at_once_whatever_their_version(catalogue: ConstraintsCatalogue) -> None:
    catalogue.put("iot/a/1", a_config(), baseline=Baseline(NOW, 1))
    catalogue.put("iot/a/2", a_config())
    catalogue.delete("iot/a/2")
    configs = [(f"iot/a/{number}", a_config(max_value=number)) for number in range(120)]

    versions = catalogue.put_all(configs)

    assert list(versions) == [1, 2, 3, *[1] * 117]
    assert dict(catalogue.list()) == {
        scope: VersionedConfig(config, version, Baseline(NOW, 1) if scope == "iot/a/1" else None)
        for (scope, config), version in zip(configs, versions, strict=True)
    }
    assert [change.version for change in catalogue.history("iot/a/2", limit=9)] == [3, 2, 1]
    assert list(catalogue.put_all([])) == []


def test_scopes_of_a_domain_are_found_in_order_and_in_parts(catalogue: ConstraintsCatalogue) -> None:
    its = ["iot", "iot#Temperature", "iot#wind", "iot/a/1", "iot/a/2", "iot/a-1/1", "iot/\U0001f600/1", "iot/é/1"]
    for scope in [*its, "iot-2", "iot-2/a/1", "health", "io/a/1"]:
        catalogue.put(scope, a_config())
    catalogue.put("iot/deleted/1", a_config())
    catalogue.delete("iot/deleted/1")

    def found(start: str, end: str, limit: int = 99) -> list[str]:
        return list(catalogue.scopes("iot", start=start, end=end, limit=limit))

    assert found("iot", "iot0") == sorted(its)
    assert found("iot", "iot0", limit=2) == ["iot", "iot#Temperature"]
    assert found("iot#Temperature\x00", "iot0", limit=2) == ["iot#wind", "iot/a-1/1"]
    assert found("iot/a", "iot/b") == ["iot/a-1/1", "iot/a/1", "iot/a/2"]
    assert found("iot/a/", "iot/a0") == ["iot/a/1", "iot/a/2"]
    assert found("iot/x", "iot/y") == []


def test_one_of_the_writers_who_expect_the_same_version_wins(at_once: LocalAws | None, clock: Clock) -> None:
    catalogues = _writers(at_once, clock, 8)

    def write(writer: int, expected: int) -> bool:
        try:
            catalogues[writer].put("iot", a_config(max_value=writer), expected_version=expected)
        except StaleConstraintsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for expected in range(5):
            won = list(pool.map(write, range(8), [expected] * 8))
            assert won.count(True) == 1
            newest = catalogues[0].history("iot", limit=1)[0]
            assert (newest.version, newest.by) == (expected + 1, f"key-{won.index(True)}")
            assert catalogues[0].fetch(["iot"]) == {
                "iot": VersionedConfig(a_config(max_value=won.index(True)), expected + 1)
            }


def test_each_writer_who_expects_no_version_writes_one_of_its_own(at_once: LocalAws | None, clock: Clock) -> None:
    catalogues = _writers(at_once, clock, 3)

    def write(writer: int) -> list[int]:
        return [catalogues[writer].put("iot", a_config(max_value=writer)) for _ in range(2)]

    with ThreadPoolExecutor(3) as pool:
        versions = list(pool.map(write, range(3)))

    assert sorted(version for its in versions for version in its) == list(range(1, 7))
    changes = catalogues[0].history("iot", limit=99)
    assert [change.version for change in changes] == list(range(6, 0, -1))
    assert {change.version: change.by for change in changes} == {
        version: f"key-{writer}" for writer, its in enumerate(versions) for version in its
    }


def _writers(backend: LocalAws | None, clock: Clock, number: int) -> list[ConstraintsCatalogue]:
    """Several writers of the same constraints."""
    names = [f"key-{writer}" for writer in range(number)]
    if backend is None:
        memory = MemoryConstraints(clock)
        return [memory.written_by(name) for name in names]
    tables = Tables(backend)
    return [tables.catalogue(by=name, clock=clock) for name in names]


def test_any_number_of_scopes_is_found_and_listed(catalogue: ConstraintsCatalogue) -> None:
    scopes = [f"iot/furnace-1/sensor-{number}" for number in range(250)]
    catalogue.put_all([(scope, a_config(max_value=number)) for number, scope in enumerate(scopes)])
    expected = {scope: VersionedConfig(a_config(max_value=number), 1) for number, scope in enumerate(scopes)}

    assert catalogue.fetch([*scopes, "iot"]) == expected
    assert dict(catalogue.list()) == expected


@pytest.mark.parametrize("are_side_by_side", [True, False])
def test_many_scopes_take_few_requests(aws: LocalAws, executor: Executor, *, are_side_by_side: bool) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    requests = count_requests(client)
    store = DynamoConstraints(client, table, sleep=no_sleep, executor=executor if are_side_by_side else None)

    store.fetch([f"iot/furnace-1/{number}" for number in range(250)])

    assert requests == {"BatchGetItem": 3}


@pytest.mark.parametrize("are_side_by_side", [True, False])
def test_scopes_are_unavailable_if_some_of_them_are(
    aws: LocalAws, executor: Executor, *, are_side_by_side: bool
) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    store = DynamoConstraints(client, table, sleep=no_sleep, executor=executor if are_side_by_side else None)
    fail(client, "BatchGetItem", times=1)

    with pytest.raises(UnavailableError):
        store.fetch([f"iot/furnace-1/{number}" for number in range(250)])


@pytest.mark.parametrize("consistent", [True, False])
def test_a_read_is_consistent_on_request(aws: LocalAws, *, consistent: bool) -> None:
    client, table = aws.client("dynamodb"), aws.table("key")
    asked: list[bool] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.BatchGetItem",
        lambda params, **_: asked.append(params["RequestItems"][table]["ConsistentRead"]),
    )

    DynamoConstraints(client, table, sleep=no_sleep, consistent=consistent).fetch(["iot"])

    assert asked == [consistent]


def test_scopes_that_dynamodb_leaves_unprocessed_are_read_again_alone(tables: "Tables") -> None:
    catalogue = tables.catalogue()
    for scope in ("a", "b", "c"):
        catalogue.put(scope, a_config())
    requests = fail_in_part(tables.client, BATCH_GET_ITEM, plan=[{1, 2}, {0, 1}])

    assert set(catalogue.fetch(["a", "b", "c"])) == {"a", "b", "c"}
    assert [len(items) for items in requests.calls] == [3, 2, 2]


def test_a_change_that_is_as_expected_takes_one_request(tables: "Tables") -> None:
    catalogue = tables.catalogue()
    requests = count_requests(tables.client)
    catalogue.put("iot", a_config(max_value=1), expected_version=0)
    catalogue.put("iot", a_config(max_value=2), expected_version=1)
    assert requests == {"TransactWriteItems": 2}


def test_a_hundred_are_put_with_few_requests(tables: "Tables") -> None:
    catalogue = tables.catalogue()
    requests = count_requests(tables.client)
    catalogue.put_all([(f"iot/a/{number}", a_config()) for number in range(100)])
    assert requests == {"BatchGetItem": 2, "TransactWriteItems": 2}


def test_one_lost_condition_does_not_keep_back_the_others_of_many(tables: "Tables") -> None:
    other, catalogue = tables.catalogue(by="other"), tables.catalogue()
    tables.client.meta.events.register_first(
        "provide-client-params.dynamodb.TransactWriteItems",
        _once(lambda: other.put("iot/a/1", a_config(max_value=7))),
    )

    versions = catalogue.put_all([(f"iot/a/{number}", a_config()) for number in range(3)])

    assert list(versions) == [1, 2, 1]
    assert [change.by for change in catalogue.history("iot/a/1", limit=9)] == ["key-1", "other"]


def test_a_writer_that_loses_every_attempt_gives_up(tables: "Tables") -> None:
    other, catalogue = tables.catalogue(by="other"), tables.catalogue()
    tables.client.meta.events.register_first(
        "provide-client-params.dynamodb.TransactWriteItems",
        lambda **_: other.put("iot", a_config(max_value=7)) and None,
    )

    with pytest.raises(UnavailableError, match="others change the constraints of iot"):
        catalogue.put("iot", a_config())
    assert {change.by for change in catalogue.history("iot", limit=99)} == {"other"}


def test_a_write_that_breaks_off_has_changed_both_tables_or_none(tables: "Tables") -> None:
    catalogue = tables.catalogue()
    catalogue.put("iot", a_config(max_value=1))
    fail(tables.client, "TransactWriteItems")
    with pytest.raises(UnavailableError):
        catalogue.put("iot", a_config(max_value=2))
    with pytest.raises(UnavailableError):
        catalogue.delete("iot")
    with pytest.raises(UnavailableError):
        catalogue.put_all([("iot", a_config(max_value=3)), ("health", a_config())])

    found = tables.catalogue()
    assert dict(found.list()) == {"iot": VersionedConfig(a_config(max_value=1), 1)}
    assert [change.version for change in found.history("iot", limit=9)] == [1]
    assert found.history("health", limit=9) == []


def test_versions_of_the_history_are_not_used_again_after_a_loss_of_constraints(tables: "Tables") -> None:
    catalogue = tables.catalogue()
    catalogue.put("iot", a_config(max_value=1))
    catalogue.put("iot", a_config(max_value=2))
    tables.client.delete_item(TableName=tables.constraints, Key={"key": {"S": "iot"}})

    assert catalogue.put("iot", a_config(max_value=3)) == 3
    tables.client.delete_item(TableName=tables.constraints, Key={"key": {"S": "iot"}})
    assert catalogue.put("iot", a_config(max_value=4), expected_version=0) == 4


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems", "Scan", "Query"])
def test_a_table_that_fails_is_unavailable(tables: "Tables", operation: str) -> None:
    catalogue = tables.catalogue()
    fail(tables.client, operation)

    calls: dict[str, list[Callable[[], object]]] = {
        "BatchGetItem": [lambda: catalogue.fetch(["iot"]), lambda: catalogue.changed_at("iot")],
        "TransactWriteItems": [lambda: catalogue.put("iot", a_config(), expected_version=0)],
        "Scan": [lambda: list(catalogue.list())],
        "Query": [
            lambda: catalogue.history("iot", limit=1),
            lambda: catalogue.scopes("iot", start="iot", end="iot0", limit=1),
        ],
    }
    for call in calls[operation]:
        with pytest.raises(UnavailableError, match=tables.constraints if operation != "Query" else "DynamoDB table"):
            call()


def test_a_throttled_transaction_is_unavailable(tables: "Tables") -> None:
    catalogue = tables.catalogue()
    fail(tables.client, "TransactWriteItems", code="TransactionCanceledException")
    with pytest.raises(UnavailableError):
        catalogue.put("iot", a_config(), expected_version=0)


def _once(act: Callable[[], object]) -> Callable[..., None]:
    left: Iterator[Callable[[], object]] = iter([act])

    def on_params(**_: object) -> None:
        for still in left:
            still()

    return on_params
