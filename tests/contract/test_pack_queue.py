"""The contract of `PackQueue`: packs arrive once and in order."""

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from afluente.adapters.aws.sqs_packs import (
    MAX_BATCH_ENTRIES,
    MAX_MESSAGE_BYTES,
    SqsDeadLetters,
    SqsPackQueue,
    SqsRetryBackoff,
)
from afluente.adapters.aws.sqs_records import received_pack
from afluente.adapters.memory.ingest import MemoryPackQueue
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import Pack, ReceivedPack
from afluente.application.ingest.ports import PackQueue
from afluente.domain.datapoints import DataPoint
from tests.contract.conftest import EMULATOR_ALONE, MOTO_IS_UNFAITHFUL
from tests.contract.local_aws import SEND_MESSAGE_BATCH, LocalAws, drain, fail, fail_in_part, record_calls
from tests.factories import NOW, a_point, arrived


@dataclass
class Queue:
    """A queue from both ends."""

    sending: PackQueue
    receive: Callable[[], list[ReceivedPack]]


@pytest.fixture
def queue(backend: LocalAws | None) -> Queue:
    if backend is None:
        memory = MemoryPackQueue()
        return Queue(memory, lambda: memory.packs)
    client, url = backend.client("sqs"), backend.fifo_queue()
    return Queue(SqsPackQueue(client, url, sleep=no_sleep), lambda: received(client, url))


def no_sleep(seconds: float) -> None:
    """Tests do not wait between attempts."""


def received(client: Any, url: str) -> list[ReceivedPack]:
    return [
        received_pack({"messageId": message["MessageId"], "body": message["Body"], "attributes": message["Attributes"]})
        for message in drain(client, url)
    ]


def a_pack(*values: float, group: str = "3-of-64", ingested_at: float = NOW, **fields: Any) -> Pack:
    its_points = [a_point(value, at=value, **fields) for value in values]
    return Pack(group, arrived(*its_points, ingested_at=ingested_at), "http")


def a_large_pack(group: str = "3-of-64") -> Pack:
    """A pack that does not fit one message: 1,200 points of 2 KB that nobody can compress."""
    noise = Random(7)  # noqa: S311 - no secret
    its_points = [
        a_point(step, at=step, metadata={"noise": b64encode(noise.randbytes(1_500)).decode()}) for step in range(1_200)
    ]
    return Pack(group, arrived(*its_points))


def points_by_group(packs: Sequence[Pack | ReceivedPack]) -> dict[str, list[DataPoint]]:
    groups: dict[str, list[DataPoint]] = {}
    for pack in packs:
        groups.setdefault(pack.group, []).extend(pack.points)
    return groups


# --- every queue -----------------------------------------------------------------------------------------------------


def test_a_pack_is_received_as_it_was_sent(queue: Queue) -> None:
    pack = a_pack(1, 2, stream_type="thermocouple", metadata={"big": 10**30, "text": "\ufffe😀"})

    queue.sending.send([pack])

    (found,) = queue.receive()
    assert (found.group, found.points, found.transport) == (pack.group, pack.points, "http")
    assert found.sequence_number >= 0


def test_no_packs_change_nothing(queue: Queue) -> None:
    queue.sending.send([])

    assert queue.receive() == []


def test_packs_of_a_group_are_received_in_the_order_in_which_they_were_sent(queue: Queue) -> None:
    queue.sending.send([a_pack(1), a_pack(2), a_pack(0)])
    queue.sending.send([a_pack(9), a_pack(3)])

    assert [pack.points[0].value for pack in queue.receive()] == [1, 2, 0, 9, 3]


@MOTO_IS_UNFAITHFUL  # moto (5.2) draws sequence numbers at random
def test_a_later_pack_of_a_group_has_a_larger_number(queue: Queue) -> None:
    for value in range(20):
        queue.sending.send([a_pack(value)])

    numbers = [pack.sequence_number for pack in queue.receive()]
    assert numbers == sorted({*numbers})
    assert len(numbers) == 20


@pytest.mark.parametrize("groups", [10, 11, 25])
def test_packs_of_many_groups_are_all_received(queue: Queue, groups: int) -> None:
    packs = [a_pack(step, group=f"{step}-of-64", source_id=f"furnace-{step}") for step in range(groups)]

    queue.sending.send(packs)

    assert points_by_group(queue.receive()) == points_by_group(packs)


