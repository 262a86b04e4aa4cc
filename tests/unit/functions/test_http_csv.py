"""The routes of CSV files, on events as API Gateway hands them over."""

import json
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from afluente.adapters.http.csv_forms import MAX_CSV_BODY_BYTES
from afluente.adapters.memory.csv import MemoryCsvJobs, MemoryCsvUploads
from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.application.csv.files import FileVersion
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.progress import PartProgress
from afluente.application.csv.registry import JobRegistry
from afluente.application.csv.uploads import MAX_FILE_BYTES, MAX_PUT_BYTES, URL_SECONDS, MultipartUpload
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.limits.stage_limits import CsvLimits, StageLimits
from afluente.runtime.http_ingest import CsvIngest, HttpIngest, HttpIngestSettings
from http_ingest.handler import handle
from tests.conformity import assert_documented
from tests.factories import DOMAINS, NOW, a_csv_job, some_rate_limits
from tests.unit.functions.conftest import CONTEXT, LogLines, no_sensors

Event = dict[str, Any]
Events = Callable[[str], Event]

JOB_ID = "0123456789abcdef01234567"


class World:
    """The ports of the function, in memory; the bucket and the table can be unavailable."""

    def __init__(self) -> None:
        self.store = MemoryCsvJobs()
        self.uploads = MemoryCsvUploads()
        self.is_away = False
        self.limits = some_rate_limits()
        self.settings = HttpIngestSettings(
            domains=DOMAINS, shards=64, datapoints_queue_url="memory", quarantine_bucket="memory"
        )

    def function(self) -> HttpIngest:
        accept = AcceptPoints(queue=MemoryPackQueue(), quarantine=MemoryQuarantine(), shards=64)
        csv = CsvIngest(JobRegistry(store=self.store, domains=DOMAINS), self.store, self)
        return HttpIngest(self.settings, accept, csv, no_sensors, self.limits, front=None)

    def put(self, key: str, body: bytes) -> None:
        if self.is_away:
            raise UnavailableError("S3: SlowDown")
        self.uploads.put(key, body)

    def presign_put(self, key: str, size: int | None) -> str:
        return self.uploads.presign_put(key, size)

    def begin_multipart(self, key: str, size: int) -> MultipartUpload:
        return self.uploads.begin_multipart(key, size)

    def go_on_with(self, key: str, size: int, upload_id: str) -> MultipartUpload:
        return self.uploads.go_on_with(key, size, upload_id)

    def presign_rejects(self, key: str) -> str:
        return self.uploads.presign_rejects(key)

    def the_job(self) -> CsvJob:
        (job,) = self.store.newest("iot", before=None, limit=10)
        return job

    def answer_to(self, asked: Event) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers, once Lambda could hand them on and the OpenAPI document has them."""
        answer = json.loads(json.dumps(handle(asked, CONTEXT, self.function())))
        status, body, headers = answer["statusCode"], json.loads(answer["body"]), answer["headers"]
        assert_documented(asked["routeKey"], status, headers, body)
        return status, body, headers

    def problem_of(self, asked: Event) -> tuple[int, str]:
        """Status and code of a refusal, once it is sure to be a problem of RFC 9457."""
        status, body, headers = self.answer_to(asked)
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-request-id"] == body["request_id"] == "JKJaXmPLvHcESHA="
        assert body["status"] == status
        assert body["title"]
        assert body["detail"]
        return status, body["code"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def upload_event(event: Events) -> Event:
    return event("http_api_csv")


@pytest.fixture
def asked(event: Events) -> Callable[..., Event]:
    """A request for a route, without a body or with one of JSON."""

    def make(route: str, *, job_id: str = JOB_ID, query: dict[str, str] | None = None, body: object = None) -> Event:
        template = event("http_api_ingest")
        grant = template["requestContext"]["authorizer"]
        method, path = route.split()
        template |= {"routeKey": route, "rawPath": path.replace("{job_id}", job_id)}
        template["requestContext"] |= {"routeKey": route, "authorizer": grant}
        template["requestContext"]["http"] |= {"method": method, "path": template["rawPath"]}
        template.pop("body")
        if "{job_id}" in path:
            template["pathParameters"] = {"job_id": job_id}
        if query is not None:
            template["queryStringParameters"] = query
        if body is not None:
            template["body"] = json.dumps(body)
        return template

    return make


def with_grant(asked: Event, **grant: Any) -> Event:
    said = {"key_id": "aaaqeaye", "domains": ["*"], "sources": ["*"]} | grant
    asked["requestContext"]["authorizer"] = {"lambda": {"grant": json.dumps(said)}}
    return asked


# --- POST /ingest/csv ------------------------------------------------------------------------------------------------


def test_an_uploaded_file_is_put_where_it_starts_its_job(world: World, upload_event: Event) -> None:
    before = time.time()

    status, body, headers = world.answer_to(upload_event)

    assert (status, headers["content-type"]) == (202, "application/json")
    assert headers["location"] == f"/ingest/csv/{body['job_id']}"
    assert re.fullmatch("[0-9a-f]{24}", body["job_id"])
    ((key, content),) = world.uploads.files.items()
    assert key == f"inbox/iot/furnace-1/.uploads/{body['job_id']}/march.csv"
    assert content.startswith(b"time;temperature\r\n")
    assert content.endswith(b";21,0\r\n")
    job = world.the_job()
    assert job.status is JobStatus.AWAITING_UPLOAD
    assert job.options == {"delimiter": ";", "value_columns": ["temperature"]}
    assert (job.created_by, job.options_from) == ("aaaqeaye", "request")
    assert before <= job.created_at <= time.time()


def test_the_answer_to_an_upload_is_the_report_of_a_job_that_is_queued(world: World, upload_event: Event) -> None:
    _, body, _ = world.answer_to(upload_event)

    job = world.the_job()
    assert body == {
        "job_id": job.job_id,
        "status": "queued",
        "domain": "iot",
        "source_id": "furnace-1",
        "file": "march.csv",
        "created_at": job.created_at,
        "updated_at": job.created_at,
        "rows_read": 0,
        "points_queued": 0,
        "rows_rejected": 0,
        "bytes_done": 0,
        "bytes_total": len(next(iter(world.uploads.files.values()))),
        "streams": {},
        "errors": [],
        "options": {"delimiter": ";", "value_columns": ["temperature"]},
        "options_from": "request",
    }


def test_each_upload_is_a_job_of_its_own(world: World, upload_event: Event) -> None:
    ids = {world.answer_to(upload_event)[1]["job_id"] for _ in range(3)}

    assert len(ids) == len(world.uploads.files) == 3


def test_an_upload_beyond_what_a_key_reaches_is_refused(world: World, upload_event: Event) -> None:
    asked = with_grant(upload_event, sources=["boiler-*"])

    assert world.problem_of(asked) == (403, "forbidden")
    assert world.answer_to(asked)[1]["missing_scope"] == "source:furnace-1"
    assert world.uploads.files == {}
    assert world.store.newest("iot", before=None, limit=1) == []


@pytest.mark.parametrize(
    "route",
    [
        "POST /ingest/csv",
        "GET /ingest/csv",
        "POST /ingest/csv/uploads",
        "GET /ingest/csv/{job_id}",
        "DELETE /ingest/csv/{job_id}",
    ],
)
def test_a_caller_whom_the_authorizer_does_not_know_is_refused(
    world: World, asked: Callable[..., Event], route: str
) -> None:
    world.store.create(a_csv_job())
    request = asked(route)
    request["requestContext"].pop("authorizer")

    assert world.problem_of(request) == (401, "unauthorized")


def test_too_large_an_upload_is_answered_with_a_hint(world: World, upload_event: Event, log: LogLines) -> None:
    body = b64decode(upload_event["body"]).replace(b";20,5", b";" + b"0" * MAX_CSV_BODY_BYTES)
    asked = upload_event | {"body": b64encode(body).decode()}

    assert world.problem_of(asked) == (413, "body_too_large")
    detail = world.answer_to(asked)[1]["detail"]
    assert "POST /ingest/csv/uploads" in detail
    assert "`afluente csv send`" in detail
    assert log.codes == ["REQUEST_REFUSED"] * 2


def test_while_the_bucket_is_unavailable_clients_learn_when_to_retry(
    world: World, upload_event: Event, log: LogLines
) -> None:
    world.is_away = True

    assert world.problem_of(upload_event) == (503, "unavailable")
    assert world.answer_to(upload_event)[2]["retry-after"] == "2"
    assert log.codes == ["CSV_JOB_EXPECTED", "CSV_UNAVAILABLE"] * 2


def test_what_is_begun_and_ended_is_in_the_log(
    world: World, upload_event: Event, asked: Callable[..., Event], log: LogLines
) -> None:
    job_id = world.answer_to(upload_event)[1]["job_id"]
    world.answer_to(asked("DELETE /ingest/csv/{job_id}", job_id=job_id))

    assert log.codes == ["CSV_JOB_EXPECTED", "CSV_JOB_CANCELLED"]
    for line in log.lines:
        assert (line["job_id"], line["key_id"], line["request_id"]) == (job_id, "aaaqeaye", "JKJaXmPLvHcESHA=")
    assert log.lines[0]["domain"] == "iot"


# --- POST /ingest/csv/uploads ----------------------------------------------------------------------------------------

ANNOUNCED = {"domain": "iot", "source_id": "furnace-1", "file": "march.csv.gz"}


@pytest.mark.parametrize("size", [None, 1, MAX_PUT_BYTES])
def test_a_file_for_one_put_gets_one_url(world: World, asked: Callable[..., Event], size: int | None) -> None:
    before = time.time()

    status, body, headers = world.answer_to(asked("POST /ingest/csv/uploads", body=ANNOUNCED | {"size": size}))

    job = world.the_job()
    assert (status, headers["location"]) == (201, f"/ingest/csv/{job.job_id}")
    assert body == {
        "job_id": job.job_id,
        "status": "awaiting_upload",
        "upload": {
            "method": "PUT",
            "url": f"memory:put/inbox/iot/furnace-1/.uploads/{job.job_id}/march.csv.gz?size={size}",
            "expires_at": pytest.approx(before + URL_SECONDS, abs=60),
        },
    }
    assert job.created_at >= before


@pytest.mark.parametrize("size", [MAX_PUT_BYTES + 1, MAX_FILE_BYTES])
def test_a_larger_file_gets_a_url_a_part(world: World, asked: Callable[..., Event], size: int) -> None:
    answer = handle(asked("POST /ingest/csv/uploads", body=ANNOUNCED | {"size": size}), CONTEXT, world.function())

    assert answer["statusCode"] == 201
    upload = json.loads(answer["body"])["upload"]
    assert upload["method"] == "multipart"
    assert len(upload["part_urls"]) <= 1_000
    assert (
        (len(upload["part_urls"]) - 1) * upload["part_bytes"] < size <= len(upload["part_urls"]) * upload["part_bytes"]
    )
    assert upload.keys() == {
        "method",
        "upload_id",
        "part_bytes",
        "part_urls",
        "complete_url",
        "abort_url",
        "expires_at",
    }


def test_an_announcement_beyond_what_a_key_reaches_is_refused(world: World, asked: Callable[..., Event]) -> None:
    request = with_grant(asked("POST /ingest/csv/uploads", body=ANNOUNCED), domains=["health"])

    assert world.problem_of(request) == (403, "forbidden")
    assert world.store.newest("iot", before=None, limit=1) == []


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"body": "{}"}, 400, "invalid_request"),
        ({"body": json.dumps(ANNOUNCED | {"size": 0})}, 422, "empty_file"),
        ({"body": json.dumps(ANNOUNCED | {"file": "march.xlsx"})}, 422, "unsupported_file"),
        ({"body": json.dumps(ANNOUNCED | {"size": MAX_FILE_BYTES + 1})}, 413, "file_too_large"),
        ({"headers": {"content-type": "text/csv"}}, 415, "unsupported_media_type"),
    ],
)
def test_a_faulty_announcement_is_refused(
    world: World, asked: Callable[..., Event], *, changed: Event, status: int, code: str
) -> None:
    assert world.problem_of(asked("POST /ingest/csv/uploads", body=ANNOUNCED) | changed) == (status, code)
    assert world.store.newest("iot", before=None, limit=1) == []


# --- POST /ingest/csv/{job_id}/upload --------------------------------------------------------------------------------

RENEW = "POST /ingest/csv/{job_id}/upload"


@pytest.mark.parametrize("body", [{}, {"size": 5}, {"size": MAX_PUT_BYTES}])
def test_a_file_that_has_not_come_gets_a_new_url(world: World, asked: Callable[..., Event], body: object) -> None:
    world.store.create(a_csv_job(status=JobStatus.AWAITING_UPLOAD))

    status, told, _ = world.answer_to(asked(RENEW, body=body))

    assert (status, told["job_id"], told["status"]) == (200, JOB_ID, "awaiting_upload")
    assert told["upload"].keys() == {"method", "url", "expires_at"}
    assert told["upload"]["expires_at"] > time.time() + URL_SECONDS - 60


def test_an_upload_in_parts_goes_on_by_new_urls(world: World, asked: Callable[..., Event]) -> None:
    begun = world.answer_to(asked("POST /ingest/csv/uploads", body=ANNOUNCED | {"size": MAX_FILE_BYTES}))[1]
    body = {"size": MAX_FILE_BYTES, "upload_id": begun["upload"]["upload_id"]}

    status, told, _ = world.answer_to(asked(RENEW, job_id=begun["job_id"], body=body))

    assert status == 200
    assert told["upload"] == begun["upload"] | {"expires_at": told["upload"]["expires_at"]}


def test_a_file_that_has_come_gets_no_new_url(world: World, asked: Callable[..., Event]) -> None:
    world.store.create(a_csv_job(status=JobStatus.READING))

    assert world.problem_of(asked(RENEW, body={})) == (409, "job_has_its_file")


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ([], 400, {"body"}),
        ({"size": -1, "upload_id": "u/1 2", "part": 3}, 400, {"size", "upload_id", "part"}),
        ({"upload_id": "u1"}, 400, {"size"}),
        ({"upload_id": 1, "size": 5}, 400, {"upload_id"}),
        ({"size": MAX_FILE_BYTES + 1}, 413, set()),
    ],
)
def test_faults_of_a_renewal_are_named(
    world: World, asked: Callable[..., Event], body: object, status: int, fields: set[str]
) -> None:
    world.store.create(a_csv_job(status=JobStatus.AWAITING_UPLOAD))

    answered, told, _ = world.answer_to(asked(RENEW, body=body))

    assert (answered, {error["field"] for error in told.get("errors", [])}) == (status, fields)


# --- GET /ingest/csv/{job_id} ----------------------------------------------------------------------------------------


def test_a_job_is_shown(world: World, asked: Callable[..., Event]) -> None:
    world.store.create(a_csv_job(status=JobStatus.READING, parts=(PartProgress(rows_read=5, streams={"s": 5}),)))

    status, body, _ = world.answer_to(asked("GET /ingest/csv/{job_id}"))

    assert (status, body["status"], body["rows_read"], body["streams"]) == (200, "reading", 5, {"s": 5})
    assert "rejects_url" not in body


def test_a_job_with_rejected_rows_has_a_url_for_them(world: World, asked: Callable[..., Event]) -> None:
    world.store.create(a_csv_job(status=JobStatus.COMPLETE, rejects_key="rejects/x.csv"))

    assert world.answer_to(asked("GET /ingest/csv/{job_id}"))[1]["rejects_url"] == "memory:get/rejects/x.csv"


@pytest.mark.parametrize("route", ["GET /ingest/csv/{job_id}", "DELETE /ingest/csv/{job_id}", RENEW])
@pytest.mark.parametrize("job_id", ["0" * 24, "uploads", "content#c1", "\ud800", ""])
def test_a_job_that_is_not_there_is_not_found(
    world: World, asked: Callable[..., Event], route: str, job_id: str
) -> None:
    assert world.problem_of(asked(route, job_id=job_id)) == (404, "not_found")


@pytest.mark.parametrize("route", ["GET /ingest/csv/{job_id}", "DELETE /ingest/csv/{job_id}", RENEW])
@pytest.mark.parametrize("grant", [{"domains": ["health"]}, {"sources": ["boiler-*"]}])
def test_a_job_of_others_is_as_if_it_were_not_there(
    world: World, asked: Callable[..., Event], route: str, grant: dict[str, Any]
) -> None:
    job = world.store.create(a_csv_job())
    there = world.answer_to(with_grant(asked(route), **grant))
    absent = world.answer_to(with_grant(asked(route, job_id="f" * 24), **grant))

    assert there[0] == absent[0] == 404
    assert json.dumps(there[1]).replace(JOB_ID, "f" * 24) == json.dumps(absent[1])
    assert world.store.find(JOB_ID) == job


# --- DELETE /ingest/csv/{job_id} -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [JobStatus.AWAITING_UPLOAD, JobStatus.QUEUED, JobStatus.READING])
def test_a_job_that_goes_on_is_cancelled(world: World, asked: Callable[..., Event], status: JobStatus) -> None:
    world.store.create(a_csv_job(status=status))

    told, body, _ = world.answer_to(asked("DELETE /ingest/csv/{job_id}"))

    assert (told, body["status"]) == (200, "cancelled")
    assert body["finished_at"] == pytest.approx(time.time(), abs=5)
    assert world.answer_to(asked("DELETE /ingest/csv/{job_id}"))[:2] == (200, body)


@pytest.mark.parametrize("status", [JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.DUPLICATE])
def test_a_job_that_has_ended_stays_as_it_is(world: World, asked: Callable[..., Event], status: JobStatus) -> None:
    job = world.store.create(a_csv_job(status=status))
    request = asked("DELETE /ingest/csv/{job_id}")

    assert world.problem_of(request) == (409, "job_has_ended")
    assert world.answer_to(request)[1]["job_status"] == status
    assert world.store.find(JOB_ID) == job


# --- GET /ingest/csv -------------------------------------------------------------------------------------------------


def test_jobs_are_listed_the_newest_first_without_their_options(world: World, asked: Callable[..., Event]) -> None:
    file = FileVersion("inbox/x.csv", "v", "e", 10)
    for age, domain in enumerate(["iot", "health", "iot", "_"]):
        job = a_csv_job(f"{age:024}", domain=domain, created_at=NOW - age, options={"delimiter": ";"})
        world.store.create(msgspec.structs.replace(job, version_of_file=file))

    status, body, _ = world.answer_to(asked("GET /ingest/csv"))

    assert (status, body["next"]) == (200, None)
    assert [job["job_id"] for job in body["jobs"]] == [f"{age:024}" for age in range(4)]
    assert all("options" not in job and job["bytes_total"] == 10 for job in body["jobs"])


def test_jobs_are_listed_in_pages(world: World, asked: Callable[..., Event]) -> None:
    for age in range(5):
        world.store.create(a_csv_job(f"{age:024}", domain=DOMAINS[age % 2], created_at=NOW - age))
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        _, body, _ = world.answer_to(asked("GET /ingest/csv", query=query))
        seen += [job["job_id"] for job in body["jobs"]]
        if body["next"] is None:
            break
        query = {"limit": "2", "before": str(body["next"]["before"])}

    assert seen == [f"{age:024}" for age in range(5)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"domain": "health"}, ["b"]),
        ({"source_id": "boiler-1"}, ["b", "c"]),
        ({"status": "failed"}, ["c"]),
        ({"domain": "iot", "source_id": "boiler-1", "status": "failed"}, ["c"]),
        ({"before": str(NOW - 0.5)}, ["b", "c"]),
    ],
)
def test_jobs_are_listed_by_what_is_asked_for(
    world: World, asked: Callable[..., Event], query: dict[str, str], found: list[str]
) -> None:
    world.store.create(a_csv_job("a" * 24))
    world.store.create(a_csv_job("b" * 24, domain="health", source_id="boiler-1", created_at=NOW - 1))
    world.store.create(a_csv_job("c" * 24, source_id="boiler-1", status=JobStatus.FAILED, created_at=NOW - 2))

    jobs = world.answer_to(asked("GET /ingest/csv", query=query))[1]["jobs"]
    assert [job["job_id"] for job in jobs] == [letter * 24 for letter in found]


@pytest.mark.parametrize(
    ("grant", "query", "missing"),
    [
        ({"domains": ["iot"]}, {"domain": "health"}, "domain:health"),
        ({"sources": ["boiler-*"]}, {"source_id": "furnace-1"}, "source:furnace-1"),
    ],
)
def test_a_query_for_jobs_of_others_is_answered_with_the_missing_scope(
    world: World, asked: Callable[..., Event], *, grant: dict[str, Any], query: dict[str, str], missing: str
) -> None:
    request = with_grant(asked("GET /ingest/csv", query=query), **grant)

    assert world.problem_of(request) == (403, "forbidden")
    assert world.answer_to(request)[1]["missing_scope"] == missing


def test_all_faults_of_a_query_for_jobs_are_named(world: World, asked: Callable[..., Event]) -> None:
    status, body, _ = world.answer_to(asked("GET /ingest/csv", query={"limit": "0", "before": "noon", "domain": "IoT"}))

    assert status == 400
    assert [fault["field"] for fault in body["errors"]] == ["domain", "limit", "before"]


# --- other requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/ingest/csv", "POST, GET"),
        ("DELETE", "/ingest/csv", "POST, GET"),
        ("PUT", f"/ingest/csv/{JOB_ID}", "GET, DELETE"),
        ("PATCH", "/ingest/csv/uploads", "POST, GET, DELETE"),
    ],
)
def test_another_method_is_answered_with_those_of_the_path(
    world: World, event: Events, method: str, path: str, allow: str
) -> None:
    asked = event("http_api_health") | {"routeKey": "$default", "rawPath": path}
    asked["requestContext"]["http"] |= {"method": method, "path": path}

    assert world.problem_of(asked) == (405, "method_not_allowed")
    assert world.answer_to(asked)[2]["allow"] == allow


@pytest.mark.parametrize("path", ["/ingest/csv", "/ingest/csv/uploads", f"/ingest/csv/{JOB_ID}", "/ingest/csv/"])
def test_without_csv_ingest_the_routes_are_as_if_they_did_not_exist(world: World, event: Events, path: str) -> None:
    world.settings = world.settings.model_copy(update={"enable_csv_ingest": False})
    asked = event("http_api_health") | {"routeKey": "$default", "rawPath": path}
    asked["requestContext"]["http"] |= {"method": "POST", "path": path}

    assert world.problem_of(asked) == (404, "not_found")
    detail = world.answer_to(asked)[1]["detail"]
    assert detail.startswith(f"there is no {path}; the routes are POST /ingest/datapoints, POST /ingest/packets, ")
    assert " /ingest/csv" not in detail.partition(";")[2]


# --- bytes a day -----------------------------------------------------------------------------------------------------


def test_the_bytes_of_an_uploaded_file_count_for_its_key(world: World, upload_event: Event) -> None:
    world.limits = some_rate_limits(StageLimits(csv=CsvLimits(bytes_per_day=100)))

    status, _, headers = world.answer_to(upload_event)
    assert status == 202
    assert '"csv-bytes-per-day";q=100;w=86400;qu="content-bytes"' in headers["ratelimit-policy"]
    assert world.the_job().counted_bytes == len(next(iter(world.uploads.files.values())))

    status, body, headers = world.answer_to(upload_event)
    assert (status, body["code"]) == (429, "rate_limited")
    assert (body["limit"]["subject"], body["limit"]["dimension"]) == ("csv", "bytes_per_day")
    assert int(headers["retry-after"]) > 0
    assert len(world.uploads.files) == 1


def test_the_announced_bytes_of_a_file_count_for_its_key(world: World, asked: Callable[..., Event]) -> None:
    world.limits = some_rate_limits(StageLimits(csv=CsvLimits(bytes_per_day=1_000)))
    file = {"file": "march.csv", "domain": "iot", "source_id": "furnace-1"}

    def announce(size: int) -> tuple[int, dict[str, Any], dict[str, str]]:
        return world.answer_to(with_grant(asked("POST /ingest/csv/uploads", body={**file, "size": size})))

    assert announce(700)[0] == 201
    assert (world.the_job().counted_bytes, world.the_job().upload_keys) == (700, ("aaaqeaye",))
    assert announce(700)[0] == 429
    status, body, _ = announce(1_001)
    assert (status, body["code"]) == (413, "file_too_large")


def test_whoever_gets_new_urls_of_an_upload_answers_for_its_file(world: World, asked: Callable[..., Event]) -> None:
    world.store.create(a_csv_job(JOB_ID, status=JobStatus.AWAITING_UPLOAD, upload_keys=("aaaqeaye",)))

    status, *_ = world.answer_to(with_grant(asked("POST /ingest/csv/{job_id}/upload", body={}), key_id="bbbqeaye"))

    assert status == 200
    assert world.the_job().upload_keys == ("aaaqeaye", "bbbqeaye")
