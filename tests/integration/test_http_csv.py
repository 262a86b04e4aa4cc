"""CSV files over HTTP as deployed: through API Gateway to the bucket, and from there to the streams."""

import gzip
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from afluente.adapters.http.csv_forms import MAX_CSV_BODY_BYTES
from afluente.application.csv.jobs import JobStatus
from tests.outbox import Outbox
from tests.stack import LocalStack

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 120.0


class Api:
    """The routes of CSV files, for one key."""

    def __init__(self, stack: LocalStack, key: str) -> None:
        self._stack = stack
        self._url = f"{stack.target.api_url}/ingest/csv"
        self._headers = {"X-API-Key": key}

    def upload(
        self, name: str, content: bytes, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        files = {"file": (name, content, "text/csv")}
        return self._stack.http.post(self._url, data=fields, files=files, headers={**self._headers, **(headers or {})})

    def ask(self, method: str, path: str = "", **arguments: Any) -> httpx.Response:
        return self._stack.http.request(method, f"{self._url}{path}", headers=self._headers, **arguments)

    def ended(self, job_id: str) -> dict[str, Any]:
        """The report of a job, once it has ended."""

        def report() -> dict[str, Any]:
            job: dict[str, Any] = self.ask("GET", f"/{job_id}").json()
            return job if JobStatus(job["status"]).is_final else {}

        return self._stack.eventually(report, f"job {job_id} has ended", within=PATIENCE_SECONDS)


@pytest.fixture
def api(local_stack: LocalStack) -> Api:
    return Api(local_stack, local_stack.api_key)


def readings(rows: int, *, first: float = 20.0, sign: str = ".") -> bytes:
    begin = int(time.time()) - 10 * rows
    lines = (
        f"{datetime.fromtimestamp(begin + row, tz=UTC):%Y-%m-%dT%H:%M:%SZ};{first + row / 4:.2f}".replace(".", sign)
        for row in range(rows)
    )
    return "\r\n".join(["time;temperature", *lines, ""]).encode()


def test_an_uploaded_file_becomes_points(local_stack: LocalStack, api: Api, outbox: Outbox, source_id: str) -> None:
    answer = api.upload("march.csv", readings(100), domain="iot", source_id=source_id, delimiter=";")

    job = answer.json()
    assert (answer.status_code, job["status"], job["file"]) == (202, "queued", "march.csv")
    assert answer.headers["location"] == f"/ingest/csv/{job['job_id']}"
    report = api.ended(job["job_id"])
    assert (report["status"], report["rows_read"], report["points_queued"]) == ("complete", 100, 100)
    local_stack.drained()
    assert [point["value"] for point in outbox.points(f"iot/{source_id}")] == [20 + row / 4 for row in range(100)]


def test_every_byte_arrives(local_stack: LocalStack, api: Api, outbox: Outbox, source_id: str) -> None:
    packed = gzip.compress(readings(50, sign=","))

    job = api.upload("März 1.csv.gz", packed, domain="iot", source_id=source_id, decimal=",").json()

    assert job["bytes_total"] == len(packed)
    assert api.ended(job["job_id"])["status"] == "complete"
    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 50


def test_headers_say_where_a_file_is_from(api: Api, source_id: str) -> None:
    headers = {"X-Domain": "health", "X-Source-ID": source_id}

    job = api.upload("a.csv", readings(1), headers).json()

    assert (job["domain"], job["source_id"]) == ("health", source_id)


def test_rejected_rows_can_be_fetched(api: Api, source_id: str) -> None:
    content = readings(3) + b"2023-11-14T22:00:00Z;hot\r\n"
    job_id = api.upload("a.csv", content, domain="iot", source_id=source_id).json()["job_id"]

    report = api.ended(job_id)

    assert (report["status"], report["rows_rejected"]) == ("complete", 1)
    rejects = httpx.get(report["rejects_url"], trust_env=False)
    assert rejects.headers["content-disposition"] == "attachment"
    assert ";hot" in rejects.text


@pytest.mark.parametrize("is_size_known", [True, False])
def test_a_file_that_is_put_by_its_url_becomes_points(
    local_stack: LocalStack, api: Api, outbox: Outbox, source_id: str, *, is_size_known: bool
) -> None:
    content = readings(20)
    body = {"domain": "iot", "source_id": source_id, "file": "a.csv", "options": {"delimiter": ";"}}

    announced = api.ask("POST", "/uploads", json=body | ({"size": len(content)} if is_size_known else {}))
    job = announced.json()
    assert (announced.status_code, job["status"], job["upload"]["method"]) == (201, "awaiting_upload", "PUT")
    assert api.ask("GET", f"/{job['job_id']}").json()["status"] == "awaiting_upload"
    put = httpx.put(job["upload"]["url"], content=content, trust_env=False)

    assert put.status_code == 200, put.text
    assert api.ended(job["job_id"])["status"] == "complete"
    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 20


def test_a_file_that_is_put_in_parts_becomes_points(
    local_stack: LocalStack, api: Api, outbox: Outbox, source_id: str
) -> None:
    content = readings(20)
    body = {"domain": "iot", "source_id": source_id, "file": "a.csv", "size": 6 * 1024**3}
    job = api.ask("POST", "/uploads", json=body).json()
    upload = job["upload"]
    assert upload["method"] == "multipart"

    # A part is all there is of this one: S3 does not ask how much was announced.
    tag = httpx.put(upload["part_urls"][0], content=content, trust_env=False).headers["etag"]
    listed = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    )
    done = httpx.post(upload["complete_url"], content=listed, trust_env=False)

    assert done.status_code == 200, done.text
    assert api.ended(job["job_id"])["status"] == "complete"
    local_stack.drained()
    assert len(outbox.points(f"iot/{source_id}")) == 20


