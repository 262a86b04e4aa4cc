"""The Big List of Naughty Strings in every field of text: refused as invalid, or stored and shown unchanged."""

import json
import os
import time
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from afluente.domain.stream_keys import part_faults
from tests.csv_bucket import CsvBucket
from tests.outbox import Outbox
from tests.senders import open_websocket
from tests.stack import PATIENCE_SECONDS, LocalStack
from tests.suites.cases import naughty_strings

pytestmark = pytest.mark.integration

STRINGS = naughty_strings()
PARTS = tuple(text for text in STRINGS if not part_faults("part", text))
"""Those that may be part of a stream key."""

CONTROLS = {*range(32), 127}
"""Characters that no client can put into a header."""

TRIED = STRINGS if os.environ.get("NAUGHTY") == "all" else (*STRINGS[:-21:8], *STRINGS[-21:])
"""The strings that are tried where each needs requests or connections of its own."""


@pytest.fixture(scope="module", autouse=True)
def begun() -> float:
    """The moment before the first string, in Unix seconds; functions that other files kill died before it."""
    return time.time()


def points_of(text: str, place: int) -> list[dict[str, Any]]:
    """Two points: one with the text wherever it is an id, one that has it where any text may be."""
    now = time.time() - 3600
    return [
        {"stream_id": text, "stream_type": text, "value": place, "timestamp": now + place},
        {"stream_id": f"kept-{place}", "value": place, "timestamp": now + place, "metadata": {text: text}},
    ]


def request(local_stack: LocalStack, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"X-API-Key": local_stack.api_key, **more.pop("headers", {})}
    return local_stack.http.request(method, f"{local_stack.target.api_url}{path}", headers=headers, **more)


def came_out(outbox: Outbox, source: str) -> None:
    """Assert that every valid text came out unchanged."""
    points = outbox.points(source)
    ids = {point["stream_id"] for point in points}
    assert {text for text in PARTS if text not in ids} == set()
    assert {text for text in ids if text not in PARTS and not text.startswith("kept-")} == set()
    came = {int(point["value"]): point["metadata"] for point in points if point["stream_id"].startswith("kept-")}
    assert came == {place: {text: text} for place, text in enumerate(STRINGS)}
    types = {point["stream_id"]: point.get("stream_type") for point in points if point["stream_id"] in PARTS}
    assert types == {text: text for text in PARTS}


