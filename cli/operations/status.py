"""Status of a deployment: its functions and the depth of its queues."""

from typing import TYPE_CHECKING

import msgspec

from cli.core.local_stack import AwsLimits, find_emulator
from cli.core.target import Target

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

FUNCTIONS = {
    "http_ingest": "HttpIngestFunction",
    "http_admin": "HttpAdminFunction",
    "http_authorizer": "HttpAuthorizerFunction",
    "iot_rule_handler": "IotRuleHandlerFunction",
    "csv_trigger": "CsvTriggerFunction",
    "ws_ingest": "WsIngestFunction",
    "classifier": "ClassifierFunction",
}
"""The functions by the name of their package, with the output that names each where it is deployed."""


class FunctionStatus(msgspec.Struct, frozen=True):
    """A deployed function."""

    name: str
    function: str
    state: str
    last_modified: str


class QueueStatus(msgspec.Struct, frozen=True):
    """A queue: messages that wait, and messages that are being worked on."""

    waiting: int
    in_flight: int


class DeploymentStatus(msgspec.Struct, frozen=True):
    """A deployment.

    Attributes:
        aws_limits: the quotas that a local stack keeps; None for a stage in an account, which has AWS's own.
    """

    stage: str
    running: bool
    api_url: str
    websocket_url: str | None
    csv_bucket: str | None
    endpoint: str | None
    aws_limits: AwsLimits | None
    functions: tuple[FunctionStatus, ...]
    datapoints_queue: QueueStatus
    dead_letter_queue: QueueStatus
    mqtt_inbox: QueueStatus
    mqtt_dead_letter_queue: QueueStatus
    csv_inbox: QueueStatus
    csv_inbox_dead_letter_queue: QueueStatus
    csv_jobs: QueueStatus
    csv_jobs_dead_letter_queue: QueueStatus


def status_of(target: Target) -> DeploymentStatus:
    """Look at the deployment."""
    return DeploymentStatus(
        stage=target.name,
        running=True,
        api_url=target.api_url,
        websocket_url=target.find_websocket_url(),
        csv_bucket=target.outputs.get("CsvBucket"),
        endpoint=target.connection.endpoint,
        aws_limits=_limits_of(target),
        functions=tuple(
            _function(target, name, target[output]) for name, output in FUNCTIONS.items() if output in target.outputs
        ),
        datapoints_queue=queue_status(target, target["DatapointsQueueUrl"]),
        dead_letter_queue=queue_status(target, target["DatapointsDlqUrl"]),
        mqtt_inbox=queue_status(target, target["InboxQueueUrl"]),
        mqtt_dead_letter_queue=queue_status(target, target["InboxDlqUrl"]),
        csv_inbox=queue_status(target, target["CsvInboxQueueUrl"]),
        csv_inbox_dead_letter_queue=queue_status(target, target["CsvInboxDlqUrl"]),
        csv_jobs=queue_status(target, target["CsvJobsQueueUrl"]),
        csv_jobs_dead_letter_queue=queue_status(target, target["CsvJobsDlqUrl"]),
    )


def _limits_of(target: Target) -> AwsLimits | None:
    if not target.is_local:
        return None
    emulator = find_emulator(target.state)
    return (emulator.aws_limits if emulator else None) or AwsLimits(on=False)


def queue_status(target: Target, url: str) -> QueueStatus:
    """The depth of a queue."""
    sqs: SQSClient = target.client("sqs")
    answer = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    attributes = answer["Attributes"]
    return QueueStatus(
        waiting=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def _function(target: Target, name: str, function: str) -> FunctionStatus:
    client: LambdaClient = target.client("lambda")
    configuration = client.get_function_configuration(FunctionName=function)
    return FunctionStatus(name, function, configuration.get("State", "Active"), configuration["LastModified"])