def test_a_job_can_be_cancelled_once(api: Api, source_id: str) -> None:
    body = {"domain": "iot", "source_id": source_id, "file": "a.csv"}
    job = api.ask("POST", "/uploads", json=body).json()

    first, second = (api.ask("DELETE", f"/{job['job_id']}") for _ in range(2))
    put = httpx.put(job["upload"]["url"], content=readings(5), trust_env=False)

    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert (second.status_code, second.json()) == (200, first.json())
    assert put.status_code == 200
    assert api.ended(job["job_id"])["points_queued"] == 0


def test_a_job_that_has_ended_cannot_be_cancelled(api: Api, source_id: str) -> None:
    job_id = api.upload("a.csv", readings(1), domain="iot", source_id=source_id).json()["job_id"]
    api.ended(job_id)

    answer = api.ask("DELETE", f"/{job_id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "job_has_ended")


def pages(api: Api, **query: str) -> Iterator[list[str]]:
    while True:
        page = api.ask("GET", params=query).json()
        yield [job["job_id"] for job in page["jobs"]]
        if page["next"] is None:
            return
        query["before"] = str(page["next"]["before"])


def test_jobs_are_listed_in_pages_the_newest_first(api: Api, source_id: str) -> None:
    body = {"domain": "iot", "source_id": source_id, "file": "a.csv"}
    made = [api.ask("POST", "/uploads", json=body).json()["job_id"] for _ in range(5)]
    api.ask("POST", "/uploads", json=body | {"source_id": "another"})

    found = [job_id for page in pages(api, source_id=source_id, limit="2") for job_id in page]

    assert found == made[::-1]


def test_a_key_sees_the_jobs_of_its_sources_alone(local_stack: LocalStack, api: Api, source_id: str) -> None:
    job_id = api.upload("a.csv", readings(1), domain="iot", source_id=source_id).json()["job_id"]
    other = Api(local_stack, local_stack.create_key(domains=("iot",), sources=("other-*",)))

    assert other.ask("GET", f"/{job_id}").status_code == 404
    assert other.ask("DELETE", f"/{job_id}").status_code == 404
    assert other.ask("GET").json() == {"jobs": [], "next": None}
    refused = other.upload("a.csv", readings(1), domain="iot", source_id=source_id)
    assert (refused.status_code, refused.json()["missing_scope"]) == (403, f"source:{source_id}")


@pytest.mark.parametrize(
    ("name", "content", "fields", "status", "code"),
    [
        ("a.xlsx", b"x", {}, 422, "unsupported_file"),
        ("a.csv", b"", {}, 422, "empty_file"),
        ("a.csv", b"x", {"delimiter": ";;"}, 400, "invalid_request"),
        ("a.csv", b"x", {"domain": "space"}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(
    api: Api, name: str, *, content: bytes, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = api.upload(name, content, **({"domain": "iot", "source_id": "s"} | fields))

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_too_large_an_upload_is_refused(api: Api) -> None:
    answer = api.upload("a.csv", b"x" * MAX_CSV_BODY_BYTES, domain="iot", source_id="s")

    # On AWS API Gateway says so itself.
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content_type", ["text/csv", "application/json", "multipart/form-data", "multipart/form-data; boundary=x"]
)
def test_what_is_no_form_is_refused(local_stack: LocalStack, content_type: str) -> None:
    headers = {"X-API-Key": local_stack.api_key, "Content-Type": content_type}

    answer = local_stack.http.post(f"{local_stack.target.api_url}/ingest/csv", content=b"a;b\r\n\xff", headers=headers)

    assert answer.status_code in {400, 415}
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_method_is_answered_with_the_allowed_ones(local_stack: LocalStack) -> None:
    answer = local_stack.http.put(f"{local_stack.target.api_url}/ingest/csv")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, GET")
