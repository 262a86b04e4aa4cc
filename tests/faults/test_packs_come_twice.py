"""A pack is delivered twice, to one classifier after the other or to two at once: it takes effect once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import NewRun
from tests.faults.faults import Held
from tests.faults.proxy import FaultProxy
from tests.stack import LocalStack

pytestmark = pytest.mark.integration


def test_a_pack_that_is_delivered_twice_takes_effect_once(local_stack: LocalStack, new_run: NewRun) -> None:
    run = new_run(streams=20)
    run.begin()

    with local_stack.paused():
        run.go_on()
        assert local_stack.invoke("classifier", local_stack.received()) == {"batchItemFailures": []}
        assert local_stack.packs_under_way() == 1

    run.end()
    assert run.repeats() == 0


@pytest.mark.parametrize(("service", "operation"), [("Kinesis", "PutRecords"), ("DynamoDB", "PutItem")])
def test_a_classifier_that_outlived_its_visibility_timeout_changes_no_state(
    service: str, operation: str, local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    run.begin()
    held = Held()
    with (
        ThreadPoolExecutor(1) as executor,
        classifier_calls.injected(held, service, operation, times=1) as injection,
    ):
        with local_stack.paused():
            run.go_on()
            # The queue has the pack still, as it has it again after the timeout.
            event = local_stack.received()
            slow = executor.submit(local_stack.invoke, "classifier", event)
            held.wait()
        # Another one takes the same pack, and the next.
        run.go_past()
        held.let_go()
        assert slow.result() == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}

    assert injection.strikes == 1
    run.check()
    assert run.repeats() > 0


def test_two_classifiers_at_once_write_each_state_once(
    local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run(streams=20)
    run.begin()
    with local_stack.paused():
        run.go_on()
        event = local_stack.received()
        with ThreadPoolExecutor(4) as executor:
            answers = [executor.submit(local_stack.invoke, "classifier", event) for _ in range(4)]
        failed = [len(answer.result()["batchItemFailures"]) for answer in answers]

    assert set(failed) <= {0, 1}
    run.end()
    # Once before, once for the pack, once after: the retry of a pack finds that its states are saved.
    assert local_stack.bucket_versions(run.source) == [3, 3, 3]