def test_a_pack_that_is_sent_again_changes_nothing(queue: Queue) -> None:
    queue.sending.send([a_pack(1, 2)])
    queue.sending.send([a_pack(1, 2, ingested_at=NOW + 60), a_pack(3)])

    assert [[point.value for point in pack.points] for pack in queue.receive()] == [[1, 2], [3]]


@EMULATOR_ALONE  # moto (5.2) looks for a deduplication id among the messages that are still there
def test_a_pack_that_was_received_and_is_sent_again_changes_nothing(queue: Queue) -> None:
    queue.sending.send([a_pack(1, 2)])
    assert len(queue.receive()) == 1

    queue.sending.send([a_pack(1, 2)])

    assert queue.receive() == []


@MOTO_IS_UNFAITHFUL  # moto (5.2) has no DeduplicationScope: an id is one of the whole queue
def test_the_same_points_in_another_group_are_another_pack(queue: Queue) -> None:
    queue.sending.send([a_pack(1), a_pack(1, group="17-of-128")])

    assert [pack.group for pack in queue.receive()] == ["3-of-64", "17-of-128"]


def test_a_pack_of_any_size_is_received_whole_and_in_order(queue: Queue) -> None:
    pack = a_large_pack()

    queue.sending.send([pack, a_pack(5, source_id="other")])

    assert points_by_group(queue.receive()) == points_by_group([pack, a_pack(5, source_id="other")])


def test_a_pack_of_any_size_that_is_sent_again_changes_nothing(queue: Queue) -> None:
    pack = a_large_pack()

    queue.sending.send([pack])
    queue.sending.send([pack])

    assert points_by_group(queue.receive()) == points_by_group([pack])


def test_a_pack_of_many_points_is_cut_into_messages_and_sorted_across_them(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    ats = [5, 3, 9, 1, 7, 0, 8, 2, 6, 4]
    pack = Pack("3-of-64", arrived(*(a_point(at, at=at) for at in ats), a_point(0, source_id="other")))

    SqsPackQueue(client, url, max_points=4, sleep=no_sleep).send([pack])

    found = received(client, url)
    assert [[point.value for point in pack.points] for pack in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0]]


