"""Keys in every place where a client may put one by mistake: none is in a log, an answer, a metric or in quarantine."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from afluente.application.redaction import MASK
from cli.main import app
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

ACCESSES = "/aws/vendedlogs/"


class Spill:
    """A key of its own that is put wherever no key belongs, and everything that came back."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.key = stack.create_key()
        self.key_id = self.key.split("_")[1]
        # Neither the whole nor what can be guessed to the whole.
        self.secret = self.key.split("_", 2)[2][:24]
        self.came_back: list[str] = []
        self.source = f"spill-{secrets.token_hex(4)}"
        self.begun = datetime.now(UTC)

    def http(self, method: str, path: str, **request: Any) -> httpx.Response:
        answer = self.stack.http.request(method, f"{self.stack.target.api_url}{path}", **request)
        self.came_back.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer

    def leaks(self) -> list[str]:
        return [text for text in [*self.came_back, *self._logs(), *self._quarantine()] if self.secret in text]

    def masked_in_quarantine(self) -> int:
        return sum(f"afl_{self.key_id}_{MASK}" in text for text in self._quarantine())

    def _logs(self) -> Iterator[str]:
        """Every line of every log group: of functions with their metrics, of accesses, of alarms."""
        logs = self.stack.client("logs")
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        assert any(group.startswith("/aws/lambda/") for group in groups)
        for group in groups:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=int(self.begun.timestamp() * 1000) - 1_000
            )
            yield from (event["message"] for page in pages for event in page["events"])

    def _quarantine(self) -> Iterator[str]:
        """Every object since the beginning, as it is and with its base64 decoded."""
        s3, bucket = self.stack.client("s3"), self.stack.target["QuarantineBucket"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", ()):
                if found["LastModified"] < self.begun - timedelta(seconds=1):
                    continue
                text = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read().decode()
                yield f"{found['Key']} {text}"
                record = json.loads(text)
                if record["payload_encoding"] == "base64":
                    yield base64.b64decode(record["payload"]).decode(errors="replace")


@pytest.fixture
def spill(local_stack: LocalStack) -> Spill:
    return Spill(local_stack)


def a_point(**more: object) -> dict[str, object]:
    return {"stream_id": "s", "value": "high", "timestamp": time.time() - 60, **more}


def test_over_http(spill: Spill) -> None:
    key = spill.key
    good = {"X-API-Key": spill.stack.api_key}
    body = {"domain": "iot", "source_id": spill.source, "datapoints": [a_point()]}

    # As a client means it, and as one may believe that it is meant.
    spill.http("POST", "/ingest/datapoints", json=body, headers={"X-API-Key": key})
    spill.http("POST", "/ingest/datapoints", json=body, headers={"Authorization": f"Bearer {key}"})
    spill.http("POST", "/ingest/datapoints", json=body, params={"api_key": key})
    spill.http("POST", "/ingest/datapoints", json={**body, "api_key": key}, headers=good)
    spill.http("POST", "/ingest/datapoints", content=f'{{"api_key": "{key}"', headers=good)
    spill.http("POST", "/ingest/datapoints", content=key, headers={**good, "Content-Type": key})
    # A key with something around it: refused, and logged.
    for wrong in (f"{key}x", f"Bearer {key}", key.upper()):
        spill.http("POST", "/ingest/datapoints", json=body, headers={"X-API-Key": wrong})
    for field in ("domain", "source_id"):
        spill.http("POST", "/ingest/datapoints", json={**body, field: key}, headers=good)
    for field in ("stream_id", "value", "timestamp", "sequence", "metadata", "stream_type", key):
        point = a_point(**{field: key})
        spill.http("POST", "/ingest/datapoints", json={**body, "datapoints": [point]}, headers=good)
    spill.http("POST", "/ingest/datapoints", json={**body, "datapoints": [a_point(metadata={key: key})]}, headers=good)
    spill.http("POST", f"/{key}", json=body)
    spill.http("DELETE", f"/ingest/csv/{key}", headers=good)
    spill.http("GET", "/ingest/csv", params={"domain": key, "status": key, "cursor": key}, headers=good)
    spill.http("GET", f"/constraints/{key}", headers=good)
    spill.http("PUT", f"/constraints/iot/{spill.source}/s", json={"api_key": key}, headers={**good, "If-Match": key})
    spill.http("POST", "/ingest/packets", json={"deviceId": key, "readings": [{"sensorId": key}]}, headers=good)

    assert spill.leaks() == []
    assert spill.masked_in_quarantine() > 0


def test_over_websocket(spill: Spill) -> None:
    url, key = spill.stack.target["WebSocketUrl"], spill.key
    url = f"ws://127.0.0.1:{spill.stack.port}/_aws/execute-api/{spill.stack.target['WebSocketApiId']}/live"
    auth = {"action": "auth", "domain": "iot", "source_id": spill.source, "api_key": key}
    for query in (
        f"?api_key={key}&domain=iot&source_id={spill.source}",
        f"?api_key={key}",
        f"?api_key={key}x&domain=iot",
        f"?domain={key}&source_id={key}&api_key={key}",
        f"?token={key}",
    ):
        say(spill, url + query, [json.dumps(a_point())])
    for message in (
        auth,
        {**auth, "api_key": [key]},
        {**auth, "api_key": {"key": key}},
        {**auth, "domain": key},
        {**auth, "action": key},
        {**auth, "api_key": f"{key}x"},
        a_point(api_key=key),
    ):
        say(spill, url, [json.dumps(message)])
    say(spill, url, [json.dumps(auth), json.dumps(a_point(metadata=key)), json.dumps({"api_key": key}), key, f'"{key}'])

    assert spill.leaks() == []
    assert spill.masked_in_quarantine() > 0


def test_over_mqtt(spill: Spill) -> None:
    broker, key = spill.stack.client("iot-data"), spill.key
    for topic, payload in (
        (f"iot/{spill.source}/s", json.dumps(a_point(api_key=key))),
        (f"iot/{spill.source}/s", key),
        (f"iot/{spill.source}/s", f"\x00{key}\xff"),
        (f"iot/{key}/s", json.dumps(a_point())),
        (f"iot/{spill.source}/{key}", json.dumps(a_point(metadata={"key": key}))),
        ("iot/sensors/7/readings", json.dumps([{"device_uuid": key, "value": key}])),
    ):
        broker.publish(topic=topic, qos=1, payload=payload.encode("latin-1"))
    spill.stack.drained()
    spill.stack.eventually(lambda: spill.masked_in_quarantine() >= 3, "what cannot be taken is in quarantine")

    assert spill.leaks() == []


def test_in_csv_files(spill: Spill) -> None:
    key, good = spill.key, {"X-API-Key": spill.stack.api_key}
    rows = f"time,value,{key}\n{int(time.time()) - 60},{key},1\n".encode()
    form = {"domain": "iot", "source_id": spill.source, "api_key": key, "timezone": key, "delimiter": key}
    spill.http("POST", "/ingest/csv", data=form, files={"file": (f"{key}.csv", rows)}, headers=good)
    spill.http("POST", "/ingest/csv/uploads", json={**form, "file": f"{key}.exe"}, headers=good)
    s3, bucket = spill.stack.client("s3"), spill.stack.target["CsvBucket"]
    folder = f"inbox/iot/{spill.source}"
    s3.put_object(
        Bucket=bucket, Key=f"{folder}/a.csv.json", Body=json.dumps({"api_key": key, "timezone": key}).encode()
    )
    s3.put_object(Bucket=bucket, Key=f"{folder}/a.csv", Body=rows)
    s3.put_object(Bucket=bucket, Key=f"{folder}/b.csv", Body=rows)

    def ended() -> bool:
        answer = spill.stack.http.get(
            f"{spill.stack.target.api_url}/ingest/csv", params={"source_id": spill.source}, headers=good
        )
        jobs = answer.json()["jobs"]
        return len(jobs) >= 2 and all(job["status"] not in {"queued", "running"} for job in jobs)

    spill.stack.eventually(ended, "the jobs have ended")
    assert spill.leaks() == []


def test_presigned_urls_are_in_no_log(spill: Spill) -> None:
    good = {"X-API-Key": spill.stack.api_key}
    asked = {"domain": "iot", "source_id": spill.source, "file": "large.csv", "size": 1_000}
    answer = spill.stack.http.post(f"{spill.stack.target.api_url}/ingest/csv/uploads", json=asked, headers=good)
    signature = answer.json()["upload"]["url"].partition("X-Amz-Signature=")[2][:32]
    spill.secret = signature

    assert len(signature) == 32
    assert spill.leaks() == []


def test_the_command_line_shows_no_key_that_it_was_given(spill: Spill, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = f"{spill.key[:-1]}{'A' if spill.key[-1] != 'A' else 'B'}"
    monkeypatch.setenv("AFLUENTE_API_KEY", wrong)
    port = spill.stack.port
    url = f"http://user:{wrong}@127.0.0.1:{port}/nowhere"
    points = ["--domain", "iot", "--source", spill.source, "-"]
    for command in (
        ["send", "http", "--url", url, *points],
        ["send", "http", "--url", f"http://127.0.0.1:{port}/nowhere?api_key={wrong}", *points],
        ["send", "http", "--url", f"http://user:{wrong}@127.0.0.1:1", *points],
        ["send", "http", "--url", spill.stack.target.api_url, *points],
        ["csv", "jobs", "--url", url],
        ["constraints", "list", "--url", url, "--key", wrong],
    ):
        done = CliRunner().invoke(app, command, input='{"stream_id": "s", "value": 1, "timestamp": 1}\n')
        assert done.exit_code not in (0, 2), done.output
        spill.came_back.append(f"{done.output} {done.exception!r}")

    assert spill.leaks() == []


def say(spill: Spill, url: str, messages: list[str]) -> None:
    try:
        with connect(url, proxy=None) as socket:
            for message in messages:
                socket.send(message)
                spill.came_back.append(str(socket.recv(30)))
    except (ConnectionClosed, InvalidStatus) as ended:
        spill.came_back.append(f"{ended} {getattr(getattr(ended, 'response', None), 'body', '')!r}")
