"""The roles allow enough: the functions run in an emulator that enforces the policies."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.adapters.aws.secrets_manager import SecretsManagerSecret
from afluente.adapters.codecs.kinesis_records import lines_of
from afluente.adapters.codecs.packs import encode_pack
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.application.classification.retries import MAX_TRIES
from afluente.application.csv.jobs import JobStatus
from afluente.application.ingest.packs import shard_group
from afluente.domain.constraints import RateConstraints, StreamConfig, ValueConstraints
from afluente.domain.datapoints import DataPoint
from cli.core.aws import Connection, local_connection, outputs_of
from cli.local_stack import assembly as assemblies
from cli.local_stack import cloudformation
from cli.local_stack.assembly import StackTemplate
from cli.local_stack.health import edition_at
from infra.paths import ROOT
from infra.presets import local
from tests.infrastructure.deployment import as_list
from tests.infrastructure.grants import GRANTS

pytestmark = pytest.mark.integration

REGION = "us-east-1"
TIMEOUT_SECONDS = 120.0
RECORD = "decisions.jsonl"
# Actions that AWS checks for a batch too, and those that the emulator (1.5.33) checks then.
BATCHES = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
# A resource as AWS wants it granted, and the one that the emulator checks in its place.
CHECKED_AS = {
    ":log-group:/afluente/local/alarms:log-stream:alarms": ":log-group:/afluente/local/alarms",
}
# Lambda receives messages of a queue with the role of its function; the emulator (1.5.33) with none.
DONE_BY_LAMBDA = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
}
EVENT_SOURCES: dict[str, set[str]] = defaultdict(
    set,
    classifier={"datapoints.fifo"},
    iot_rule_handler={"mqtt-inbox"},
    csv_trigger={"csv-inbox", "csv-jobs.fifo"},
    ws_ingest={"unanswered-connections"},
)
# Grants that no test of this file uses: with the reason, and where they are used.
NOT_SEEN_HERE: dict[str, set[tuple[str, str]]] = {}
ALARM_LOG = f"arn:aws:logs:{REGION}:000000000000:log-group:/afluente/local/alarms"
STREAMS = ("AlertStream", "WarningStream", "AnomalyStream", "NormalStream")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the emulator, with its record of decisions about permissions."""
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """An emulator that evaluates IAM policies, each function under its own role."""
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
            [sys.executable, "-m", "tests.infrastructure.recording_emulator", str(folder / RECORD)],
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
def outputs(connection: Connection, local_assembly: Path) -> Mapping[str, str]:
    assembly = assemblies.read(local_assembly)
    cloudformation.upload(connection, assembly.assets.values(), REGION)
    for stack in assembly.stacks:
        cloudformation.deploy(connection, as_the_emulator_can_enforce_it(stack))
    return outputs_of(connection, "afluente-local-service")


@pytest.fixture
def api(connection: Connection, outputs: Mapping[str, str], port: int) -> Iterator[httpx.Client]:
    url = f"http://127.0.0.1:{port}/_aws/execute-api/{outputs['HttpApiId']}/$default"
    with httpx.Client(
        base_url=url, headers={"X-API-Key": a_key(connection, outputs)}, timeout=TIMEOUT_SECONDS
    ) as client:
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
        timeout=TIMEOUT_SECONDS,
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


def test_mqtt_messages_are_accepted_with_the_grants_of_the_role(
    connection: Connection, outputs: Mapping[str, str]
) -> None:
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


