"""The functions as they are deployed, made of the real adapters by their environment alone."""

import json
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.codecs.packs import decode_pack
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.domain.evaluation import Classification
from tests.contract.local_aws import LocalAws
from tests.contract.stage import as_in_a_new_container, batch_of, catalogue, event, invoke
from tests.contract.test_classified_streams import Kinesis
from tests.factories import PEPPER, a_config


def test_the_owner_of_a_key_is_known(aws: LocalAws, environment: dict[str, str]) -> None:
    _, key = new_key("plant 7", random=bytes(range(KEY_RANDOM_BYTES)), pepper=PEPPER, now=time.time())
    DynamoApiKeys(aws.client("dynamodb"), environment["AFLUENTE_ACCESS_TABLE"]).put(key)

    answer = invoke("http_authorizer", event("http_authorizer"))

    assert json.loads(answer["context"]["grant"])["key_id"] == "aaaqeaye"


def test_an_uploaded_file_is_in_the_bucket_and_its_job_can_be_looked_at_and_ended(
    aws: LocalAws, environment: dict[str, str]
) -> None:
    handle = partial(invoke, "http_ingest")
    sent = event("http_api_csv")

    uploaded = handle(sent)
    job = json.loads(uploaded["body"])
    of_job = sent | {"body": None, "isBase64Encoded": False, "pathParameters": {"job_id": job["job_id"]}}
    ended = handle(of_job | {"routeKey": "DELETE /ingest/csv/{job_id}"})
    shown = handle(of_job | {"routeKey": "GET /ingest/csv/{job_id}"})
    listed = handle(sent | {"routeKey": "GET /ingest/csv", "queryStringParameters": {"domain": "iot"}})

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
        json.loads(invoke("http_ingest", asked | {"body": json.dumps(body | {"size": size})})["body"])["upload"]
        for size in (1, 6 * 1024**3)
    )

    assert (whole["method"], parts["method"], len(parts["part_urls"])) == ("PUT", "multipart", 96)
    assert all("X-Amz-Algorithm=AWS4-HMAC-SHA256" in url for url in (whole["url"], *parts["part_urls"]))


def of_a_connection(event_type: str, **fields: Any) -> dict[str, Any]:
    context = {
        "connectionId": "L0SM9cOFvHcCIhw=",
        "eventType": event_type,
        "requestId": "request-1",
        "requestTimeEpoch": 1_700_000_000_000,
    }
    return {"requestContext": context, **fields}


def test_points_of_a_connection_are_queued_and_acknowledged(aws: LocalAws, environment: dict[str, str]) -> None:
    text, key = new_key("plant 7", random=bytes(range(KEY_RANDOM_BYTES)), pepper=PEPPER, now=time.time())
    DynamoApiKeys(aws.client("dynamodb"), environment["AFLUENTE_ACCESS_TABLE"]).put(key)
    handle = partial(invoke, "ws_ingest")
    headers = {"X-API-Key": text, "X-Domain": "iot", "X-Source-ID": "oven-1"}
    points = [{"stream_id": "t", "value": 1, "timestamp": 1_699_996_400, "sequence": 7}, {"value": "high"}]

    assert handle(of_a_connection("CONNECT", headers=headers)) == {"statusCode": 200}
    answers = json.loads(handle(of_a_connection("MESSAGE", body=json.dumps(points)))["body"])
    asked = json.loads(handle(of_a_connection("MESSAGE", body='{"action": "auth"}'))["body"])
    assert handle(of_a_connection("DISCONNECT")) == {"statusCode": 200}

    assert [answer["status"] for answer in answers] == ["ok", "error"]
    assert asked == {"type": "authenticated", "domain": "iot", "source_id": "oven-1", "last_sequence": 7}
    (record,) = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])["Records"]
    assert [str(point.key) for point in decode_pack(record["body"]).points] == ["iot/oven-1/t"]
    kept = aws.client("s3").list_objects_v2(Bucket=environment["AFLUENTE_QUARANTINE_BUCKET"])["Contents"]
    assert [item["Key"].split("/")[:2] for item in kept] == [["quarantine", "ws"]]


def test_a_connection_without_a_key_waits_to_be_looked_at(aws: LocalAws, environment: dict[str, str]) -> None:
    assert invoke("ws_ingest", of_a_connection("CONNECT")) == {"statusCode": 200}

    (record,) = batch_of(aws, environment["AFLUENTE_UNANSWERED_QUEUE_URL"])["Records"]
    assert record["body"] == "L0SM9cOFvHcCIhw="


def test_points_of_the_mqtt_inbox_are_queued_and_the_rest_is_quarantined(
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

    assert invoke("iot_rule_handler", {"Records": records}) == {"batchItemFailures": []}

    (record,) = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])["Records"]
    assert [str(point.key) for point in decode_pack(record["body"]).points] == ["iot/oven-1/temperature"]
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

    answer = invoke("http_ingest", asked)
    assert answer["statusCode"] == 202
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    assert invoke("classifier", batch) == {"batchItemFailures": []}
    assert invoke("classifier", batch) == {"batchItemFailures": []}

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
    invoke("http_ingest", event("http_api_ingest"))

    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    assert invoke("classifier", batch) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        (point,) = Kinesis(aws.client("kinesis"), names, executor).points(Classification.NORMAL)
    assert point.reason == "no_constraints"


def test_a_batch_that_cannot_be_classified_is_retried_until_it_can(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("http_ingest", event("http_api_ingest"))
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])

    monkeypatch.setenv("AFLUENTE_STREAM_NORMAL", "gone")
    failures = invoke("classifier", batch)["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == [batch["Records"][0]["messageId"]]

    monkeypatch.setenv("AFLUENTE_STREAM_NORMAL", environment["AFLUENTE_STREAM_NORMAL"])
    as_in_a_new_container()
    assert invoke("classifier", batch) == {"batchItemFailures": []}
