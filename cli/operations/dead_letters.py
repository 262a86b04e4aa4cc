"""Dead letters: counts, and their redrive to the queues they came from."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from cli.core.target import Target
from cli.operations.status import QueueStatus, queue_status

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_HIDDEN_SECONDS = 60


class DeadLetterQueue(StrEnum):
    """The dead-letter queues, by what people call them."""

    DATAPOINTS = "datapoints"
    """Packs that could not be classified."""

    MQTT = "mqtt"
    """MQTT messages that could not be queued: the inbox's, and those that a topic rule could not put into the inbox."""

    CSV_INBOX = "csv-inbox"
    """Notifications of S3 about new CSV files that did not become jobs."""

    CSV_JOBS = "csv-jobs"
    """CSV jobs that did not finish."""


OUTPUTS = {
    DeadLetterQueue.DATAPOINTS: ("DatapointsDlqUrl", "DatapointsQueueUrl"),
    DeadLetterQueue.MQTT: ("InboxDlqUrl", "InboxQueueUrl"),
    DeadLetterQueue.CSV_INBOX: ("CsvInboxDlqUrl", "CsvInboxQueueUrl"),
    DeadLetterQueue.CSV_JOBS: ("CsvJobsDlqUrl", "CsvJobsQueueUrl"),
}
"""The output that names each, and that of the queue to which its messages go back."""


class Redrive(msgspec.Struct, frozen=True):
    """A redrive that was begun.

    Attributes:
        queue: whose messages are moved.
        messages: how many were moved, or are to be moved.
        task: SQS's handle of the task that moves them; None where they are moved already.
    """

    queue: DeadLetterQueue
    messages: int
    task: str | None


def dead_letters(target: Target, queue: DeadLetterQueue) -> QueueStatus:
    """The messages of a dead-letter queue, counted."""
    source, _ = OUTPUTS[queue]
    return queue_status(target, target[source])


def redrive(target: Target, queue: DeadLetterQueue) -> Redrive:
    """Redrive all dead letters of a queue, those of one group in order."""
    sqs: SQSClient = target.client("sqs")
    source, destination = (target[output] for output in OUTPUTS[queue])
    if target.is_local:
        # The emulator has no StartMessageMoveTask.
        return Redrive(queue, _move_all(sqs, source, destination), None)
    waiting = queue_status(target, source).waiting
    # With a destination, for SQS knows of no queue that a message came from which a topic rule sent here.
    task = sqs.start_message_move_task(SourceArn=_arn(sqs, source), DestinationArn=_arn(sqs, destination))
    return Redrive(queue, waiting, task["TaskHandle"])


def _arn(sqs: "SQSClient", url: str) -> str:
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _move_all(sqs: "SQSClient", source: str, destination: str) -> int:
    moved = 0
    while messages := _receive(sqs, source):
        for message in messages:
            _move(sqs, message, source, destination)
        moved += len(messages)
    return moved


def _receive(sqs: "SQSClient", source: str) -> list[Any]:
    answer: Any = sqs.receive_message(
        QueueUrl=source,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_HIDDEN_SECONDS,
        MessageSystemAttributeNames=["MessageGroupId"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def _move(sqs: "SQSClient", message: Any, source: str, destination: str) -> None:
    group = message.get("Attributes", {}).get("MessageGroupId")
    # Another id than the first time: within five minutes of that the queue would drop the message as a repetition.
    fifo = {"MessageGroupId": group, "MessageDeduplicationId": f"redrive-{message['MessageId']}"} if group else {}
    sqs.send_message(
        QueueUrl=destination,
        MessageBody=message["Body"],
        MessageAttributes=message.get("MessageAttributes", {}),
        **fifo,
    )
    # Sent first: if the process ends here the message is there twice, which its function recognises, and never lost.
    sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
