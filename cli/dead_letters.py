"""Moves packs from the dead-letter queue back to the queue they came from."""

from typing import TYPE_CHECKING, Any

import msgspec

from cli.status import queue_status
from cli.target import Target

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_HIDDEN_SECONDS = 60


class Redrive(msgspec.Struct, frozen=True):
    """A redrive that was begun.

    Attributes:
        packs: how many were moved, or are to be moved.
        task: SQS's handle of the task that moves them; None where they are moved already.
    """

    packs: int
    task: str | None


def redrive(target: Target) -> Redrive:
    """Give all dead letters back, those of one group in their order."""
    sqs: SQSClient = target.client("sqs")
    if target.is_local:
        # The emulator has no StartMessageMoveTask.
        return Redrive(_move_all(sqs, target["DatapointsDlqUrl"], target["DatapointsQueueUrl"]), None)
    url = target["DatapointsDlqUrl"]
    packs = queue_status(target, url).waiting
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    # Without a destination SQS moves each message to the queue it came from.
    return Redrive(packs, sqs.start_message_move_task(SourceArn=arn)["TaskHandle"])


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
        MessageSystemAttributeNames=["MessageGroupId", "MessageDeduplicationId"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def _move(sqs: "SQSClient", message: Any, source: str, destination: str) -> None:
    system = message["Attributes"]
    sqs.send_message(
        QueueUrl=destination,
        MessageBody=message["Body"],
        MessageAttributes=message.get("MessageAttributes", {}),
        MessageGroupId=system["MessageGroupId"],
        # Another id than the first time: within five minutes of that the queue would drop the message as a repetition.
        MessageDeduplicationId=f"redrive-{message['MessageId']}",
    )
    # Sent first: if the process ends here the pack is there twice, which the classifier recognises, and never lost.
    sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
