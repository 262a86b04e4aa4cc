"""CSV jobs whose loader is killed or held up, or whose dependencies fail: each row is queued once, whatever happens."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from afluente.application.csv.jobs import JobStatus
from tests.csv_bucket import CsvBucket, slow_file
from tests.faults.faults import Held, answer_lost, away, delayed, killed
from tests.faults.proxy import Call, Fault, FaultProxy
from tests.outbox import Outbox
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

START = 1704067200.0
ROWS = 5_000
WITHIN_SECONDS = 120.0
# Of its pieces the one at which something happens: not the first, not the last.
PIECE = 3

AGAIN = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def reader_calls(local_stack: LocalStack) -> Iterator[FaultProxy]:
    """The calls of `csv_trigger`; a part with which it dies is retried after two seconds."""
    with (
        local_stack.visibility_timeout(2, "CsvJobsQueueUrl"),
        FaultProxy(local_stack.port) as proxy,
        local_stack.configured("csv_trigger", timeout=60, AWS_ENDPOINT_URL=proxy.endpoint),
    ):
        yield proxy


@pytest.fixture
def bucket(local_stack: LocalStack) -> CsvBucket:
    return CsvBucket(local_stack)


class Nth:
    """Strikes the n-th of some calls, or all from then on."""

    def __init__(self, number: int, is_counted: Callable[[Call], bool], *, on: bool = False) -> None:
        self._left = number
        self._is_counted = is_counted
        self._on = on

    def __call__(self, call: Call) -> bool:
        if not self._is_counted(call):
            return False
        self._left -= 1
        return self._left == 0 or (self._on and self._left < 0)


def sends(call: Call) -> bool:
    """A pack is queued."""
    return str(call.document["QueueUrl"]).endswith("datapoints.fifo")


def has_slots(call: Call) -> bool:
    """A slot of a message group is acquired or released."""
    return "-of-" in str(call.document["Key"].get("group"))


def saves(call: Call) -> bool:
    """Progress is saved."""
    return ":part" in call.document["ExpressionAttributeValues"]


def anything(_: Call) -> bool:
    """Every call."""
    return True


def assert_each_row_once(stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source: str) -> None:
    [job] = bucket.ended(source, within=WITHIN_SECONDS)
    assert (job.status, job.rows_read, job.points_queued) == (JobStatus.COMPLETE, ROWS, ROWS)
    stack.drained(within=WITHIN_SECONDS)
    # The queue has dropped what was sent again: not even a repeat came out.
    assert sorted(line["value"] for line in outbox.lines(source)) == list(range(ROWS))
    assert not any(line["late"] for line in outbox.lines(source))


# A unit test kills the loader at each of its calls: test_load_file.py.
@pytest.mark.parametrize(
    ("service", "operation", "its_calls", "after"),
    [
        pytest.param("DynamoDB", "UpdateItem", has_slots, True, id="between its slot and its queueing"),
        pytest.param("AmazonSQS", "SendMessage", sends, True, id="after a piece is queued"),
        pytest.param("DynamoDB", "UpdateItem", saves, False, id="before it is kept how far it got", marks=AGAIN),
        pytest.param("DynamoDB", "UpdateItem", saves, True, id="after it is kept how far it got"),
        pytest.param("S3", "GET", anything, False, id="before more of the file is read", marks=AGAIN),
    ],
)
def test_a_reader_that_is_killed_goes_on_where_it_was(
    service: str,
    operation: str,
    its_calls: Callable[[Call], bool],
    *,
    after: bool,
    local_stack: LocalStack,
    reader_calls: FaultProxy,
    bucket: CsvBucket,
    outbox: Outbox,
    source_id: str,
) -> None:
    fault = killed(partial(local_stack.kill, "csv_trigger"), after=after)
    with reader_calls.injected(fault, service, operation, when=Nth(PIECE, its_calls), times=1) as injection:
        bucket.drop(f"iot/{source_id}/file.csv", slow_file(ROWS, start=START))
        bucket.ended(f"iot/{source_id}", within=WITHIN_SECONDS)

    assert injection.strikes == 1
    assert_each_row_once(local_stack, bucket, outbox, f"iot/{source_id}")


@pytest.mark.parametrize("after", [False, True])
def test_a_classifier_that_is_killed_about_the_release_of_a_slot_holds_up_no_file(
    *,
    after: bool,
    local_stack: LocalStack,
    classifier_calls: FaultProxy,
    bucket: CsvBucket,
    outbox: Outbox,
    source_id: str,
) -> None:
    fault = killed(partial(local_stack.kill, "classifier"), after=after)
    when = Nth(PIECE, has_slots)
    with classifier_calls.injected(fault, "DynamoDB", "UpdateItem", when=when, times=1) as injection:
        bucket.drop(f"iot/{source_id}/file.csv", slow_file(ROWS, start=START))
        bucket.ended(f"iot/{source_id}", within=WITHIN_SECONDS)
        local_stack.drained(within=WITHIN_SECONDS)

    assert injection.strikes == 1
    assert_each_row_once(local_stack, bucket, outbox, f"iot/{source_id}")


@pytest.mark.parametrize(
    ("fault", "service", "operation", "its_calls"),
    [
        pytest.param(away(), "AmazonSQS", "SendMessage", sends, id="the queue is away"),
        pytest.param(answer_lost, "AmazonSQS", "SendMessage", sends, id="queued, and the answer is lost"),
        pytest.param(away(), "DynamoDB", "UpdateItem", anything, id="the tables are away"),
        pytest.param(answer_lost, "DynamoDB", "UpdateItem", anything, id="kept, and the answer is lost"),
        pytest.param(away(), "S3", "GET", anything, id="the bucket is away"),
    ],
)
def test_a_job_waits_for_what_it_needs(
    fault: Fault,
    service: str,
    operation: str,
    its_calls: Callable[[Call], bool],
    *,
    local_stack: LocalStack,
    reader_calls: FaultProxy,
    bucket: CsvBucket,
    outbox: Outbox,
    source_id: str,
) -> None:
    when = Nth(PIECE, its_calls, on=True)
    # More of them than a client tries by itself.
    with reader_calls.injected(fault, service, operation, when=when, times=4) as injection:
        bucket.drop(f"iot/{source_id}/file.csv", slow_file(ROWS, start=START))
        bucket.ended(f"iot/{source_id}", within=WITHIN_SECONDS)

    assert injection.strikes == 4
    assert_each_row_once(local_stack, bucket, outbox, f"iot/{source_id}")


def test_a_job_that_needs_more_time_than_an_invocation_has_goes_on_by_itself(
    local_stack: LocalStack, reader_calls: FaultProxy, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    began = time.time()
    with (
        local_stack.visibility_timeout(20, "CsvJobsQueueUrl"),
        local_stack.configured("csv_trigger", timeout=12),
        # Four calls leave no time for another, however fast the machine is.
        reader_calls.injected(delayed(2.5), "AmazonSQS", "SendMessage", when=sends, times=5),
    ):
        bucket.drop(f"iot/{source_id}/file.csv", slow_file(ROWS, start=START))
        bucket.ended(f"iot/{source_id}", within=WITHIN_SECONDS)

    assert any("CSV_PART_PAUSED" in line for line in local_stack.log_lines("csv_trigger", since=began))
    assert_each_row_once(local_stack, bucket, outbox, f"iot/{source_id}")


def test_a_cancelled_job_stops_and_its_content_can_be_dropped_again(
    local_stack: LocalStack, reader_calls: FaultProxy, bucket: CsvBucket, source_id: str
) -> None:
    source, content, held = f"iot/{source_id}", slow_file(ROWS, start=START), Held()
    # The function that cancels has started: a start may take longer than the loader's call that is held.
    jobs = f"{local_stack.target.api_url}/ingest/csv"
    assert local_stack.http.get(jobs, headers={"X-API-Key": local_stack.api_key}).is_success
    with reader_calls.injected(held, "AmazonSQS", "SendMessage", when=Nth(PIECE, sends), times=1):
        bucket.drop(f"{source}/file.csv", content)
        url = f"{jobs}/{bucket.begun(source).job_id}"
        # From now on the loader waits, until its call times out.
        held.wait()
        answer = local_stack.http.delete(url, headers={"X-API-Key": local_stack.api_key})
        held.let_go()
        [cancelled] = bucket.ended(source, within=WITHIN_SECONDS)

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert 0 < cancelled.points_queued < ROWS
    bucket.drop(f"{source}/file.csv", content)
    assert bucket.ended(source, 2, within=WITHIN_SECONDS)[1].status is JobStatus.COMPLETE


def test_a_large_file_is_read_in_parts_side_by_side(
    local_stack: LocalStack, bucket: CsvBucket, outbox: Outbox, source_id: str
) -> None:
    names = [f"c{number}" for number in range(5)]
    lines = slow_file(2_000, start=START, row_bytes=500).decode().splitlines()[1:]
    rows = [f"{line.rpartition(',')[0]},{','.join([str(place)] * 5)}" for place, line in enumerate(lines)]
    content = "\n".join([f"time,note,{','.join(names)}", *rows, "2024-02-01T00:00:00Z,bad row"]).encode()
    with local_stack.configured("csv_trigger", AFLUENTE_CSV_SPLIT_BYTES="1000", AFLUENTE_CSV_PARTS="3"):
        bucket.drop(f"iot/{source_id}/file.csv", content)
        [job] = bucket.ended(f"iot/{source_id}", within=WITHIN_SECONDS)

    assert (job.status, job.rows_read, job.points_queued, job.rows_rejected) == (JobStatus.COMPLETE, 2_001, 10_000, 1)
    assert job.streams == {f"{source_id}:{name}": 2_000 for name in names}
    assert len(bucket.jobs(f"iot/{source_id}")[0].parts) == 3
    local_stack.drained(within=WITHIN_SECONDS)
    came = outbox.lines(f"iot/{source_id}")
    assert not any(line["late"] for line in came)
    for name in names:
        assert sorted(p["value"] for p in came if p["stream_id"].endswith(f":{name}")) == list(range(2_000))