def test_a_pack_within_the_limits_keeps_the_order_of_arrival(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    pack = Pack("3-of-64", arrived(*(a_point(at, at=at) for at in (2, 1, 0))))

    SqsPackQueue(client, url, max_points=3, sleep=no_sleep).send([pack])

    (found,) = received(client, url)
    assert [point.value for point in found.points] == [2, 1, 0]


# --- SQS -------------------------------------------------------------------------------------------------------------


def test_calls_stay_within_the_quotas_of_sqs(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    calls = record_calls(client, "SendMessageBatch")
    small = [a_pack(step, group=f"{step}-of-64") for step in range(20)]

    SqsPackQueue(client, url, sleep=no_sleep).send([a_large_pack(), *small, a_large_pack("63-of-64")])

    assert len(calls) > 4
    for call in calls:
        sizes = [len(entry["MessageBody"]) for entry in call["Entries"]]
        assert len(sizes) <= MAX_BATCH_ENTRIES
        assert sum(sizes) <= MAX_MESSAGE_BYTES == 1024 * 1024


def test_a_call_holds_one_message_of_a_group_at_the_most(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    calls = record_calls(client, "SendMessageBatch")

    SqsPackQueue(client, url, sleep=no_sleep).send([a_pack(1), a_pack(2), a_pack(3, group="4-of-64")])

    assert [[entry["MessageGroupId"] for entry in call["Entries"]] for call in calls] == [
        ["3-of-64", "4-of-64"],
        ["3-of-64"],
    ]


def test_messages_that_were_refused_are_sent_again_alone_and_none_overtakes(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    failing = fail_in_part(client, SEND_MESSAGE_BATCH, plan=[{0, 2}, {0, 1}, {1}])
    waits: list[float] = []
    packs = [a_pack(1), a_pack(2, group="4-of-64"), a_pack(3, group="5-of-64"), a_pack(4)]

    SqsPackQueue(client, url, sleep=waits.append).send(packs)

    assert [[entry["MessageGroupId"] for entry in call] for call in failing.calls] == [
        ["3-of-64", "4-of-64", "5-of-64"],
        ["3-of-64", "5-of-64"],
        ["3-of-64", "5-of-64"],
        ["5-of-64"],
        ["3-of-64"],
    ]
    assert len(waits) == 3
    assert points_by_group(received(aws.client("sqs"), url)) == points_by_group(packs)


def test_a_queue_that_accepts_nothing_is_unavailable_and_sending_again_is_safe(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    packs = [a_pack(1), a_pack(2, group="4-of-64")]
    fail_in_part(client, SEND_MESSAGE_BATCH, plan=[{1}, {0}, {0}, {0}])

    with pytest.raises(UnavailableError, match="1 of 2 not taken after 4 attempts"):
        SqsPackQueue(client, url, sleep=no_sleep).send(packs)

    again = aws.client("sqs")
    SqsPackQueue(again, url, sleep=no_sleep).send(packs)
    assert points_by_group(received(again, url)) == points_by_group(packs)


def test_a_message_that_sqs_refuses_for_good_is_not_sent_again(aws: LocalAws) -> None:
    client = aws.client("sqs")
    calls = record_calls(client, "SendMessageBatch")

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [{"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents"}]

    client.meta.events.register("after-call.sqs.SendMessageBatch", refuse)

    with pytest.raises(UnavailableError, match="InvalidMessageContents"):
        SqsPackQueue(client, aws.fifo_queue(), sleep=no_sleep).send([a_pack(1)])
    assert len(calls) == 1


def test_a_queue_that_fails_or_is_not_there_is_unavailable(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()

    with pytest.raises(UnavailableError, match="SQS"):
        SqsPackQueue(client, f"{url.removesuffix('.fifo')}-gone.fifo", sleep=no_sleep).send([a_pack(1)])

    fail(client, "SendMessageBatch", code="RequestThrottled")
    with pytest.raises(UnavailableError, match="SQS: RequestThrottled"):
        SqsPackQueue(client, url, sleep=no_sleep).send([a_pack(1)])


def test_a_queue_that_cannot_be_reached_is_unavailable() -> None:
    nowhere = LocalAws("nowhere", endpoint="http://127.0.0.1:1")

    with pytest.raises(UnavailableError, match="SQS: EndpointConnectionError"):
        SqsPackQueue(nowhere.client("sqs"), "http://127.0.0.1:1/queue.fifo", sleep=no_sleep).send([a_pack(1)])

    nowhere.close()


# --- giving messages back --------------------------------------------------------------------------------------------


def test_a_message_that_failed_is_retried_sooner_than_its_visibility_timeout(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue(VisibilityTimeout="60")
    SqsPackQueue(client, url, sleep=no_sleep).send([a_pack(1)])
    (message,) = client.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in client.receive_message(QueueUrl=url)

    SqsRetryBackoff(client, url)([(message["ReceiptHandle"], 1)])

    deadline = time.monotonic() + 10
    while "Messages" not in client.receive_message(QueueUrl=url):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_messages_are_visible_again_after_the_seconds_given(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    calls = record_calls(client, "ChangeMessageVisibilityBatch")
    handle = _a_receipt(client, url)

    SqsRetryBackoff(client, url)([(handle, seconds) for seconds in (0, 2, 60)])

    assert [entry["VisibilityTimeout"] for entry in calls[0]["Entries"]] == [0, 2, 60]


def test_a_backoff_that_the_queue_refuses_is_reported(aws: LocalAws) -> None:
    client, url = aws.client("sqs"), aws.fifo_queue()
    fail(client, "ChangeMessageVisibilityBatch")

    with pytest.raises(UnavailableError):
        SqsRetryBackoff(client, url)([("receipt", 1)])


# --- dead letters ----------------------------------------------------------------------------------------------------


def test_a_pack_that_is_moved_twice_is_in_the_dead_letter_queue_once_and_can_be_sent_again(aws: LocalAws) -> None:
    client, url, dead_letters = aws.client("sqs"), aws.fifo_queue(), aws.fifo_queue()
    SqsPackQueue(client, url, sleep=no_sleep).send([a_pack(1)])
    (pack,) = received(client, url)
    dead = SqsDeadLetters(client, dead_letters)

    dead.move(pack)
    dead.move(pack)

    (moved,) = received(client, dead_letters)
    assert (moved.points, moved.group) == (pack.points, pack.group)


def _a_receipt(client: Any, url: str) -> str:
    SqsPackQueue(client, url, sleep=no_sleep).send([a_pack(1)])
    (message,) = client.receive_message(QueueUrl=url)["Messages"]
    return str(message["ReceiptHandle"])
