"""The resources of a stage in a local AWS, and its functions as containers have them."""

import json
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.adapters.aws.dynamodb_csv_jobs import BY_DOMAIN
from afluente.domain.evaluation import Classification
from afluente.runtime.core import clients
from afluente.runtime.entry_point import entry_point
from tests.contract.local_aws import REGION, LocalAws
from tests.factories import PEPPER

EVENTS = Path(__file__).parents[1] / "events"
CONTEXT = SimpleNamespace(aws_request_id="invocation-1", get_remaining_time_in_millis=lambda: 30_000)

_numbers = count(1)


def resources(aws: LocalAws) -> dict[str, str]:
    """All the resources of a stage, by the variables that the functions find them by."""
    group, log_stream = aws.log_stream()
    return {
        "AFLUENTE_DOMAINS": "iot,health",
        "AFLUENTE_SHARDS": "64",
        "AFLUENTE_DATAPOINTS_QUEUE_URL": aws.fifo_queue(),
        "AFLUENTE_DATAPOINTS_DLQ_URL": aws.fifo_queue(),
        "AFLUENTE_LATEST_TABLE": aws.table("source", "bucket"),
        "AFLUENTE_CONSTRAINTS_TABLE": aws.table("key"),
        "AFLUENTE_CONSTRAINT_HISTORY_TABLE": aws.table("key", "version"),
        "AFLUENTE_ACCESS_TABLE": aws.table("id"),
        "AFLUENTE_KEY_USES_TABLE": aws.table("id"),
        "AFLUENTE_KEY_PEPPER_SECRET": aws.secret(PEPPER),
        "AFLUENTE_CONNECTIONS_TABLE": aws.table("id"),
        "AFLUENTE_MIGRATION_TABLE": aws.table("id", "entry", sort_form="S"),
        "AFLUENTE_UNANSWERED_QUEUE_URL": aws.client("sqs").create_queue(QueueName=f"unanswered-{next(_numbers)}")[
            "QueueUrl"
        ],
        "AFLUENTE_WEBSOCKET_API_ID": "a1b2c3d4",
        "AFLUENTE_WEBSOCKET_STAGE": "live",
        "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": f"https://a1b2c3d4.execute-api.{REGION}.amazonaws.com/live",
        "AFLUENTE_QUARANTINE_BUCKET": aws.bucket(),
        "AFLUENTE_CSV_BUCKET": aws.bucket(),
        "AFLUENTE_CSV_SLOTS_TABLE": aws.table("group"),
        "AFLUENTE_CSV_JOBS_TABLE": aws.table("job_id", indexes={BY_DOMAIN: ("domain", "created_at")}),
        "AFLUENTE_ALARM_BUS": aws.bus()[0],
        "AFLUENTE_ALARM_LOG_GROUP": group,
        "AFLUENTE_ALARM_LOG_STREAM": log_stream,
        **{f"AFLUENTE_STREAM_{name.name}": aws.stream() for name in Classification},
    }


def credentials(aws: LocalAws) -> dict[str, str]:
    """The variables by which the SDK of a function finds a local AWS."""
    return {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        **aws.endpoint_variable(),
    }


_containers: dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {}


def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke a function in its container, which composes it by the environment of its first event."""
    if function not in _containers:
        handler = import_module(f"{function}.handler")
        _containers[function] = entry_point(handler.compose, handler.handle)
    return _containers[function](event, CONTEXT)


def as_in_a_new_container() -> None:
    """Let the functions read their environment again."""
    clients._session.cache_clear()
    _containers.clear()


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def batch_of(aws: LocalAws, queue_url: str) -> dict[str, Any]:
    """The messages in the queue as the event source mapping delivers them."""
    messages = aws.client("sqs").receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )["Messages"]
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:datapoints.fifo",
            }
            for message in messages
        ]
    }


def catalogue(aws: LocalAws, environment: dict[str, str]) -> DynamoConstraintsCatalogue:
    tables = environment["AFLUENTE_CONSTRAINTS_TABLE"], environment["AFLUENTE_CONSTRAINT_HISTORY_TABLE"]
    return DynamoConstraintsCatalogue(aws.client("dynamodb"), *tables, by="tests")
