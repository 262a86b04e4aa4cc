"""The API of CSV jobs with the bucket behind it, on the loopback interface; both fail on demand."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.unit.cli.loopback import serving

JOB_ID = re.compile(r"/stage/ingest/csv/(job-\d+)")
RENEWAL = re.compile(r"/stage/ingest/csv/(job-\d+)/upload")


class Came(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Fault:
    """A fault injected in place of an answer.

    Attributes:
        method, path: of the request; the path is the beginning of one.
        status, body, headers: the answer; without a status the connection is cut.
        after: bytes of the request's body that are read before, or all; and of the answer's body that are sent.
        act: called before.
        is_done: whether the request has its effect nevertheless.
    """

    method: str
    path: str
    status: int | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after: int | None = None
    act: Callable[[], None] = lambda: None
    is_done: bool = False


@dataclass
class CsvService:
    """A service that reads files in steps: each look at a job finds its next step, and the last one again.

    Attributes:
        url: of the API.
        steps: what a look at a job of a file finds, one after the other.
        multipart: bytes of a part, for files to go up in parts.
        objects: what was uploaded, by the path of its address.
    """

    url: str = ""
    steps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    multipart: int | None = None
    came: list[Came] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    announced: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    rejects: bytes = b""

    @property
    def host(self) -> str:
        return self.url.removesuffix("/stage")

    def requests(self, method: str, path: str = "") -> list[Came]:
        return [one for one in self.came if one.method == method and one.path.startswith(path)]

    def fault_of(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == method and path.startswith(fault.path):
                self.faults.remove(fault)
                return fault
        return None

    def answer(self, request: Came) -> tuple[int, bytes, dict[str, str]]:
        self.came.append(request)
        if request.path.startswith("/bucket/"):
            return self._of_bucket(request)
        if request.headers.get("x-api-key") != "the-key":
            return _json(401, {"message": "Unauthorized"})
        if request.path == "/stage/ingest/csv/uploads":
            return self._announce(json.loads(request.body))
        if request.path == "/stage/ingest/csv":
            return self._list(request.query)
        return self._of_job(request)

    def _of_job(self, request: Came) -> tuple[int, bytes, dict[str, str]]:
        renewed = RENEWAL.fullmatch(request.path)
        if renewed:
            return self._renew(renewed[1], json.loads(request.body))
        found = JOB_ID.fullmatch(request.path)
        if not found or found[1] not in self.jobs:
            return _json(404, {"title": "There is nothing here", "status": 404, "detail": "there is no such job"})
        return self._cancel(found[1]) if request.method == "DELETE" else _json(200, self._look(found[1]))

    def _announce(self, body: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        self.announced.append(body)
        job_id = f"job-{len(self.announced)}"
        self.jobs[job_id] = a_report(
            job_id=job_id, status="awaiting_upload", file=body["file"], source_id=body["source_id"]
        )
        if self.multipart:
            self.parts[f"/bucket/{job_id}"] = {}
        return _json(201, {"job_id": job_id, "status": "awaiting_upload", "upload": self._upload(job_id, body["size"])})

    def _renew(self, job_id: str, body: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        assert body["upload_id"] == f"u-{job_id}"
        upload = self._upload(job_id, body["size"])
        return _json(200, {"job_id": job_id, "status": "awaiting_upload", "upload": upload})

    def _upload(self, job_id: str, size: int) -> dict[str, Any]:
        address = f"{self.host}/bucket/{job_id}"
        if not self.multipart:
            return {"method": "PUT", "url": f"{address}?signature=x", "expires_at": 1.0}
        count = -(-size // self.multipart)
        return {
            "method": "multipart",
            "upload_id": f"u-{job_id}",
            "part_bytes": self.multipart,
            "part_urls": [f"{address}?partNumber={number}" for number in range(1, count + 1)],
            "complete_url": f"{address}?uploadId=u",
            "abort_url": f"{address}?uploadId=u",
            "expires_at": 1.0,
        }

    def _look(self, job_id: str) -> dict[str, Any]:
        job = self.jobs[job_id]
        steps = self.steps.get(job["file"], [])
        if f"/bucket/{job_id}" in self.objects and steps:
            job.update(steps.pop(0))
        return job

    def _cancel(self, job_id: str) -> tuple[int, bytes, dict[str, str]]:
        if self.jobs[job_id]["status"] == "complete":
            return _json(409, {"title": "The job has ended", "detail": f"{job_id} has ended: it is complete"})
        self.jobs[job_id]["status"] = "cancelled"
        return _json(200, self.jobs[job_id])

    def _list(self, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        before = float(query.get("before", "inf"))
        found = [
            job
            for job in sorted(self.jobs.values(), key=lambda job: -job["created_at"])
            if job["created_at"] < before and job["status"] == query.get("status", job["status"])
        ]
        page = found[: min(2, int(query["limit"]))]
        more = {"before": page[-1]["created_at"]} if len(found) > len(page) else None
        return _json(200, {"jobs": page, "next": more})

    def _of_bucket(self, request: Came) -> tuple[int, bytes, dict[str, str]]:
        path, query = request.path, request.query
        if request.method == "GET":
            begin = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            return 206 if begin else 200, self.rejects[begin:], {}
        if request.method == "DELETE":
            self.parts.pop(path)
            return 204, b"", {}
        if request.method == "POST":
            return self._put_together(path, request.body.decode())
        if "partNumber" in query:
            number = int(query["partNumber"])
            self.parts[path][number] = request.body
            return 200, b"", {"ETag": f'"tag&{number}"'}
        self.objects[path] = request.body
        return 200, b"", {"ETag": '"whole"'}

    def _put_together(self, path: str, document: str) -> tuple[int, bytes, dict[str, str]]:
        if path not in self.parts:
            return 404, b"<Error><Code>NoSuchUpload</Code><Message>no upload</Message></Error>", {}
        numbers = [int(number) for number in re.findall(r"<PartNumber>(\d+)</PartNumber>", document)]
        tags = re.findall(r"<ETag>([^<]*)</ETag>", document)
        assert tags == [f'"tag&amp;{number}"' for number in numbers]
        parts = self.parts.pop(path)
        assert sorted(parts) == numbers
        self.objects[path] = b"".join(parts[number] for number in numbers)
        return 200, b"<CompleteMultipartUploadResult/>", {}


def a_report(**changes: Any) -> dict[str, Any]:
    """A job as the API tells of it."""
    return {
        "job_id": "job-1",
        "status": "complete",
        "domain": "iot",
        "source_id": "s",
        "file": "a.csv",
        "created_at": 1_000.0,
        "updated_at": 1_010.0,
        "rows_read": 0,
        "points_queued": 0,
        "rows_rejected": 0,
        "bytes_done": 0,
        "streams": {},
        "errors": [],
        **changes,
    }


@contextmanager
def running_csv_service() -> Iterator[CsvService]:
    service = CsvService()
    with serving(_handler(service)) as service.url:
        yield service


def _json(status: int, document: Any) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(document).encode(), {}


def _handler(service: CsvService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def _any(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            fault = service.fault_of(self.command, url.path)
            if fault is None:
                self._send(*service.answer(self._came(self.rfile.read(length))))
                return
            body = self.rfile.read(length if fault.after is None else min(length, fault.after))
            fault.act()
            answer = service.answer(self._came(body)) if fault.is_done else None
            self.close_connection = True
            if fault.status is not None:
                self._send(fault.status, fault.body, fault.headers)
            elif answer is not None and self.command == "GET":
                self._send(*answer, cut=fault.after)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - their names in the base class

        def _came(self, body: bytes) -> Came:
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Came(self.command, url.path, dict(parse_qsl(url.query)), headers, body)

        def _send(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:cut])

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            pass

    return Handler