def test_a_websocket_is_served_with_the_grants_of_the_role(
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
        assert json.loads(silent.recv(TIMEOUT_SECONDS))["code"] == 1008
        for closed in (silent, unknown):
            with pytest.raises(ConnectionClosed):
                closed.recv(TIMEOUT_SECONDS)

    until("the point is on its stream", lambda: 2.5 in values_on(connection, outputs["NormalStream"]))
    assert len(quarantined(connection, outputs)) == before + 1
    until("the connection is deleted", lambda: ids_of(connection, outputs["ConnectionsTable"]) == {"source#iot/pump"})


def test_csv_files_are_read_with_the_grants_of_the_roles(
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
    job = api.get(f"/ingest/csv/{answer.json()['job_id']}").json()
    # The number of rejected rows is wrong: the emulator answers a range of a version with the whole.
    assert job["points_queued"] == 10
    assert ",high" in httpx.get(job["rejects_url"]).text
    assert api.delete(f"/ingest/csv/{job['job_id']}").status_code == 409
    until("the inbox is empty", lambda: nothing_waits(connection, outputs["CsvInboxQueueUrl"]))
    until("no job waits", lambda: nothing_waits(connection, outputs["CsvJobsQueueUrl"]))
    assert nothing_waits(connection, outputs["CsvInboxDlqUrl"])
    assert nothing_waits(connection, outputs["CsvJobsDlqUrl"])


def test_a_loader_waits_for_a_slot_with_the_grants_of_the_role(
    connection: Connection, outputs: Mapping[str, str], api: httpx.Client
) -> None:
    dynamodb, group = connection.client("dynamodb"), shard_group("iot/plane", local().shards)
    leases = {token: {"N": str(time.time() + 3600)} for token in ("first", "second")}
    key = {"TableName": f"{local().prefix}-csv-slots", "Key": {"group": {"S": group}}}
    dynamodb.put_item(TableName=key["TableName"], Item={"group": {"S": group}, "leases": {"M": leases}})
    before = statuses(api).count("complete")

    connection.client("s3").put_object(Bucket=outputs["CsvBucket"], Key="inbox/iot/plane/a.csv", Body=csv_of(7.5))

    until("the file is read", lambda: "reading" in statuses(api))
    # Long enough to ask a second time, which is a read.
    time.sleep(2)
    dynamodb.delete_item(**key)
    until("the file is loaded", lambda: statuses(api).count("complete") == before + 1)


def test_a_pack_that_fails_too_often_is_moved_with_the_grants_of_the_role(
    connection: Connection, outputs: Mapping[str, str]
) -> None:
    dynamodb, table, group = (
        connection.client("dynamodb"),
        outputs["LatestTable"],
        shard_group("iot/hoist", local().shards),
    )
    damaged = {"source": {"S": "iot/hoist"}, "bucket": {"N": "0"}, "version": {"N": "1"}, "streams": {"B": b"damaged"}}
    tries = {"source": {"S": f"#tries/{group}"}, "bucket": {"N": "7"}, "tries": {"N": str(MAX_TRIES - 1)}}
    for item in (damaged, tries):
        dynamodb.put_item(TableName=table, Item=item)
    points = [
        DataPoint(domain="iot", source_id="hoist", stream_id="load", value=1.0, timestamp=time.time(), ingested_at=0.0)
    ]
    record = {
        "messageId": "hoist",
        "receiptHandle": "hoist",
        "body": encode_pack(points).body,
        "attributes": {"MessageGroupId": group, "SequenceNumber": "7", "ApproximateReceiveCount": "1"},
    }

    answer = connection.client("lambda").invoke(
        FunctionName=f"{local().prefix}-classifier", Payload=json.dumps({"Records": [record]})
    )

    assert json.load(answer["Payload"]) == {"batchItemFailures": []}
    (moved,) = connection.client("sqs").receive_message(QueueUrl=outputs["DatapointsDlqUrl"])["Messages"]
    assert moved["Body"] == record["body"]


def test_an_unreadable_file_fails_with_the_grants_of_the_role(
    connection: Connection, outputs: Mapping[str, str], api: httpx.Client
) -> None:
    s3, bucket, noise = connection.client("s3"), outputs["CsvBucket"], b"\x00\xff" * 500

    # Twice the same: what the first has failed at is tried anew.
    for number, name in enumerate(("first", "second"), start=1):
        s3.put_object(Bucket=bucket, Key=f"inbox/iot/drill/{name}.csv", Body=noise)
        until("its job has failed", lambda number=number: statuses(api).count("failed") == number)  # type: ignore[misc]
    connection.client("sqs").send_message(QueueUrl=outputs["CsvInboxQueueUrl"], MessageBody="no news of a file")

    until("the inbox is empty", lambda: nothing_waits(connection, outputs["CsvInboxQueueUrl"]))


def test_constraints_are_managed_with_the_grants_of_the_role(api: httpx.Client) -> None:
    path = "/constraints/iot/shear/force"

    for limit in (10, 20):
        written = api.put(path, json={"value_constraints": {"max_value": limit}})
        assert written.status_code in {200, 201}, written.text
    answers = [
        api.get(path),
        api.get("/constraints", params={"domain": "iot"}),
        api.get(f"{path}/history"),
        api.post(f"{path}/rollback", json={"version": 1}),
        api.delete(path),
    ]

    assert [answer.status_code // 100 for answer in answers] == [2] * len(answers), [one.text for one in answers]


def test_alarms_are_read_with_the_grants_of_the_role(api: httpx.Client) -> None:
    answer = api.get("/alarms")

    assert answer.status_code == 200, answer.text


def test_uploads_are_begun_and_aborted_with_the_grants_of_the_role(api: httpx.Client) -> None:
    small = {"domain": "iot", "source_id": "saw", "file": "small.csv"}
    sent = api.post("/ingest/csv/uploads", json=small)
    assert sent.status_code == 201, sent.text
    assert httpx.put(sent.json()["upload"]["url"], content=csv_of(6.5)).is_success
    url = f"/ingest/csv/{sent.json()['job_id']}"
    until("the upload is read", lambda: api.get(url).json()["status"] == "complete")

    # Too large to be uploaded at once.
    large = {"domain": "iot", "source_id": "saw", "file": "large.csv", "size": 6 * 1024**3}
    begun = api.post("/ingest/csv/uploads", json=large)
    assert begun.status_code == 201, begun.text

    aborted = httpx.delete(begun.json()["upload"]["abort_url"])
    cancelled = api.delete(f"/ingest/csv/{begun.json()['job_id']}")

    assert aborted.status_code == 204, aborted.text
    assert cancelled.status_code == 200, cancelled.text


def test_legacy_clients_are_served_with_the_grants_of_the_roles(
    connection: Connection, outputs: Mapping[str, str], api: httpx.Client
) -> None:
    sensor = "1267183d-7e20-55f9-a78a-487267327c64"
    reading = {"value": 1.5, "timestamp": time.time() - 60, "sensor_uuid": sensor}
    packet = {"deviceId": "gateway-1", "readings": [{"sensorId": 7, "value": 1.5, "timestamp": time.time() - 60}]}

    answer = api.post("/ingest/packets", json=packet)
    connection.client("iot-data").publish(topic=f"iot/sensors/{sensor}/readings", qos=1, payload=json.dumps([reading]))

    assert answer.status_code == 200, answer.text
    until("the inbox is empty", lambda: nothing_waits(connection, outputs["InboxQueueUrl"]))


def test_every_permission_is_needed(request: pytest.FixtureRequest, folder: Path) -> None:
    """Run after the others: a grant that no function has used is one too many."""
    ran = {item.name for item in request.session.items if item.path == request.path}
    if len(ran) < len(re.findall(r"^def test_", request.path.read_text(encoding="utf-8"), re.MULTILINE)):
        pytest.skip("the other tests of this file make the calls that this one counts")
    used: dict[str, set[tuple[str, str]]] = {}
    for caller, action, resource in allowed_calls(folder / RECORD):
        for package, granted in GRANTS.items():
            if caller == f"afluente-local-{package.replace('_', '-')}":
                matching = {(a, r) for a, r in granted if a == action and is_of(resource, r)}
                assert matching, f"{package}: {action} of {resource} is allowed, and in no list"
                used.setdefault(package, set()).update(matching)

    never = {
        package: {
            (action, resource)
            for action, resource in granted - used.get(package, set())
            if action not in DONE_BY_LAMBDA or not is_event_source(package, resource)
        }
        for package, granted in GRANTS.items()
    }
    assert {package: unused for package, unused in never.items() if unused} == NOT_SEEN_HERE


def allowed_calls(record: Path) -> Iterator[tuple[str, str, str]]:
    """The name of the function, the action and the resource of each call of a function that was allowed."""
    singly = {batch: single for single, batch in BATCHES.items()}
    for line in record.read_text(encoding="utf-8").splitlines():
        caller, action, resource, decided = json.loads(line)
        if decided == "Allow" and ":assumed-role/" in caller:
            yield caller.rsplit("/", 1)[1], singly.get(action, action), resource


def is_of(resource: str, granted: str) -> bool:
    """True if the ARN is the one of a resource as the list of grants names it."""
    if granted.startswith("<SecretsManager::Secret>"):
        return ":secret:" in resource
    if granted.startswith("arn:aws:execute-api"):
        return resource.startswith("arn:aws:execute-api:") and "/@connections/" in resource
    if granted.startswith(("arn:aws:logs", "/afluente/")):
        return resource.endswith(":log-group:/afluente/local/alarms")
    bucket = re.fullmatch(r"<(\w+)Bucket>(.*)", granted)
    if bucket:
        name, objects = bucket[1].lower(), bucket[2].removesuffix("*")
        path = resource.removeprefix("arn:aws:s3:::")
        return f"-data-{name}bucket" in path and (
            path.partition("/")[2].startswith(objects[1:]) if objects else "/" not in path
        )
    return re.split(r"[:/]", resource, maxsplit=5)[5].removeprefix("table/").removeprefix("stream/").removeprefix(
        "event-bus/"
    ) == granted.replace("afluente-prod-", "afluente-local-")


def is_event_source(package: str, queue: str) -> bool:
    return queue.removeprefix("afluente-prod-") in EVENT_SOURCES[package]


def as_the_emulator_can_enforce_it(stack: StackTemplate) -> StackTemplate:
    """The stack, adapted to checks of the emulator that differ from those of AWS, and to its endpoint without TLS."""
    text = json.dumps(stack.template)
    for granted, asked_for in CHECKED_AS.items():
        text = text.replace(granted, asked_for)
    for id_, resource in stack.template["Resources"].items():
        if resource["Type"] == "AWS::SecretsManager::Secret":
            # To AWS a reference to a secret is its ARN, to the emulator (1.5.33) its name.
            text = text.replace(json.dumps({"Ref": id_}), json.dumps({"Fn::GetAtt": [id_, "Id"]}))
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
                if "logs:FilterLogEvents" in granted_actions:
                    # The ARN of a log group ends in `:*`; AWS accepts it for that of the group too.
                    statement["Resource"] = [*as_list(statement["Resource"]), ALARM_LOG]
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
        for line in lines_of(record["Data"])
    ]


def quarantined(connection: Connection, outputs: Mapping[str, str]) -> list[str]:
    objects: list[Any] = connection.client("s3").list_objects_v2(Bucket=outputs["QuarantineBucket"]).get("Contents", [])
    return [item["Key"] for item in objects]


def alarms(connection: Connection, outputs: Mapping[str, str]) -> list[str]:
    events = connection.client("logs").filter_log_events(logGroupName=outputs["AlarmLogGroup"])["events"]
    return [event["message"] for event in events]


def ask(socket: ClientConnection, message: object) -> Any:
    socket.send(json.dumps(message))
    return json.loads(socket.recv(TIMEOUT_SECONDS))


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
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_SECONDS:.0f} s: {what}"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
