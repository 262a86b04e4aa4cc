"""Dependencies of the classifier refuse, break off, or do a part: the pack goes through in the end, as if not."""

import pytest

from tests.faults.conftest import NewRun
from tests.faults.faults import answer_lost, away, in_turn, part_unprocessed, refused, throttled, unpublished
from tests.faults.proxy import Call, Fault, FaultProxy
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

RETRY_ATTEMPTS = 3
"""The attempts of one call of a client; a fault that lasts longer is met by the adapter, then by the queue."""


def test_records_that_kinesis_throttles_are_put_again_in_order(
    local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    runs = [new_run() for _ in range(6)]
    for run in runs:
        run.begin()

    with classifier_calls.injected(throttled(lambda _: False), "Kinesis", "PutRecords", times=8) as injection:
        for run in runs:
            run.go_on()
        local_stack.drained()

    assert injection.strikes == 8
    for run in runs:
        run.end()


def test_a_record_does_not_overtake_a_throttled_one_of_its_source(
    local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    not_the_first_then_all = in_turn(throttled(lambda place: place > 0), throttled(lambda _: True))
    with classifier_calls.injected(not_the_first_then_all, "Kinesis", "PutRecords", times=4) as injection:
        run.send(run.wide_points())
        local_stack.drained()

    assert injection.strikes == 4
    run.end()
    assert run.repeats() == 0


def test_a_pack_whose_calls_kinesis_refuses_whole_is_retried(
    local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    run.begin()
    refusal = refused(400, "ProvisionedThroughputExceededException")
    with classifier_calls.injected(refusal, "Kinesis", "PutRecords", times=4 * RETRY_ATTEMPTS) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == 4 * RETRY_ATTEMPTS
    run.end()


@pytest.mark.parametrize(
    ("is_known", "invocations"),
    [pytest.param(True, 2, id="while a source goes on"), pytest.param(False, 1, id="while a source begins")],
)
def test_dynamodb_may_be_away_for_seconds(
    is_known: bool, invocations: int, *, local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run(streams=20)
    if is_known:
        run.begin()
    # It is asked for the states first: so many invocations find it away, and each returns its pack for a later retry.
    with classifier_calls.injected(away(), "DynamoDB", times=invocations * RETRY_ATTEMPTS) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == invocations * RETRY_ATTEMPTS
    run.end()


@pytest.mark.parametrize(
    ("service", "operation", "calls"),
    [
        pytest.param("DynamoDB", "PutItem", 1, id="states cannot be saved"),
        # Two calls side by side, for more than ten events.
        pytest.param("AWSEvents", "PutEvents", 2, id="EventBridge is away"),
        pytest.param("Logs", "PutLogEvents", 1, id="CloudWatch Logs is away"),
    ],
)
def test_a_pack_that_fails_after_its_points_are_put_is_retried_with_the_same_ids(
    service: str, operation: str, calls: int, *, local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    run.begin()
    with classifier_calls.injected(away(), service, operation, times=calls * RETRY_ATTEMPTS) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == calls * RETRY_ATTEMPTS
    run.end()
    assert run.repeats() > 0


@pytest.mark.parametrize(
    ("service", "operation"),
    [("DynamoDB", "PutItem"), ("Kinesis", "PutRecords"), ("AWSEvents", "PutEvents"), ("Logs", "PutLogEvents")],
)
def test_an_answer_that_is_lost_changes_nothing(
    service: str, operation: str, local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run(streams=20)
    run.begin()
    with classifier_calls.injected(answer_lost, service, operation, times=2) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == 2
    run.end()


@pytest.mark.parametrize(
    ("service", "operation", "fault"),
    [
        pytest.param("DynamoDB", "BatchGetItem", part_unprocessed, id="DynamoDB reads a part of the states"),
        pytest.param(
            "AWSEvents", "PutEvents", unpublished(lambda place: place % 2 == 0), id="EventBridge takes a part"
        ),
    ],
)
def test_what_is_left_of_a_call_is_asked_for_again(
    service: str,
    operation: str,
    *,
    fault: Fault,
    local_stack: LocalStack,
    classifier_calls: FaultProxy,
    new_run: NewRun,
) -> None:
    run = new_run(streams=20)
    run.begin()
    with classifier_calls.injected(fault, service, operation, times=2) as injection:
        run.go_on()
        local_stack.drained()

    assert injection.strikes == 2
    run.end()
    assert run.repeats() == 0


def test_where_one_source_cannot_be_saved_the_others_of_its_batch_go_through(
    local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    failing, other = new_run(), new_run()
    while failing.group == other.group:
        other = new_run()
    failing.begin()
    other.begin()

    def is_failing(call: Call) -> bool:
        return bool(call.document["Item"]["source"]["S"] == failing.source)

    with classifier_calls.injected(away(), "DynamoDB", "PutItem", when=is_failing, times=RETRY_ATTEMPTS) as injection:
        with local_stack.paused():
            failing.go_on()
            other.go_on()
        local_stack.drained()

    assert injection.strikes == RETRY_ATTEMPTS
    failing.end()
    other.end()
    assert failing.repeats() > 0
    assert other.repeats() == 0
