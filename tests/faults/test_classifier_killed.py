"""The classifier is killed in the middle of a pack: the pack is retried and takes effect once."""

from functools import partial

import pytest

from tests.faults.conftest import NewRun
from tests.faults.faults import KilledBetween, killed
from tests.faults.proxy import FaultProxy
from tests.stack import LocalStack

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("service", "operation", "after", "has_repeats"),
    [
        pytest.param("DynamoDB", "BatchGetItem", False, False, id="before the states are read"),
        pytest.param("Kinesis", "PutRecords", False, None, id="before the points are put"),
        pytest.param("Kinesis", "PutRecords", True, True, id="after points of one class are put"),
        pytest.param("AWSEvents", "PutEvents", True, True, id="after the alarms are published"),
        pytest.param("DynamoDB", "PutItem", False, True, id="before the states are saved"),
        pytest.param("DynamoDB", "PutItem", True, False, id="after the states are saved"),
    ],
)
def test_a_classifier_that_is_killed_loses_and_changes_nothing(
    service: str,
    operation: str,
    *,
    after: bool,
    has_repeats: bool | None,
    local_stack: LocalStack,
    classifier_calls: FaultProxy,
    new_run: NewRun,
) -> None:
    run = new_run()
    run.begin()

    fault = killed(partial(local_stack.kill, "classifier"), after=after)
    with classifier_calls.injected(fault, service, operation, times=1) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == 1
    run.end()
    # Calls for the other classes are made side by side: whether they were done is not certain.
    assert has_repeats is None or (run.repeats() > 0) is has_repeats


@pytest.mark.parametrize("is_known", [True, False], ids=["of a source that has states", "of a new source"])
def test_a_half_written_pack_is_repaired_by_its_repetition(
    is_known: bool,
    local_stack: LocalStack,
    classifier_calls: FaultProxy,
    new_run: NewRun,
) -> None:
    run = new_run(streams=20)
    if is_known:
        run.begin()
    begin = local_stack.bucket_versions(run.source)
    assert begin == [1, 1, 1] if is_known else begin == []
    at_death: list[int] = []

    def kill() -> None:
        at_death.extend(local_stack.bucket_versions(run.source))
        local_stack.kill("classifier")

    fault = KilledBetween(3, kill)
    with classifier_calls.injected(fault, "DynamoDB", "PutItem", times=3) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == 3
    assert sum(at_death) - sum(begin) == 1
    run.end()
    assert run.repeats() > 0
