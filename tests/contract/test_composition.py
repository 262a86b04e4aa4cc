"""The functions as they are deployed, made of the real adapters by their environment alone."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import classifier.handler
import http_authorizer.handler
import http_ingest.handler
import iot_rule_handler.handler
import ws_ingest.handler
from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.adapters.aws.dynamodb_csv_jobs import BY_DOMAIN
from afluente.adapters.codecs.packs import decode_pack
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.domain.evaluation import Classification
from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.application.canary import event_of
from afluente.migration.application.trial import EventKind, Phase, TrialCounts
from afluente.runtime import clients
from afluente.runtime.classifier import classifier as built_classifier
from afluente.runtime.http_authorizer import http_authorizer as built_http_authorizer
from afluente.runtime.http_ingest import http_ingest as built_http_ingest
from afluente.runtime.iot_rule_handler import iot_rule_handler as built_iot_rule_handler
from afluente.runtime.ws_ingest import ws_ingest as built_ws_ingest
from tests.contract.local_aws import REGION, LocalAws
from tests.contract.test_classified_streams import Kinesis
from tests.factories import PEPPER, a_config
from tests.migration.legacy_service import an_old_service, create_tables, fill

EVENTS = Path(__file__).parents[1] / "events"
NUMBERS = count(1)
CONTEXT = SimpleNamespace(aws_request_id="invocation-1")


@pytest.fixture
def environment(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """All the resources of a stage, and the variables that the functions find them by."""
    group, log_stream = aws.log_stream()
    variables = {
        "AFLUENTE_DOMAINS": "iot,health",
        "AFLUENTE_SHARDS": "64",
        "AFLUENTE_DATAPOINTS_QUEUE_URL": aws.fifo_queue(),
        "AFLUENTE_LATEST_TABLE": aws.table("source", "bucket"),
        "AFLUENTE_CONSTRAINTS_TABLE": aws.table("key"),
        "AFLUENTE_CONSTRAINT_HISTORY_TABLE": aws.table("key", "version"),
        "AFLUENTE_ACCESS_TABLE": aws.table("id"),
        "AFLUENTE_KEY_PEPPER_SECRET": aws.secret(PEPPER),
        "AFLUENTE_CONNECTIONS_TABLE": aws.table("id"),
        "AFLUENTE_MIGRATION_TABLE": aws.table("id", "entry", sort_form="S"),
        "AFLUENTE_UNANSWERED_QUEUE_URL": aws.client("sqs").create_queue(QueueName=f"unanswered-{next(NUMBERS)}")[
            "QueueUrl"
        ],
        "AFLUENTE_WEBSOCKET_API_ID": "a1b2c3d4",
        "AFLUENTE_WEBSOCKET_STAGE": "live",
        "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": f"https://a1b2c3d4.execute-api.{REGION}.amazonaws.com/live",
        "AFLUENTE_QUARANTINE_BUCKET": aws.bucket(),
        "AFLUENTE_CSV_BUCKET": aws.bucket(),
        "AFLUENTE_CSV_JOBS_TABLE": aws.table("job_id", indexes={BY_DOMAIN: ("domain", "created_at")}),
        "AFLUENTE_ALARM_BUS": aws.bus()[0],
        "AFLUENTE_ALARM_LOG_GROUP": group,
        "AFLUENTE_ALARM_LOG_STREAM": log_stream,
        **{f"AFLUENTE_STREAM_{name.name}": aws.stream() for name in Classification},
    }
    credentials = {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    for name, value in (variables | credentials | aws.endpoint_variable()).items():
        monkeypatch.setenv(name, value)
    _as_in_a_new_container()
    yield variables
    _as_in_a_new_container()


def _as_in_a_new_container() -> None:
    for built in (
        built_http_ingest,
        built_http_authorizer,
        built_iot_rule_handler,
        built_ws_ingest,
        built_classifier,
        clients._session,
    ):
        built.cache_clear()


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def batch_of(aws: LocalAws, queue_url: str) -> dict[str, Any]:
    """What the event source mapping hands over of what waits in the queue."""
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


def test_the_owner_of_a_key_is_known(aws: LocalAws, environment: dict[str, str]) -> None:
    _, key = new_key("plant 7", random=bytes(range(KEY_RANDOM_BYTES)), pepper=PEPPER, now=time.time())
    DynamoApiKeys(aws.client("dynamodb"), environment["AFLUENTE_ACCESS_TABLE"]).put(key)

    answer = http_authorizer.handler.lambda_handler(event("http_authorizer"), CONTEXT)

    assert json.loads(answer["context"]["grant"])["key_id"] == "aaaqeaye"


def test_an_uploaded_file_is_in_the_bucket_and_its_job_can_be_looked_at_and_ended(
    aws: LocalAws, environment: dict[str, str]
) -> None:
    handle = http_ingest.handler.lambda_handler
    sent = event("http_api_csv")

    uploaded = handle(sent, CONTEXT)
    job = json.loads(uploaded["body"])
    of_job = sent | {"body": None, "isBase64Encoded": False, "pathParameters": {"job_id": job["job_id"]}}
    ended = handle(of_job | {"routeKey": "DELETE /ingest/csv/{job_id}"}, CONTEXT)
    shown = handle(of_job | {"routeKey": "GET /ingest/csv/{job_id}"}, CONTEXT)
    listed = handle(sent | {"routeKey": "GET /ingest/csv", "queryStringParameters": {"domain": "iot"}}, CONTEXT)

    assert [answer["statusCode"] for answer in (uploaded, ended, shown, listed)] == [202, 200, 200, 200]
    assert [json.loads(answer["body"])["status"] for answer in (uploaded, ended, shown)] == [
        "queued",
        "cancelled",
        "cancelled",
    ]
    assert [found["job_id"] for found in json.loads(listed["body"])["jobs"]] == [job["job_id"]]
    kept = aws.client("s3").list_objects_v2(Bucket=environment["AFLUENTE_CSV_BUCKET"])["Contents"]
    assert [item["Key"] for item in kept] == [f"inbox/iot/furnace-1/.uploads/{job['job_id']}/march.csv"]


def test_a_larger_file_is_announced_and_gets_urls(aws: LocalAws, environment: dict[str, str]) -> None:
    body = {"domain": "iot", "source_id": "furnace-1", "file": "march.csv"}
    asked = event("http_api_ingest") | {"routeKey": "POST /ingest/csv/uploads"}

    whole, parts = (
        json.loads(
            http_ingest.handler.lambda_handler(asked | {"body": json.dumps(body | {"size": size})}, CONTEXT)["body"]
        )["upload"]
        for size in (1, 6 * 1024**3)
    )

    assert (whole["method"], parts["method"], len(parts["part_urls"])) == ("PUT", "multipart", 96)
    assert all("X-Amz-Algorithm=AWS4-HMAC-SHA256" in url for url in (whole["url"], *parts["part_urls"]))


def of_a_connection(event_type: str, **fields: Any) -> dict[str, Any]:
    context = {"connectionId": "L0SM9cOFvHcCIhw=", "eventType": event_type, "requestId": "request-1"}
    return {"requestContext": context, **fields}


def test_points_of_a_connection_are_queued_and_acknowledged(aws: LocalAws, environment: dict[str, str]) -> None:
    text, key = new_key("plant 7", random=bytes(range(KEY_RANDOM_BYTES)), pepper=PEPPER, now=time.time())
    DynamoApiKeys(aws.client("dynamodb"), environment["AFLUENTE_ACCESS_TABLE"]).put(key)
    handle = ws_ingest.handler.lambda_handler
    headers = {"X-API-Key": text, "X-Domain": "iot", "X-Source-ID": "oven-1"}
    points = [{"stream_id": "t", "value": 1, "timestamp": 1_699_996_400, "sequence": 7}, {"value": "high"}]

    assert handle(of_a_connection("CONNECT", headers=headers), CONTEXT) == {"statusCode": 200}
    told = json.loads(handle(of_a_connection("MESSAGE", body=json.dumps(points)), CONTEXT)["body"])
    asked = json.loads(handle(of_a_connection("MESSAGE", body='{"action": "auth"}'), CONTEXT)["body"])
    assert handle(of_a_connection("DISCONNECT"), CONTEXT) == {"statusCode": 200}

    assert [answer["status"] for answer in told] == ["ok", "error"]
    assert asked == {"type": "authenticated", "domain": "iot", "source_id": "oven-1", "last_sequence": 7}
    (record,) = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])["Records"]
    assert [str(point.key) for point in decode_pack(record["body"])] == ["iot/oven-1/t"]
    kept = aws.client("s3").list_objects_v2(Bucket=environment["AFLUENTE_QUARANTINE_BUCKET"])["Contents"]
    assert [item["Key"].split("/")[:2] for item in kept] == [["quarantine", "ws"]]


def test_a_connection_without_a_key_waits_to_be_looked_at(aws: LocalAws, environment: dict[str, str]) -> None:
    assert ws_ingest.handler.lambda_handler(of_a_connection("CONNECT"), CONTEXT) == {"statusCode": 200}

    (record,) = batch_of(aws, environment["AFLUENTE_UNANSWERED_QUEUE_URL"])["Records"]
    assert record["body"] == "L0SM9cOFvHcCIhw="


def test_points_of_the_mqtt_inbox_are_queued_and_what_is_none_is_kept(
    aws: LocalAws, environment: dict[str, str]
) -> None:
    message = {
        "payload": b64encode(b'{"value": 20.5}').decode(),
        "topic": "iot/oven-1/temperature",
        "client_id": "oven-1",
        "arrived_at": 1_699_996_400_000,
    }
    bodies = {"1": json.dumps(message), "2": "stray"}
    records = [
        {"messageId": id_, "body": body, "attributes": {"SentTimestamp": "1699996400100"}}
        for id_, body in bodies.items()
    ]

    assert iot_rule_handler.handler.lambda_handler({"Records": records}, CONTEXT) == {"batchItemFailures": []}

    (record,) = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])["Records"]
    assert [str(point.key) for point in decode_pack(record["body"])] == ["iot/oven-1/temperature"]
    kept = aws.client("s3").list_objects_v2(Bucket=environment["AFLUENTE_QUARANTINE_BUCKET"])["Contents"]
    assert [item["Key"].split("/")[:2] for item in kept] == [["quarantine", "mqtt"]]


def test_points_go_all_the_way_from_a_request_to_the_streams_of_their_classes(
    aws: LocalAws, environment: dict[str, str]
) -> None:
    catalogue(aws, environment).put(
        "iot", a_config(max_value=50, warning_max=40, abs_delta=5, consecutive_violations_required=1)
    )
    points = [
        {"stream_id": "temperature", "value": value, "timestamp": 1_699_996_400 + second}
        for second, value in enumerate([20, 22, 30, 45, 60])
    ]
    asked = event("http_api_ingest") | {"body": json.dumps({"domain": "iot", "datapoints": [*points, {"value": 1}]})}

    answer = http_ingest.handler.lambda_handler(asked, CONTEXT)
    assert answer["statusCode"] == 202
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    assert classifier.handler.lambda_handler(batch, CONTEXT) == {"batchItemFailures": []}
    assert classifier.handler.lambda_handler(batch, CONTEXT) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        kinesis = Kinesis(aws.client("kinesis"), names, executor)
        assert {name.value: [point.value for point in kinesis.points(name)] for name in Classification} == {
            "normal": [20, 22],
            "anomaly": [30],
            "warning": [45],
            "alert": [60],
        }
    logs = aws.client("logs").filter_log_events(logGroupName=environment["AFLUENTE_ALARM_LOG_GROUP"])["events"]
    assert [json.loads(line["message"])["value"] for line in logs] == [30]
    kept = aws.client("s3").list_objects_v2(Bucket=environment["AFLUENTE_QUARANTINE_BUCKET"])["Contents"]
    assert [item["Key"].split("/")[:2] for item in kept] == [["quarantine", "http"]]


def test_without_the_table_of_constraints_every_point_is_normal(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(aws, environment).put("iot", a_config(max_value=1))
    monkeypatch.setenv("AFLUENTE_USE_AGNOSTIC_CONSTRAINTS", "false")
    http_ingest.handler.lambda_handler(event("http_api_ingest"), CONTEXT)

    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    assert classifier.handler.lambda_handler(batch, CONTEXT) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        (point,) = Kinesis(aws.client("kinesis"), names, executor).points(Classification.NORMAL)
    assert point.reason == "no_constraints"


def test_points_of_an_old_service_wait_for_its_database_and_are_judged_by_its_thresholds(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service, secrets, secret = an_old_service(2), aws.client("secretsmanager"), f"old-sql-{next(NUMBERS)}"
    engine = legacy_engine(f"sqlite:///{tmp_path / 'old.db'}")
    create_tables(engine)
    fill(engine, service)
    secrets.create_secret(Name=secret, SecretString="sqlite:////no/such/folder/old.db")
    monkeypatch.setenv("AFLUENTE_USE_AGNOSTIC_CONSTRAINTS", "false")
    monkeypatch.setenv("AFLUENTE_OLD_SQL_SECRET", secret)
    key, alert = service.sensors[0].sensor.key, service.sensors[0].alert
    assert alert is not None
    assert alert.physical_max is not None
    point = {"stream_id": key.stream_id, "value": alert.physical_max + 1, "timestamp": 1_699_996_400}
    body = json.dumps({"domain": "iot", "source_id": key.source_id, "datapoints": [point]})
    assert http_ingest.handler.lambda_handler(event("http_api_ingest") | {"body": body}, CONTEXT)["statusCode"] == 202
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])

    assert len(classifier.handler.lambda_handler(batch, CONTEXT)["batchItemFailures"]) == 1
    secrets.put_secret_value(SecretId=secret, SecretString=str(engine.url))
    assert classifier.handler.lambda_handler(batch, CONTEXT) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        (found,) = Kinesis(aws.client("kinesis"), names, executor).points(Classification.ALERT)
    assert (found.reason, found.violated_constraints["max_value"]) == ("hard_limit", alert.physical_max)
    engine.dispose()


def test_on_trial_points_of_an_old_service_are_judged_by_its_constraints_too_and_what_differs_is_counted(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service, secret = an_old_service(2), f"old-sql-{next(NUMBERS)}"
    engine = legacy_engine(f"sqlite:///{tmp_path / 'old.db'}")
    create_tables(engine)
    fill(engine, service)
    engine.dispose()
    aws.client("secretsmanager").create_secret(Name=secret, SecretString=str(engine.url))
    for name, value in {
        "USE_AGNOSTIC_CONSTRAINTS": "false",
        "OLD_SQL_SECRET": secret,
        "CONSTRAINTS_TTL_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"AFLUENTE_{name}", value)
    key, alert = service.sensors[0].sensor.key, service.sensors[0].alert
    assert alert is not None
    assert alert.physical_max is not None
    dynamodb = aws.client("dynamodb")
    catalogue(aws, environment).put(str(key), a_config(warning_max=0))
    trial = DynamoTrial(dynamodb, environment["AFLUENTE_MIGRATION_TABLE"])
    before = trial.settings()
    on = before.in_next_step(time.time(), phase=Phase.RUNNING, share=100)
    nothing = TrialCounts()
    assert trial.save(on, event_of(EventKind.STARTED, before, on, counts=nothing, now=time.time(), by="cli", why=""))
    point = {"stream_id": key.stream_id, "value": alert.physical_max + 1, "timestamp": 1_699_996_400}
    body = json.dumps({"domain": "iot", "source_id": key.source_id, "datapoints": [point]})

    http_ingest.handler.lambda_handler(event("http_api_ingest") | {"body": body}, CONTEXT)
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    assert classifier.handler.lambda_handler(batch, CONTEXT) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        (found,) = Kinesis(aws.client("kinesis"), names, executor).points(Classification.WARNING)
    assert (found.reason, found.config_version) == ("warning_zone", 1)
    (noted,) = trial.differences(1)
    assert (noted.example.cause, noted.example.old, noted.example.new) == ("thresholds_differ", "alert", "warning")
    assert (trial.settings().phase, trial.settings().share) == ("rolled_back", 0)
    assert trial.counts(1).compared == 1


def test_a_batch_that_cannot_be_classified_comes_again_and_is_done_once_it_can(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    http_ingest.handler.lambda_handler(event("http_api_ingest"), CONTEXT)
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])

    monkeypatch.setenv("AFLUENTE_STREAM_NORMAL", "gone")
    failures = classifier.handler.lambda_handler(batch, CONTEXT)["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == [batch["Records"][0]["messageId"]]

    monkeypatch.setenv("AFLUENTE_STREAM_NORMAL", environment["AFLUENTE_STREAM_NORMAL"])
    _as_in_a_new_container()
    assert classifier.handler.lambda_handler(batch, CONTEXT) == {"batchItemFailures": []}


def catalogue(aws: LocalAws, environment: dict[str, str]) -> DynamoConstraintsCatalogue:
    tables = environment["AFLUENTE_CONSTRAINTS_TABLE"], environment["AFLUENTE_CONSTRAINT_HISTORY_TABLE"]
    return DynamoConstraintsCatalogue(aws.client("dynamodb"), *tables, by="tests")
