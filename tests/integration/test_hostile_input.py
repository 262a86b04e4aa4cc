"""Input that is to break the service: nothing answers 5xx, no function dies, others are served meanwhile."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from backports import zstd

from tests.csv_bucket import CsvBucket
from tests.integration.bad_points import GOOD
from tests.outbox import Outbox
from tests.stack import PATIENCE_SECONDS, LocalStack
from tests.suites.cases import json_cases
from tests.unit.adapters.codecs.test_json_suite import in_metadata

pytestmark = pytest.mark.integration

FUNCTIONS = ("http_ingest", "http_authorizer", "csv_trigger")
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _no_function_dies(local_stack: LocalStack) -> Iterator[None]:
    """Every process of a function that was there before a test is there after it."""
    local_stack.drained()
    before = {name: local_stack.workers(name) for name in FUNCTIONS}
    yield
    for name, workers in before.items():
        assert workers <= local_stack.workers(name), f"{name} died"


def body_of(points: list[Any], source_id: str) -> bytes:
    return json.dumps({"domain": "iot", "source_id": source_id, "datapoints": points}).encode()


def raw(local_stack: LocalStack) -> socket.socket:
    return socket.create_connection(("127.0.0.1", local_stack.port), timeout=30)


def head(local_stack: LocalStack, *lines: str) -> bytes:
    path = urlsplit(local_stack.target.api_url).path
    usual = [f"POST {path}/ingest/datapoints HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*usual, f"X-API-Key: {local_stack.api_key}", *lines, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.exhaustive  # tests/unit/adapters/codecs/test_json_suite.py runs it at every place where JSON comes in
def test_the_json_suite_over_http(local_stack: LocalStack) -> None:
    def status(document: bytes) -> int:
        body = b'{"domain": "iot", "datapoints": [' + in_metadata(document) + b"]}"
        # Packed, it reaches the function byte for byte.
        return local_stack.post(gzip.compress(body), {"Content-Encoding": "gzip"}).status_code

    statuses = {name: status(document) for name, document in json_cases().items()}

    assert {status for name, status in statuses.items() if name.startswith("y_")} == {202}
    assert {status for name, status in statuses.items() if name.startswith("n_")} <= {400, 422}
    assert {status for name, status in statuses.items() if name.startswith("i_")} <= {202, 400, 422}


@pytest.mark.parametrize("levels", [100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("path", ["/ingest/datapoints", "/ingest/packets", "/ingest/csv/uploads"])
def test_100_000_levels_are_refused_on_every_route(
    local_stack: LocalStack, path: str, opening: str, closing: str, levels: int
) -> None:
    body = (opening * levels + "1" + closing * levels).encode()
    headers = {"X-API-Key": local_stack.api_key, "Content-Type": "application/json"}

    answer = local_stack.http.post(f"{local_stack.target.api_url}{path}", content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_huge_numbers_and_keys_lose_their_point_alone(local_stack: LocalStack, outbox: Outbox, source_id: str) -> None:
    number = '{"stream_id": "n", "value": 1e999999, "timestamp": 1}'
    digits = '{"stream_id": "d", "value": ' + "9" * 4_000 + ', "timestamp": 1}'
    key = json.dumps({**GOOD, "metadata": {"k" * MIB: 1}})
    unknown = json.dumps({**GOOD, "k" * MIB: 1})
    body = f'{{"domain":"iot","source_id":"{source_id}","datapoints":[{number},{digits},{key},{unknown}]}}'.encode()

    answer = local_stack.post(body)

    assert (answer.status_code, answer.json()["inserted"]) == (202, 1)
    assert {fault["index"] for fault in answer.json()["rejected"]} == {0, 1, 2}
    assert len(answer.content) < 10_000
    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 1


# --- gzip ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_gzip_bomb_is_refused_before_it_is_unpacked(local_stack: LocalStack, times: int) -> None:
    bomb = bytes(64 * MIB)
    for _ in range(times):
        bomb = gzip.compress(bomb, 9)

    begun = time.monotonic()
    answer = local_stack.post(bomb, {"Content-Encoding": "gzip"})

    assert answer.status_code == (413 if times == 1 else 400), answer.text
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_packed_file_without_an_end_of_line_is_refused_by_its_beginning(
    local_stack: LocalStack, source_id: str, form: str
) -> None:
    bucket = CsvBucket(local_stack)
    content = bytes(b"7" * (64 * MIB))
    packed = gzip.compress(content, 9) if form == "gz" else zstd.compress(content)
    assert len(packed) < MIB

    bucket.drop(f"iot/{source_id}/bomb.csv.{form}", packed)

    [job] = bucket.ended(f"iot/{source_id}")
    assert job.status == "failed"
    assert job.reason is not None
    assert job.reason.code == "not_csv"


def test_a_row_of_64_mib_is_rejected_and_the_rows_around_it_are_read(
    local_stack: LocalStack, outbox: Outbox, source_id: str
) -> None:
    bucket = CsvBucket(local_stack)
    rows = b"".join(b"%d,%d\n" % (1_700_000_000 + row, row) for row in range(3))
    content = b"time,v\n" + rows + b"1700000003," + b"7" * (64 * MIB) + b"\n1700000004,4\n"

    bucket.drop(f"iot/{source_id}/long.csv.gz", gzip.compress(content, 1))

    [job] = bucket.ended(f"iot/{source_id}")
    assert (job.status, job.rows_read, job.rows_rejected) == ("complete", 5, 1)
    local_stack.drained()
    assert sorted(point["value"] for point in outbox.points(f"iot/{source_id}")) == [0, 1, 2, 4]


def test_a_file_of_10_000_columns_is_refused(local_stack: LocalStack, source_id: str) -> None:
    bucket = CsvBucket(local_stack)
    header = ",".join(["time", *(f"c{column}" for column in range(10_000))])
    row = ",".join(["1700000000", *["1"] * 10_000])

    bucket.drop(f"iot/{source_id}/wide.csv", f"{header}\n{row}\n{row}\n".encode())

    [job] = bucket.ended(f"iot/{source_id}")
    assert job.reason is not None
    assert "10001 columns" in job.reason.message


# --- requests --------------------------------------------------------------------------------------------------------


def test_10_000_headers_and_a_header_of_10_mb_are_refused_or_ignored(local_stack: LocalStack) -> None:
    body = body_of([GOOD], "headers")
    for lines in (
        [f"X-{number}: {number}" for number in range(10_000)],
        ["X-Long: " + "x" * 10_000_000],
        ["X-Source-ID: " + "x" * 1_000_000],
    ):
        with raw(local_stack) as connection:
            try:
                connection.sendall(head(local_stack, *lines, f"Content-Length: {len(body)}") + body)
                answer = connection.recv(4096)
            except (ConnectionResetError, BrokenPipeError):
                answer = b""  # Closed while it was sent.
        assert status_of(answer) in {0, 202, 400, 413, 431}, answer[:200]
    assert local_stack.post(body).status_code == 202


@pytest.mark.parametrize(
    "line",
    [
        "X-Domain: iot\r\nX-API-Key: another",
        "X-Source-ID: a\r\n\r\nGET / HTTP/1.1",
        "X-Domain : iot",
        "\x00: x",
        "X-Domain: i\x00t",
    ],
)
def test_broken_headers_reach_nobody_elses_request(local_stack: LocalStack, line: str) -> None:
    body = body_of([GOOD], "headers")
    with raw(local_stack) as connection:
        connection.sendall(head(local_stack, line, "Connection: close", f"Content-Length: {len(body)}") + body)
        answer = connection.recv(4096)
    assert status_of(answer) < 500, answer
    assert local_stack.post(body).status_code == 202


def test_slow_bodies_keep_nobody_else_waiting(local_stack: LocalStack) -> None:
    """Here the emulator is the server; API Gateway itself waits 30 s for a request at the most."""
    body = body_of([GOOD], "slow")
    with ExitStack() as slow:
        for _ in range(50):
            connection = slow.enter_context(raw(local_stack))
            connection.sendall(head(local_stack, f"Content-Length: {len(body)}") + body[:10])
        with ThreadPoolExecutor(4) as executor:
            answers = list(executor.map(lambda _: local_stack.post(body).status_code, range(40)))
    assert answers == [202] * 40


# --- paths -----------------------------------------------------------------------------------------------------------

KEYS = (
    "iot/../../x.csv",
    "iot/../health/x.csv",
    "iot/..%2f..%2fx/x.csv",
    "iot/./x.csv",
    "iot//x.csv",
    "../iot/a/x.csv",
    "iot/a\\..\\b/x.csv",
    "IOT/a/x.csv",
    "iot/$SYS/x.csv",
    "iot/a+b/x.csv",
    "iot/a#b/x.csv",
    "iot/\u202ea/x.csv",
)


def test_no_key_of_a_dropped_file_leads_out_of_its_folder(local_stack: LocalStack) -> None:
    bucket = CsvBucket(local_stack)
    begun = time.time()
    for key in KEYS:
        bucket.drop(key, b"time,v\n1700000000,1\n")

    def seen() -> list[Any]:
        stores = [bucket.store.newest(domain, before=None, limit=100) for domain in ("iot", "health", "_")]
        found = [job for jobs in stores for job in jobs if job.created_at >= begun]
        return found if len(found) >= len(KEYS) and all(job.status.is_final for job in found) else []

    for job in local_stack.eventually(seen, "each key has its job", within=2 * PATIENCE_SECONDS):
        assert job.version_of_file is not None
        folders = job.version_of_file.key.split("/")
        if job.status == "complete":
            assert folders[1:3] == [job.domain, job.source_id]
            assert job.domain == "iot"


@pytest.mark.parametrize(
    "name",
    [
        "../../../x.csv",
        "..\\..\\x.csv",
        "/etc/x.csv",
        "..%2f..%2fx.csv",
        "%2e%2e/x.csv",
        "a/../../x.csv",
        "..csv",
        "é\u0301.csv",
    ],
)
def test_no_name_of_an_upload_leads_out_of_the_folder_of_its_job(
    local_stack: LocalStack, source_id: str, name: str
) -> None:
    headers = {"X-API-Key": local_stack.api_key}
    announcement = {"domain": "iot", "source_id": source_id, "file": name}

    answer = local_stack.http.post(
        f"{local_stack.target.api_url}/ingest/csv/uploads", json=announcement, headers=headers
    )

    assert answer.status_code == 201, answer.text
    announced = answer.json()
    key = unquote(urlsplit(announced["upload"]["url"]).path).partition("/inbox/")[2]
    domain, source, folder, job_id, file = key.split("/")
    assert (domain, source, folder, job_id) == ("iot", source_id, folder, announced["job_id"])
    assert file == name.replace("\\", "/").rpartition("/")[2]


@pytest.mark.parametrize("name", ["a\x00.csv", "a\r\nX: y.csv", "a\x1b[2J.csv", "\ud800.csv", "", "x" * 252 + ".csv"])
def test_names_that_no_file_should_have_are_refused(local_stack: LocalStack, source_id: str, name: str) -> None:
    headers = {"X-API-Key": local_stack.api_key, "Content-Type": "application/json"}
    announcement = json.dumps({"domain": "iot", "source_id": source_id, "file": name}).encode()

    answer = local_stack.http.post(
        f"{local_stack.target.api_url}/ingest/csv/uploads", content=announcement, headers=headers
    )

    assert answer.status_code == 400, answer.text
    assert "\x1b" not in answer.text


# --- logs ------------------------------------------------------------------------------------------------------------


def test_nothing_that_is_sent_forges_a_line_of_a_log(local_stack: LocalStack, source_id: str) -> None:
    begun = time.time()
    forged = 'x\n{"level":"ERROR","code":"FORGED"}\r\n\u2028{"code":"FORGED"}\x1b[2J\x85'
    bucket = CsvBucket(local_stack)
    bucket.drop(f"iot/{source_id}/{forged}.csv", b"time,v\n1700000000,1\n")
    local_stack.post(json.dumps({"domain": forged, "datapoints": [{**GOOD, "stream_id": forged}]}).encode())
    odd: Any = {"User-Agent": "\u00e9\u0085 FORGED".encode(), "X-Domain": "a" * 60_000}
    local_stack.post(body_of([GOOD], source_id), odd)
    message = json.dumps({"payload": "e30=", "topic": forged, "arrived_at": 1, "client_id": forged})
    local_stack.client("sqs").send_message(QueueUrl=local_stack.target["InboxQueueUrl"], MessageBody=message)
    bucket.ended(f"iot/{source_id}")
    local_stack.drained()

    lines = [line for name in (*FUNCTIONS, "iot_rule_handler") for line in local_stack.log_lines(name, since=begun)]
    assert [line for line in lines if "FORGED" in line]
    for line in lines:
        document = json.loads(line)
        assert isinstance(document, dict)
        assert document.get("code") != "FORGED"
        assert line.isascii()
        assert len(line) < 256_000
