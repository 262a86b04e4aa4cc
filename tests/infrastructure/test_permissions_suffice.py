"""What the roles allow is enough: the functions do all that they do with an emulator that enforces the policies."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from afluente.adapters.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.adapters.secrets_manager import SecretsManagerSecret
from afluente.application.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.application.csv_jobs import JobStatus
from afluente.domain.constraints import RateConstraints, StreamConfig, ValueConstraints
from cli.aws import Connection, local_connection, outputs_of
from cli.local_stack import assembly as assemblies
from cli.local_stack import cloudformation
from cli.local_stack.assembly import StackTemplate
from cli.local_stack.health import edition_at
from infra.app import synthesise
from infra.paths import ROOT
from infra.stage import local
from tests.infrastructure.deployment import as_list

pytestmark = pytest.mark.integration

REGION = "us-east-1"
PATIENCE_SECONDS = 60.0
# What AWS wants granted for a batch too, and what the emulator (1.5.33) asks for then.
BATCHES = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
# A resource as AWS wants it granted, and what the emulator asks for in its place.
JUDGED_OTHERWISE = {
    ":log-group:/afluente/local/alarms:log-stream:alarms": ":log-group:/afluente/local/alarms",
}
STREAMS = ("AlertStream", "WarningStream", "AnomalyStream", "NormalStream")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An emulator that evaluates IAM policies, each function under its own role."""
    folder = tmp_path_factory.mktemp("emulator")
    port = free_port()
    environment = {
        "AUTH": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_EDITION": "enforcing",
        "MINISTACK_HOST": "127.0.0.1",
        "PATH": os.environ["PATH"],
        "SFTP_ENABLED": "0",
        "TMPDIR": str(folder),
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            until("the emulator answers", lambda: edition_at(port) == "enforcing")
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def connection(port: int) -> Connection:
    return local_connection(f"http://127.0.0.1:{port}", REGION)


@pytest.fixture(scope="module")
def outputs(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    assembly = assemblies.read(synthesise(local(), tmp_path_factory.mktemp("assembly")))
    cloudformation.upload(connection, assembly.assets.values(), REGION)
    for stack in assembly.stacks:
        cloudformation.deploy(connection, as_the_emulator_can_enforce_it(stack))
    return outputs_of(connection, "afluente-local-service")


@pytest.fixture
def api(connection: Connection, outputs: Mapping[str, str], port: int) -> Iterator[httpx.Client]:
    url = f"http://127.0.0.1:{port}/_aws/execute-api/{outputs['HttpApiId']}/$default"
    with httpx.Client(base_url=url, headers={"X-API-Key": a_key(connection, outputs)}, timeout=30) as client:
        yield client


def test_every_function_may_do_all_that_it_does(connection: Connection, outputs: Mapping[str, str], port: int) -> None:
    key = a_key(connection, outputs)
    constrain(connection, outputs, "iot/press/press:force")
    now = time.time() - 60

    # Normal; more than 5 units up from it; over the warning limit; over the alert limit; and one that is no number.
    values: list[object] = [1.0, 7.0, 15.0, 25.0, "high"]
    points = [
        {"stream_id": "press:force", "value": value, "timestamp": now + index} for index, value in enumerate(values)
    ]
    answer = httpx.post(
        f"http://127.0.0.1:{port}/_aws/execute-api/{outputs['HttpApiId']}/$default/ingest/datapoints",
        json={"domain": "iot", "source_id": "press", "datapoints": points},
        headers={"X-API-Key": key},
        timeout=30,
    )
    connection.client("sqs").send_message(
        QueueUrl=outputs["DatapointsQueueUrl"],
        MessageBody="no pack",
        MessageGroupId="stray",
        MessageDeduplicationId="stray",
    )

    assert answer.status_code == 202, answer.text
    assert answer.json()["inserted"] == 4
    until("each class has its point", lambda: all(values_on(connection, outputs[stream]) for stream in STREAMS))
    assert [values_on(connection, outputs[stream]) for stream in STREAMS] == [[25.0], [15.0], [7.0], [1.0]]
    until("both bad records are in quarantine", lambda: len(quarantined(connection, outputs)) == 2)
    assert {folder.split("/")[1] for folder in quarantined(connection, outputs)} == {"http", "sqs"}
    until("an alarm is in the log", lambda: bool(alarms(connection, outputs)))
    until("the queue is empty", lambda: nothing_waits(connection, outputs["DatapointsQueueUrl"]))


def test_mqtt_messages_are_taken_with_what_the_role_allows(connection: Connection, outputs: Mapping[str, str]) -> None:
    broker = connection.client("iot-data")
    before = len(quarantined(connection, outputs))
    point = {"value": 1.5, "timestamp": time.time() - 60}

    # One point, one with a fault, and one message that no point can be made of.
    for payload in (point, {**point, "value": "high"}, "no point"):
        broker.publish(topic="iot/boiler/pressure", qos=1, payload=json.dumps(payload))

    until("the point is on its stream", lambda: 1.5 in values_on(connection, outputs["NormalStream"]))
    until("both bad records are in quarantine", lambda: len(quarantined(connection, outputs)) == before + 2)
    until("the inbox is empty", lambda: nothing_waits(connection, outputs["InboxQueueUrl"]))
    assert nothing_waits(connection, outputs["InboxDlqUrl"])


def test_a_websocket_is_served_with_what_the_role_allows(
    connection: Connection, outputs: Mapping[str, str], port: int
) -> None:
    url = f"ws://127.0.0.1:{port}/_aws/execute-api/{outputs['WebSocketApiId']}/live"
    key = a_key(connection, outputs)
    before = len(quarantined(connection, outputs))
    point = {"stream_id": "flow", "value": 2.5, "timestamp": time.time() - 60, "sequence": 7}
    auth = {"action": "auth", "domain": "iot", "source_id": "pump"}

    with connect(url, proxy=None) as socket, connect(url, proxy=None) as silent, connect(url, proxy=None) as unknown:
        assert ask(socket, {**auth, "api_key": key})["last_sequence"] is None
        good, bad = ask(socket, [point, {**point, "value": "high"}])
        assert (good["status"], bad["status"]) == ("ok", "error")
        assert ask(socket, {"action": "auth"})["last_sequence"] == 7
        assert ask(unknown, point)["code"] == 1008
        # Closed by the service, once its ten seconds are over.
        assert json.loads(silent.recv(PATIENCE_SECONDS))["code"] == 1008
        for closed in (silent, unknown):
            with pytest.raises(ConnectionClosed):
                closed.recv(PATIENCE_SECONDS)

    until("the point is on its stream", lambda: 2.5 in values_on(connection, outputs["NormalStream"]))
    assert len(quarantined(connection, outputs)) == before + 1
    until("the connection is forgotten", lambda: ids_of(connection, outputs["ConnectionsTable"]) == {"source#iot/pump"})


def test_csv_files_are_read_with_what_the_roles_allow(
    connection: Connection, outputs: Mapping[str, str], api: httpx.Client
) -> None:
    s3, bucket = connection.client("s3"), outputs["CsvBucket"]

    # Dropped by somebody of the account, with and without a file of options, and uploaded by a client.
    s3.put_object(Bucket=bucket, Key="inbox/iot/mill/torque.csv.json", Body=b'{"decimal": "."}')
    s3.put_object(Bucket=bucket, Key="inbox/iot/mill/torque.csv", Body=csv_of(3.5))
    s3.put_object(Bucket=bucket, Key="inbox/iot/mill/speed.csv", Body=csv_of(4.5))
    answer = api.post(
        "/ingest/csv", data={"domain": "iot", "source_id": "lathe"}, files={"file": ("readings.csv", csv_of(5.5))}
    )

    assert answer.status_code == 202, answer.text
    until("all jobs have ended", lambda: [JobStatus(one).is_final for one in statuses(api)] == [True] * 3)
    assert statuses(api) == ["complete"] * 3
    values = {3.5, 4.5, 5.5}
    until("all points are on their stream", lambda: values <= set(values_on(connection, outputs["NormalStream"])))
    told = api.get(f"/ingest/csv/{answer.json()['job_id']}").json()
    # How many rows were rejected it does not tell: the emulator as it is answers a range of a version with the whole.
    assert told["points_queued"] == 10
    assert ",high" in httpx.get(told["rejects_url"]).text
    assert api.delete(f"/ingest/csv/{told['job_id']}").status_code == 409
    until("the inbox is empty", lambda: nothing_waits(connection, outputs["CsvInboxQueueUrl"]))
    until("no job waits", lambda: nothing_waits(connection, outputs["CsvJobsQueueUrl"]))
    assert nothing_waits(connection, outputs["CsvInboxDlqUrl"])
    assert nothing_waits(connection, outputs["CsvJobsDlqUrl"])


def as_the_emulator_can_enforce_it(stack: StackTemplate) -> StackTemplate:
    """The stack but for what the emulator judges otherwise than AWS, and for TLS, which its endpoint does not have."""
    text = json.dumps(stack.template)
    for granted, asked_for in JUDGED_OTHERWISE.items():
        text = text.replace(granted, asked_for)
    template = json.loads(text)
    resources = template["Resources"]
    for id_, resource in list(resources.items()):
        if resource["Type"] in {"AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"}:
            policy = resource["Properties"]["PolicyDocument"]
            policy["Statement"] = [one for one in policy["Statement"] if "aws:SecureTransport" not in str(one)]
            if not policy["Statement"]:
                del resources[id_]
        if resource["Type"] == "AWS::IAM::Policy":
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                granted_actions = as_list(statement["Action"])
                statement["Action"] = [*granted_actions, *(BATCHES[one] for one in granted_actions if one in BATCHES)]
    return StackTemplate(stack.name, template)


def a_key(connection: Connection, outputs: Mapping[str, str]) -> str:
    secret = SecretsManagerSecret(connection.client("secretsmanager"), outputs["KeyPepperSecret"])
    random = secrets.token_bytes(KEY_RANDOM_BYTES)
    text, kept = new_key("permissions", random=random, pepper=secret.read(), now=time.time())
    DynamoApiKeys(connection.client("dynamodb"), outputs["AccessTable"]).put(kept)
    return text


def constrain(connection: Connection, outputs: Mapping[str, str], key: str) -> None:
    config = StreamConfig(
        value_constraints=ValueConstraints(warning_max=10, alert_max=20),
        rate_constraints=RateConstraints(abs_delta=5),
        consecutive_violations_required=1,
    )
    tables = outputs["ConstraintsTable"], outputs["ConstraintHistoryTable"]
    DynamoConstraintsCatalogue(connection.client("dynamodb"), *tables, by="tests").put(key, config)


def csv_of(value: float) -> bytes:
    """Ten good rows and one with a fault."""
    begin = int(time.time()) - 60
    return "\n".join(["time,value", *(f"{begin + n},{value}" for n in range(10)), f"{begin + 10},high"]).encode()


def statuses(api: httpx.Client) -> list[str]:
    answer = api.get("/ingest/csv")
    assert answer.status_code == 200, answer.text
    return [job["status"] for job in answer.json()["jobs"]]


def values_on(connection: Connection, stream: str) -> list[float]:
    kinesis = connection.client("kinesis")
    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=stream)["Shards"]]
    iterators = [
        kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        for shard in shards
    ]
    return [
        json.loads(line)["value"]
        for iterator in iterators
        for record in kinesis.get_records(ShardIterator=iterator)["Records"]
        for line in record["Data"].splitlines()
    ]


def quarantined(connection: Connection, outputs: Mapping[str, str]) -> list[str]:
    objects: list[Any] = connection.client("s3").list_objects_v2(Bucket=outputs["QuarantineBucket"]).get("Contents", [])
    return [item["Key"] for item in objects]


def alarms(connection: Connection, outputs: Mapping[str, str]) -> list[str]:
    events = connection.client("logs").filter_log_events(logGroupName=outputs["AlarmLogGroup"])["events"]
    return [event["message"] for event in events]


def ask(socket: ClientConnection, message: object) -> Any:
    socket.send(json.dumps(message))
    return json.loads(socket.recv(PATIENCE_SECONDS))


def ids_of(connection: Connection, table: str) -> set[str]:
    items: list[Any] = connection.client("dynamodb").scan(TableName=table)["Items"]
    return {item["id"]["S"] for item in items}


def nothing_waits(connection: Connection, queue_url: str) -> bool:
    counts = connection.client("sqs").get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return set(counts.values()) == {"0"}


def until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
