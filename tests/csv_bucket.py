"""The bucket of CSV files as its users see it, and the jobs of the files that are dropped there."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from afluente.adapters.aws.dynamodb_csv_jobs import DynamoCsvJobs
from afluente.application.csv.jobs import CsvJob
from afluente.application.csv.reports import JobReport, report
from tests.stack import PATIENCE_SECONDS, LocalStack

_DAY_SECONDS = 24 * 3600


class CsvBucket:
    """The bucket of a stack, and its jobs."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.name = stack.target["CsvBucket"]
        self.store = DynamoCsvJobs(
            stack.client("dynamodb"), stack.target["CsvJobsTable"], retention_seconds=_DAY_SECONDS
        )

    def drop(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> str:
        """Put a file under `inbox/`; returns its version."""
        answer = self._stack.client("s3").put_object(
            Bucket=self.name, Key=f"inbox/{key}", Body=content, Metadata=dict(metadata or {})
        )
        return str(answer["VersionId"])

    def post(self, source: str, name: str, content: bytes) -> str:
        """Send a file to `POST /ingest/csv`; returns the id of its job."""
        domain, _, source_id = source.partition("/")
        answer = self._stack.http.post(
            f"{self._stack.target.api_url}/ingest/csv",
            files={"file": (name, content, "text/csv")},
            data={"domain": domain, "source_id": source_id},
            headers={"X-API-Key": self._stack.api_key},
        )
        assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
        return str(answer.json()["job_id"])

    def jobs(self, source: str) -> list[CsvJob]:
        """The jobs of a source (`domain/source_id`), the oldest first."""
        domain, _, source_id = source.partition("/")
        newest = self.store.newest(domain, before=None, limit=1_000)
        return [job for job in reversed(newest) if job.source_id == source_id]

    def ended(self, source: str, count: int = 1, *, within: float = PATIENCE_SECONDS) -> list[JobReport]:
        """Wait until so many jobs of a source have ended, and return their reports."""

        def all_ended() -> list[CsvJob]:
            jobs = self.jobs(source)
            return jobs if len(jobs) >= count and all(job.status.is_final for job in jobs) else []

        found = self._stack.eventually(all_ended, f"{count} job(s) of {source} end", within=within)
        assert len(found) == count
        return [report(job) for job in found]

    def begun(self, source: str) -> CsvJob:
        """Wait until some of the only file of a source is read."""

        def begun() -> CsvJob | None:
            found = [job for job in self.jobs(source) if any(part.points for part in job.parts)]
            return found[0] if found else None

        job = self._stack.eventually(begun, f"a job of {source} is under way")
        assert job is not None
        return job

    def rejected(self, job_id: str) -> str:
        """The file of rejected rows of a job."""
        answer = self._stack.client("s3").get_object(Bucket=self.name, Key=f"rejects/{job_id}.csv")
        return str(answer["Body"].read().decode("utf-8", "surrogateescape"))

    def notify(self, key: str, version_id: str, *, size: int, etag: str = "etag") -> Any:
        """Send the notification of S3 for a file."""
        item = {"key": key, "versionId": version_id, "size": size, "eTag": etag}
        body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": item}}]})
        return self._stack.client("sqs").send_message(QueueUrl=self._stack.target["CsvInboxQueueUrl"], MessageBody=body)


def slow_file(rows: int, *, start: float, row_bytes: int = 2_000) -> bytes:
    """A file of many bytes and few points: long to read and quick to classify."""
    filler = "x" * row_bytes
    lines = (f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(start + row))},{filler},{row}\n" for row in range(rows))
    return ("time,note,value\n" + "".join(lines)).encode()