def test_as_ids_types_and_metadata_over_http(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    points = [point for place, text in enumerate(STRINGS) for point in points_of(text, place)]

    answer = local_stack.post(json.dumps({"domain": "iot", "source_id": source_id, "datapoints": points}).encode())

    assert answer.status_code == 202, answer.text
    assert {fault["index"] % 2 for fault in answer.json()["rejected"]} == {0}
    local_stack.drained()
    came_out(outbox, f"iot/{source_id}")


@pytest.mark.exhaustive
def test_as_ids_types_and_metadata_over_websocket(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    headers = {"X-API-Key": local_stack.api_key, "X-Domain": "iot", "X-Source-ID": source_id}
    with open_websocket(local_stack, headers=headers) as socket:
        for place, text in enumerate(STRINGS):
            socket.send(json.dumps(points_of(text, place)))
            first, second = json.loads(socket.recv(timeout=PATIENCE_SECONDS))
            assert (first["status"] == "ok", second["status"]) == (text in PARTS, "ok")
            socket.send(json.dumps({"action": text}))
            assert json.loads(socket.recv(timeout=PATIENCE_SECONDS))["type"] == "error"

    local_stack.drained()
    came_out(outbox, f"iot/{source_id}")


@pytest.mark.exhaustive
def test_as_what_a_websocket_authenticates_with(local_stack: LocalStack) -> None:
    for text in TRIED:
        for field in ("domain", "source_id", "api_key"):
            auth = {"action": "auth", "domain": "iot", "source_id": "s", "api_key": local_stack.api_key, field: text}
            with open_websocket(local_stack) as socket:
                socket.send(json.dumps(auth))
                answer = json.loads(socket.recv(timeout=PATIENCE_SECONDS))
            is_taken = field == "source_id" and text in PARTS
            assert answer["type"] == ("authenticated" if is_taken else "error"), (field, text)
            if is_taken:
                assert answer["source_id"] == text


@pytest.mark.exhaustive
def test_as_sources_and_domains_in_body_and_headers(local_stack: LocalStack, outbox: Outbox) -> None:
    now = time.time() - 3600
    for place, text in enumerate(TRIED):
        point = {"stream_id": f"naughty-{place}", "value": 1, "timestamp": now}
        body = json.dumps({"domain": "iot", "source_id": text, "datapoints": [point]}).encode()
        assert local_stack.post(body).status_code == (202 if text in PARTS else 400), text
        as_domain = json.dumps({"domain": text, "datapoints": [point]}).encode()
        assert local_stack.post(as_domain).status_code == 400, text
        header = text.strip().encode()
        if not set(header) & CONTROLS:
            plain = json.dumps({"domain": "iot", "datapoints": [point]}).encode()
            # What a header cannot hold arrives as something else, or not at all.
            assert local_stack.post(plain, {"X-Source-ID": header}).status_code in {202, 400}, text  # type: ignore[dict-item]
            assert local_stack.post(plain, {"X-Domain": header}).status_code in {202, 400}, text  # type: ignore[dict-item]

    local_stack.drained()
    came = {(point["source_id"], point["stream_id"]) for point in outbox.lines_of(f"iot/{text}" for text in PARTS)}
    assert {(text, f"naughty-{place}") for place, text in enumerate(TRIED) if text in PARTS} <= came


@pytest.mark.exhaustive
def test_as_paths_parameters_and_keys(local_stack: LocalStack) -> None:
    for text in TRIED:
        escaped = quote(text, safe="")
        for path in (
            f"/ingest/csv/{escaped}",
            f"/constraints/iot/{escaped}/{escaped}",
            f"/ingest/csv?domain=iot&source_id={escaped}",
            f"/ingest/csv?limit={escaped}&before={escaped}&{escaped}={escaped}",
        ):
            answer = request(local_stack, "GET", path)
            assert answer.status_code < 500, (path, answer.text)
        key = text.strip().encode()
        if key and not set(key) & CONTROLS:
            refused = request(local_stack, "GET", "/ingest/csv", headers={"X-API-Key": key})
            assert refused.status_code == 401, text


@pytest.mark.exhaustive
def test_as_names_and_options_of_files(local_stack: LocalStack, source_id: str) -> None:
    bucket = CsvBucket(local_stack)
    for text in TRIED:
        named = {"domain": "iot", "source_id": source_id, "file": f"{text}.csv"}
        answer = request(local_stack, "POST", "/ingest/csv/uploads", json=named)
        assert answer.status_code in {201, 400, 422}, (text, answer.text)
        if answer.status_code == 201:
            job = answer.json()
            kept = bucket.store.find(job["job_id"])
            assert kept is not None
            assert kept.file == f"{text}.csv".replace("\\", "/").rpartition("/")[2]
        for option in ("timezone", "stream_column", "timestamp_pattern", "encoding", "delimiter", "stream_type"):
            odd = {**named, "file": "a.csv", "options": {option: text}}
            assert request(local_stack, "POST", "/ingest/csv/uploads", json=odd).status_code in {201, 400}, (
                option,
                text,
            )


def test_as_columns_and_cells_of_files(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    bucket = CsvBucket(local_stack)
    # A file that holds a zero byte is no text.
    strings = [text for text in STRINGS if "\0" not in text]
    cells = ['"' + text.replace('"', '""') + '"' for text in strings]
    rows = "".join(f"{1_700_000_000 + place},{cell},{place}\n" for place, cell in enumerate(cells))
    bucket.drop(f"iot/{source_id}/long.csv", f"time,sensor,value\n{rows}".encode())
    wide = (
        ",".join(["time", *cells])
        + "\n"
        + "".join(",".join([str(1_700_000_000 + row), *["1"] * len(cells)]) + "\n" for row in range(3))
    )
    bucket.drop(f"iot/{source_id}-wide/wide.csv", wide.encode())

    [long] = bucket.ended(f"iot/{source_id}")
    bucket.ended(f"iot/{source_id}-wide")
    assert long.status == "complete"
    assert long.rows_read == len(strings)
    local_stack.drained()
    points = outbox.points(f"iot/{source_id}")
    assert len(points) == long.rows_read - long.rows_rejected
    assert len(points) > len(PARTS) / 2
    for point in points:
        name = point["stream_id"].removeprefix(f"{source_id}:")
        sent = strings[int(point["value"])].strip()
        assert name == "".join(sign for sign in sent if sign.isprintable()).translate(str.maketrans("/+#", "___"))


def test_as_topics_and_payloads_over_mqtt(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    sqs, url = local_stack.client("sqs"), local_stack.target["InboxQueueUrl"]
    now = time.time()
    bodies = []
    for place, text in enumerate(STRINGS):
        for topic, payload in (
            (f"iot/{source_id}/{text}", {"value": place, "timestamp": now - 3600 + place}),
            (f"iot/{source_id}/kept-{place}", {"value": place, "timestamp": now, "metadata": {text: text}}),
            (f"{text}/{source_id}/s", {"value": 1, "timestamp": now}),
            ("iot/sensors/1/readings", {"value": 1, "timestamp": text, "device_uuid": text}),
            (text, text),
        ):
            encoded = b64encode(json.dumps(payload).encode()).decode()
            message = {"payload": encoded, "topic": topic, "arrived_at": now * 1000, "client_id": text}
            bodies.append(json.dumps(message))
    for begin in range(0, len(bodies), 10):
        entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies[begin : begin + 10])]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")

    local_stack.drained()
    points = outbox.points(f"iot/{source_id}")
    streams = {point["stream_id"]: point for point in points}
    assert {text for text in PARTS if text not in streams} == set()
    assert {place: streams[f"kept-{place}"]["metadata"] for place in range(len(STRINGS))} == {
        place: {text: text} for place, text in enumerate(STRINGS)
    }


def test_no_function_failed_and_every_line_of_the_logs_is_one_object(local_stack: LocalStack, begun: float) -> None:
    for function in ("http_ingest", "http_authorizer", "ws_ingest", "iot_rule_handler", "classifier", "csv_trigger"):
        for line in local_stack.log_lines(function, since=begun):
            if line.startswith("Task timed out"):
                continue  # On a busy machine; its messages are retried.
            document = json.loads(line)
            assert isinstance(document, dict), (function, line)
            assert document.get("code") != "FORGED", (function, line)
