"""The local stack as tests see it: the checkout, deployed to an emulator of the tests' own.

All tests share one stack, and keep apart by their sources: each test sends from sources that no other has.
"""

import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote

import httpx
import pytest

from afluente.adapters.aws.dynamodb_states import DynamoStates
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.domain.constraints import StreamConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from cli.access.stores import keys_of, pepper_of
from cli.constraints.catalogue import catalogue_of
from cli.core import locks
from cli.core.local_stack import LOOPBACK, STAGE, AwsLimits, EmulatorRecord
from cli.core.state import CHECKOUT, StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.local_stack import sources, stack, synthesis
from cli.operations.status import FUNCTIONS
from cli.reading.log_events import read
from tests.conformity import assert_documented, route_of
from tests.processes import children_of

PATIENCE_SECONDS = 60.0
"""The longest wait for something that takes a second on an idle machine."""

_POLL_SECONDS = 0.05
_SHOWN_LOG_LINES = 12

Seen = TypeVar("Seen")


class LocalStack:
    """A running stack.

    Attributes:
        target: the deployment, as commands find it.
        port: of its emulator.
        mqtt_port: of the emulator's broker.
        api_key: a key that may write everything.
    """

    def __init__(self, target: Target, emulator: EmulatorRecord) -> None:
        self.target = target
        self.port = emulator.port
        self.mqtt_port = emulator.mqtt_port or 0
        hooks = {"response": [self._check_answer]}
        self.http = httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS, event_hooks=hooks)
        self._emulator_pid = emulator.pid
        self._clients: dict[str, Any] = {}
        self._making_client = threading.Lock()
        self.api_key = self.create_key()

    def client(self, service: str) -> Any:
        """A client of an AWS service of the stack."""
        with self._making_client:
            if service not in self._clients:
                self._clients[service] = self.target.client(service, max_pool_connections=32)
            return self._clients[service]

    def _check_answer(self, answer: httpx.Response) -> None:
        """Assert that the OpenAPI document has the answer, whatever a test asks the API."""
        url = str(answer.request.url.copy_with(query=None, fragment=None))
        if not url.startswith(f"{self.target.api_url}/"):
            return  # The bucket's.
        if answer.status_code == httpx.codes.BAD_GATEWAY:
            return  # The emulator's own words for a function that was killed.
        answer.read()
        is_json = answer.headers.get("content-type", "").split(";")[0].endswith("json")
        body = answer.json() if is_json and answer.content else answer.text
        route = route_of(answer.request.method, unquote(url.removeprefix(self.target.api_url)))
        assert_documented(route, answer.status_code, answer.headers, body)

    # --- what is put in ----------------------------------------------------------------------------------------------

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a body to `POST /ingest/datapoints`, as JSON and with the key unless `headers` have others."""
        url = f"{self.target.api_url}/ingest/datapoints"
        usual = {"Content-Type": "application/json", "X-API-Key": self.api_key}
        return self.http.post(url, content=body, headers={**usual, **(headers or {})})

    def send(self, points: Sequence[DataPoint]) -> None:
        """Send points of one source in one request, all of which are accepted."""
        answer = self.post(request_body(points))
        assert (answer.status_code, answer.json().get("inserted")) == (202, len(points)), answer.text

    def constrain(self, configs: Mapping[str, StreamConfig]) -> None:
        """Write constraints, by scope."""
        catalogue = catalogue_of(self.target, "tests")
        for scope, config in configs.items():
            catalogue.put(scope, config)

    def create_key(self, **scope: Any) -> str:
        """Make an API key with the scope that `new_key` is called with."""
        random, pepper = secrets.token_bytes(KEY_RANDOM_BYTES), pepper_of(self.target)
        text, record = new_key("tests", random=random, pepper=pepper, now=time.time(), **scope)
        keys_of(self.target).put(record)
        return text

    # --- what is in it -----------------------------------------------------------------------------------------------

    def packs_under_way(self) -> int:
        """The number of packs that are queued or with the classifier, and of MQTT messages in the inbox."""
        # The inbox first: what leaves it meanwhile is in the other queue.
        return self._messages(self.target["InboxQueueUrl"]) + self._messages(self.target["DatapointsQueueUrl"])

    def dead_letters(self) -> int:
        """The number of packs in the dead-letter queue."""
        return self._messages(self.target["DatapointsDlqUrl"])

    def states_of(self, streams: Mapping[StreamKey, str]) -> dict[StreamKey, StreamState]:
        """The states of streams as the table has them; `streams` with the message group of their source."""
        with ThreadPoolExecutor(1) as executor:
            table = DynamoStates(self.client("dynamodb"), self.target["LatestTable"], executor=executor)
            loaded = table.load(streams)
        return {key: loaded.of(key).state for key in streams}

    def bucket_versions(self, source: str) -> list[int]:
        """The number of writes of each bucket of states of a source (`domain/source_id`)."""
        answer = self.client("dynamodb").query(
            TableName=self.target["LatestTable"],
            KeyConditionExpression="#source = :source",
            ExpressionAttributeNames={"#source": "source"},
            ExpressionAttributeValues={":source": {"S": source}},
            ConsistentRead=True,
        )
        return [int(item["version"]["N"]) for item in answer["Items"]]

    def quarantined(self, transport: str, record_id: str) -> list[Any]:
        """The records with this id in quarantine."""
        return [record for record in self._quarantine(transport) if record["record_id"] == record_id]

    def quarantined_from(self, transport: str, topic: str) -> list[Any]:
        """The records in quarantine of messages that were published to a topic."""
        return [record for record in self._quarantine(transport) if record["origin"].get("topic") == topic]

    def _quarantine(self, transport: str) -> Iterator[Any]:
        s3, bucket = self.client("s3"), self.target["QuarantineBucket"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"quarantine/{transport}/")
        for page in pages:
            for found in page.get("Contents", ()):
                yield json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())

    def log_lines(self, function: str, *, since: float) -> list[str]:
        """The lines that a function logged since a time (Unix seconds), the latest last."""
        group = f"/aws/lambda/{self.target[FUNCTIONS[function]]}"
        events = read(self.client("logs"), group, since_ms=int(since * 1000), follow=False)
        lines = [event.message for event in events]
        return [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))]

    def workers(self, function: str) -> set[int]:
        """Ids of the processes in which a function runs."""
        code = f"ministack-lambda-{self.target[FUNCTIONS[function]]}-"
        return {pid for pid, command in children_of(self._emulator_pid).items() if code in command}

    def received(self) -> dict[str, Any]:
        """The packs that wait, as an event for the classifier; they wait on."""
        answer = self.client("sqs").receive_message(
            QueueUrl=self.target["DatapointsQueueUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["All"],
        )
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:datapoints.fifo",
                }
                for message in answer["Messages"]
            ]
        }

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke a function with an event and return its answer."""
        name = self.target[FUNCTIONS[function]]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.loads(answer["Payload"].read())

    def _messages(self, queue_url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    # --- what is done to it ------------------------------------------------------------------------------------------

    def queue_message(self, body: str, group: str) -> str:
        """Queue a message that no transport would, and return its id."""
        answer = self.client("sqs").send_message(
            QueueUrl=self.target["DatapointsQueueUrl"],
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=secrets.token_hex(),
        )
        return str(answer["MessageId"])

    def kill(self, function: str) -> None:
        """End the processes of a function wherever they are."""
        for pid in self.workers(function):
            os.kill(pid, signal.SIGKILL)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the classifier from receiving packs for the block, so that it finds those sent meanwhile together."""
        client = self.client("lambda")
        found = client.list_event_source_mappings(FunctionName=self.target["ClassifierFunction"])
        (mapping,) = found["EventSourceMappings"]
        self.drained()
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    @contextmanager
    def visibility_timeout(self, seconds: int, queue: str = "DatapointsQueueUrl") -> Iterator[None]:
        """Let the messages of a function that died be retried after so many seconds, for the block.

        Args:
            seconds: how many.
            queue: the output that names the queue it is from.
        """
        sqs, url, name = self.client("sqs"), self.target[queue], "VisibilityTimeout"
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: str(seconds)})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})

    @contextmanager
    def configured(self, function: str, *, timeout: int | None = None, **variables: str) -> Iterator[None]:
        """Give a function more environment variables, and another timeout in seconds, for the block.

        Its processes start anew, before and after.
        """
        name = self.target[FUNCTIONS[function]]
        before = self.client("lambda").get_function_configuration(FunctionName=name)
        environment = before["Environment"]["Variables"]
        self.drained()
        self._configure(name, timeout or before["Timeout"], {**environment, **variables})
        try:
            yield
        finally:
            self._configure(name, before["Timeout"], environment)

    def _configure(self, name: str, timeout: int, variables: dict[str, str]) -> None:
        client = self.client("lambda")
        client.update_function_configuration(FunctionName=name, Timeout=timeout, Environment={"Variables": variables})
        self.eventually(
            lambda: client.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful",
            f"{name} has its new configuration",
        )

    # --- waiting -----------------------------------------------------------------------------------------------------

    def drained(self, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until the points of every pack are delivered and its states saved."""
        self.eventually(lambda: self.packs_under_way() == 0, "every pack is dealt with", within=within)

    def eventually(self, condition: Callable[[], Seen], what: str, *, within: float = PATIENCE_SECONDS) -> Seen:
        """Wait until a condition holds, and return its value; if it never does, fail with a diagnosis."""
        deadline = time.monotonic() + within
        while not (seen := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within:g} s: {what}; last seen: {seen!r}\n{self._diagnosis()}")
            time.sleep(_POLL_SECONDS)
        return seen

    def _diagnosis(self) -> str:
        log = self.log_lines("classifier", since=time.time() - 2 * PATIENCE_SECONDS)[-_SHOWN_LOG_LINES:]
        under_way = f"packs under way: {self.packs_under_way()}, dead letters: {self.dead_letters()}"
        return "\n".join([under_way, "the classifier's last lines:", *log])


@contextmanager
def running_stack(state: StateDir, limits: AwsLimits | None = None) -> Iterator[LocalStack]:
    """A stack for the block, however that ends.

    Args:
        state: a state directory of its own.
        limits: the quotas of AWS that it keeps; None for all of them.
    """
    state.create()
    use_templates_of_the_checkout(state)
    try:
        running = stack.up(state, free_port(), limits)
        assert running.not_answering == ()
        started = LocalStack(resolve(TargetChoice(state)), running.emulator)
        with started.http:
            yield started
    finally:
        stack.down(state)


def use_templates_of_the_checkout(state: StateDir) -> None:
    """Let a stack use the templates of the checkout, which are synthesised once for all workers."""
    shared = StateDir.of(None)
    shared.create()
    with locks.exclusive(shared.command_lock, on_wait=lambda: None):
        template_hash = sources.template_hash(CHECKOUT)
        assembly = synthesis.cached(shared, template_hash) or synthesis.synthesise(shared, STAGE, template_hash)
    state.assemblies.mkdir(parents=True)
    (state.assemblies / assembly.name).symlink_to(assembly)


def request_body(points: Sequence[DataPoint]) -> bytes:
    """A request with points of one source."""
    body = {
        "domain": points[0].domain,
        "source_id": points[0].source_id,
        "datapoints": [as_sent(point) for point in points],
    }
    return json.dumps(body).encode()


def as_sent(point: DataPoint) -> dict[str, Any]:
    """A point as a client writes it, without its domain and source."""
    sent: dict[str, Any] = {"stream_id": point.stream_id, "value": point.value, "timestamp": point.timestamp}
    optional = {"stream_type": point.stream_type, "sequence": point.sequence, "metadata": point.metadata or None}
    return sent | {name: value for name, value in optional.items() if value is not None}


def free_port() -> int:
    """Not one that a stack of the checkout would choose."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
