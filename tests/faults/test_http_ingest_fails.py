"""Dependencies of `http_ingest` fail: no point is acknowledged that is not queued, and repeating is safe."""

import itertools
import json
import time
from functools import partial

import pytest

from tests.faults.conftest import NewRun
from tests.faults.faults import RETRY_ATTEMPTS, answer_lost, away, killed, not_queued, refused
from tests.faults.proxy import Fault, FaultProxy
from tests.stack import LocalStack, request_body

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "fault", [pytest.param(away(), id="away"), pytest.param(answer_lost, id="queued but not answered")]
)
def test_a_queue_that_does_not_answer_gives_503_and_when_to_retry(
    fault: Fault, local_stack: LocalStack, ingest_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    body = request_body(run.request())
    with ingest_calls.injected(fault, "AmazonSQS", "SendMessageBatch", times=RETRY_ATTEMPTS) as injection:
        refused = local_stack.post(body)
    assert injection.strikes == RETRY_ATTEMPTS
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "unavailable"

    again = local_stack.post(body)

    assert (again.status_code, again.json()["inserted"]) == (202, len(run.request()))
    run.expect(run.request())
    run.end()
    assert run.repeats() == 0


def test_a_message_that_is_not_queued_is_sent_again(
    local_stack: LocalStack, ingest_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    with ingest_calls.injected(not_queued, "AmazonSQS", "SendMessageBatch", times=2) as injection:
        run.go_on()

    assert injection.strikes == 2
    run.end()
    assert run.repeats() == 0


def test_a_request_of_which_some_messages_are_queued_is_repeated_whole(
    local_stack: LocalStack, ingest_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    body = request_body(run.wide_points())
    calls = itertools.count()
    with ingest_calls.injected(away(), "AmazonSQS", when=lambda _: next(calls) >= 2) as injection:
        assert local_stack.post(body).status_code == 503
    assert injection.strikes == RETRY_ATTEMPTS

    assert local_stack.post(body).status_code == 202

    run.expect(run.wide_points())
    run.end()
    assert run.repeats() == 0


def test_a_function_that_is_killed_once_the_points_are_queued_is_no_loss(
    local_stack: LocalStack, ingest_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    body = request_body(run.request())
    fault = killed(partial(local_stack.kill, "http_ingest"), after=True)
    with ingest_calls.injected(fault, "AmazonSQS", "SendMessageBatch", times=1):
        assert local_stack.post(body).status_code >= 500

    assert local_stack.post(body).status_code == 202

    run.expect(run.request())
    run.end()
    assert run.repeats() == 0


def test_good_points_are_accepted_while_the_quarantine_is_away(
    local_stack: LocalStack, ingest_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    request = json.loads(request_body(run.request()))
    request["datapoints"].append({"stream_id": "bad"})
    with ingest_calls.injected(refused(503, "SlowDown"), "S3", times=RETRY_ATTEMPTS) as injection:
        answer = local_stack.post(json.dumps(request).encode())

    assert injection.strikes == RETRY_ATTEMPTS
    assert (answer.status_code, answer.json()["inserted"]) == (202, len(run.request()))
    assert {fault["index"] for fault in answer.json()["rejected"]} == {len(run.request())}
    assert any(
        "QUARANTINE_UNAVAILABLE" in line and answer.json()["request_id"] in line
        for line in local_stack.log_lines("http_ingest", since=time.time() - 60)
    )
    run.expect(run.request())
    run.end()


def test_an_authorizer_that_cannot_look_a_key_up_blames_no_key(local_stack: LocalStack) -> None:
    key = local_stack.create_key()
    body = b'{"domain": "iot", "datapoints": []}'
    with (
        FaultProxy(local_stack.port) as calls,
        local_stack.configured("http_authorizer", AWS_ENDPOINT_URL=calls.endpoint),
    ):
        with calls.injected(away(), "DynamoDB", "GetItem", times=RETRY_ATTEMPTS) as injection:
            assert local_stack.post(body, {"X-API-Key": key}).status_code == 500
        assert injection.strikes > 0
        # API Gateway keeps the answer of an authorizer, but not its failure.
        assert local_stack.post(body, {"X-API-Key": key}).status_code == 400
