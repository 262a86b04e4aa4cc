"""A local AWS: clients, the resources that adapters work on, and calls that fail as AWS's do."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, count
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"

_numbers = count(1)

# A test that makes calls fail is not to wait for the SDK's own attempts.
_CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=32)


class LocalAws:
    """An AWS on this machine.

    Attributes:
        name: `moto` or `ministack`.
    """

    def __init__(self, name: str, *, endpoint: str | None) -> None:
        self.name = name
        self._endpoint = endpoint
        self._clients: list[Any] = []

    def client(self, service: str, config: Config | None = None) -> Any:
        """A new client, so that no test meets the event handlers of another."""
        made = _session().client(  # type: ignore[call-overload] # any of the services
            service, endpoint_url=self._endpoint, config=config.merge(_CONFIG) if config else _CONFIG
        )
        self._clients.append(made)
        return made

    def endpoint_variable(self) -> dict[str, str]:
        """The variable by which the SDK of a function finds this AWS."""
        return {"AWS_ENDPOINT_URL": self._endpoint} if self._endpoint else {}

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def fifo_queue(self, **attributes: str) -> str:
        """The URL of a new queue, set up as the one between the transports and the classifier."""
        answer = self.client("sqs").create_queue(
            QueueName=f"{_new_name()}.fifo",
            Attributes={
                "FifoQueue": "true",
                "ContentBasedDeduplication": "false",
                "DeduplicationScope": "messageGroup",
                "FifoThroughputLimit": "perMessageGroupId",
                "MaximumMessageSize": "1048576",
                **attributes,
            },
        )
        return str(answer["QueueUrl"])

    def secret(self, text: str) -> str:
        """The ARN of a secret that holds a text."""
        name = f"secret-{next(_numbers)}"
        return str(self.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"])

    def table(
        self,
        partition_key: str,
        sort_key: str | None = None,
        *,
        sort_form: str = "N",
        indexes: Mapping[str, tuple[str, str]] | None = None,
        index_form: str = "N",
    ) -> str:
        """The name of a new table.

        Args:
            partition_key: its name.
            sort_key: its name.
            sort_form: `N` for a number, as most tables of the data stack have it; `S` for a text.
            indexes: partition and sort key of indexes that have keys only, by name.
            index_form: as `sort_form`, of the indexes.
        """
        keys = _keys(partition_key, sort_key, sort_form)
        of_indexes = {name: _keys(*index, index_form) for name, index in (indexes or {}).items()}
        name = _new_name()
        client = self.client("dynamodb")
        forms = {key: form for key, _, form in chain(keys, *of_indexes.values())}
        client.create_table(
            TableName=name,
            KeySchema=_schema(keys),
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": form} for key, form in forms.items()],
            **(
                {
                    "GlobalSecondaryIndexes": [
                        {
                            "IndexName": index,
                            "KeySchema": _schema(index_keys),
                            "Projection": {"ProjectionType": "KEYS_ONLY"},
                        }
                        for index, index_keys in of_indexes.items()
                    ]
                }
                if of_indexes
                else {}
            ),
            BillingMode="PAY_PER_REQUEST",
        )
        client.get_waiter("table_exists").wait(TableName=name)
        return name

    def stream(self) -> str:
        """The name of a new Kinesis stream with several shards."""
        name = _new_name()
        client = self.client("kinesis")
        client.create_stream(StreamName=name, ShardCount=4)
        client.get_waiter("stream_exists").wait(StreamName=name)
        return name

    def bucket(self) -> str:
        name = _new_name()
        self.client("s3").create_bucket(Bucket=name)
        return name

    def log_stream(self) -> tuple[str, str]:
        """The names of a new log group and of a stream in it."""
        group = f"/{_new_name()}/alarms"
        client = self.client("logs")
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="alarms")
        return group, "alarms"

    def bus(self) -> tuple[str, str]:
        """The name of a new event bus, and the URL of a queue that gets all that afluente puts on it."""
        name = _new_name()
        events, sqs = self.client("events"), self.client("sqs")
        events.create_event_bus(Name=name)
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="all", EventBusName=name, EventPattern='{"source": ["afluente"]}', State="ENABLED")
        events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
        return name, url


def _keys(partition_key: str, sort_key: str | None, sort_form: str = "N") -> list[tuple[str, str, str]]:
    return [(partition_key, "HASH", "S")] + ([(sort_key, "RANGE", sort_form)] if sort_key else [])


def _schema(keys: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": role} for key, role, _ in keys]


def drain(client: Any, queue_url: str) -> list[dict[str, Any]]:
    """Receive and delete all messages of a queue, in its order."""
    messages: list[dict[str, Any]] = []
    while batch := client.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], AttributeNames=["All"]
    ).get("Messages", []):
        for message in batch:
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        messages += batch
    return messages


# --- calls, and how they fail ----------------------------------------------------------------------------------------


def count_requests(client: Any) -> Counter[str]:
    """Counts, from now on, the requests of a client by operation."""
    counter: Counter[str] = Counter()

    def on_call(model: Any, **_: Any) -> None:
        counter[model.name] += 1

    client.meta.events.register("before-call", on_call)
    return counter


def record_calls(client: Any, operation: str) -> list[dict[str, Any]]:
    """Records, from now on, the parameters of the calls of an operation."""
    calls: list[dict[str, Any]] = []

    def on_params(params: dict[str, Any], **_: Any) -> None:
        calls.append(params)

    client.meta.events.register(f"provide-client-params.*.{operation}", on_params)
    return calls


def fail(client: Any, operation: str, *, times: int | None = None, code: str = "InternalFailure") -> None:
    """Make calls of an operation fail as a whole: the next ones, or all from now on."""
    left = [times]

    def on_call(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        if left[0] == 0:
            return None
        left[0] = None if left[0] is None else left[0] - 1
        return SimpleNamespace(status_code=500), {
            "Error": {"Code": code, "Message": "made to fail"},
            "ResponseMetadata": {"HTTPStatusCode": 500},
        }

    client.meta.events.register(f"before-call.*.{operation}", on_call)


@dataclass(frozen=True)
class Batch:
    """The form of an operation with several items, of which some may fail.

    Attributes:
        operation: its name.
        items: the items of a call's parameters.
        with_items: the parameters with other items.
        nothing_done: the answer of a call of which all items failed.
        merge: adds failed items, by their positions in the call, to an answer.
    """

    operation: str
    items: Callable[[dict[str, Any]], list[Any]]
    with_items: Callable[[dict[str, Any], list[Any]], dict[str, Any]]
    nothing_done: Callable[[], dict[str, Any]]
    merge: Callable[[dict[str, Any], list[Any], set[int]], None]


@dataclass
class PartialFailures:
    """The requests of calls that were made to fail in part.

    Attributes:
        calls: the items of each call.
    """

    calls: list[list[Any]] = field(default_factory=list)


def fail_in_part(client: Any, batch: Batch, plan: Sequence[set[int]]) -> PartialFailures:
    """Make items of an operation fail: they do not reach the service, and the answer reports them.

    Args:
        client: the client whose calls fail.
        batch: the operation.
        plan: for each of the next calls, the positions of the items that fail.
    """
    requests = PartialFailures()
    left = list(plan)

    def on_params(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        items = batch.items(params)
        requests.calls.append(items)
        failing = left.pop(0) if left else set()
        context["failing"] = (items, failing)
        passing = [item for place, item in enumerate(items) if place not in failing]
        return batch.with_items(params, passing) if passing else params

    def on_call(context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        items, failing = context["failing"]
        if len(failing) < len(items):
            return None
        return SimpleNamespace(status_code=200), batch.nothing_done()

    def on_answer(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        batch.merge(parsed, *context["failing"])

    client.meta.events.register(f"provide-client-params.*.{batch.operation}", on_params)
    client.meta.events.register(f"before-call.*.{batch.operation}", on_call)
    client.meta.events.register(f"after-call.*.{batch.operation}", on_answer)
    return requests


def _aligned(member: str) -> Callable[[dict[str, Any], list[Any], set[int]], None]:
    """The merge of an operation whose answer has an entry for each item, in their order."""

    def merge(answer: dict[str, Any], items: list[Any], failing: set[int]) -> None:
        entries = iter(answer[member])
        failure = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "made to fail"}
        answer[member] = [failure if place in failing else next(entries) for place in range(len(items))]

    return merge


def _merge_sqs(answer: dict[str, Any], items: list[Any], failing: set[int]) -> None:
    answer["Failed"] = answer.get("Failed", []) + [
        {"Id": items[place]["Id"], "SenderFault": False, "Code": "InternalError", "Message": "made to fail"}
        for place in sorted(failing)
    ]


def _merge_unprocessed(answer: dict[str, Any], items: list[Any], failing: set[int]) -> None:
    if failing:
        ((table, _),) = {table: None for table, _ in items}.items()
        answer["UnprocessedKeys"] = {table: {"Keys": [items[place][1] for place in sorted(failing)]}}


def _merge_unwritten(answer: dict[str, Any], items: list[Any], failing: set[int]) -> None:
    if failing:
        ((table, _),) = {table: None for table, _ in items}.items()
        answer["UnprocessedItems"] = {table: [items[place][1] for place in sorted(failing)]}


PUT_RECORDS = Batch(
    "PutRecords",
    items=lambda params: params["Records"],
    with_items=lambda params, items: {**params, "Records": items},
    nothing_done=lambda: {"Records": []},
    merge=_aligned("Records"),
)
PUT_EVENTS = Batch(
    "PutEvents",
    items=lambda params: params["Entries"],
    with_items=lambda params, items: {**params, "Entries": items},
    nothing_done=lambda: {"Entries": []},
    merge=_aligned("Entries"),
)
SEND_MESSAGE_BATCH = Batch(
    "SendMessageBatch",
    items=lambda params: params["Entries"],
    with_items=lambda params, items: {**params, "Entries": items},
    nothing_done=lambda: {"Successful": []},
    merge=_merge_sqs,
)
BATCH_GET_ITEM = Batch(
    "BatchGetItem",
    items=lambda params: [(table, key) for table, asked in params["RequestItems"].items() for key in asked["Keys"]],
    with_items=lambda params, items: {
        **params,
        "RequestItems": {
            table: {**asked, "Keys": [key for its_table, key in items if its_table == table]}
            for table, asked in params["RequestItems"].items()
        },
    },
    nothing_done=lambda: {"Responses": {}},
    merge=_merge_unprocessed,
)


BATCH_WRITE_ITEM = Batch(
    "BatchWriteItem",
    items=lambda params: [(table, item) for table, items in params["RequestItems"].items() for item in items],
    with_items=lambda params, items: {
        **params,
        "RequestItems": {
            table: [item for its_table, item in items if its_table == table] for table in params["RequestItems"]
        },
    },
    nothing_done=lambda: {"UnprocessedItems": {}},
    merge=_merge_unwritten,
)


@cache
def _session() -> boto3.Session:
    """One session for all tests: it caches the descriptions of the services, which are slow to read."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


def _new_name() -> str:
    """A name that no other test of this process has, since ministack has one state for all of them."""
    return f"afluente-test-{next(_numbers)}"
