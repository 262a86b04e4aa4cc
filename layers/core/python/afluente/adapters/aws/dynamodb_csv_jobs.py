"""CSV jobs in DynamoDB: an item for each job with its parts, and one for each claimed content."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import Attributes, ConditionFailedError, batch_get, conditional_write
from afluente.adapters.codecs.csv_jobs import decode_head, decode_part, encode_head, encode_part
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.ports import StaleJobError
from afluente.application.csv.progress import PartProgress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

UNSENT_SECONDS = 24 * 3600
"""Time to live of a job whose file does not come: far longer than an upload may take."""

BY_DOMAIN = "by-domain"
"""Index of the jobs of a domain by the time of their creation, keys only."""


class DynamoCsvJobs:
    """Store of jobs in a table.

    Args:
        client: of DynamoDB.
        table: its name; partition key `job_id`, time to live `expires_at`, index `by-domain`.
        retention_seconds: time to live of a job from its creation, once its file came, and of content from its claim.
        sleep: waits between attempts to read unprocessed keys.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        retention_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._dependency = f"DynamoDB table {table}"
        self._retention_seconds = retention_seconds
        self._sleep = sleep

    # --- a job -------------------------------------------------------------------------------------------------------

    def create(self, job: CsvJob) -> CsvJob:
        item: dict[str, Any] = {
            "job_id": {"S": job.job_id},
            "domain": {"S": job.domain},
            "created_at": {"N": str(job.created_at)},
            "status": {"S": job.status.value},
            "version": {"N": str(job.version)},
            "head": {"S": encode_head(job)},
            "expires_at": self._expiry_of(job),
        }
        for number, part in enumerate(job.parts):
            item |= {f"part_{number}": {"B": encode_part(part)}, f"part_{number}_version": {"N": str(part.version)}}
        try:
            with conditional_write(self._dependency):
                self._client.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(job_id)"
                )
        except ConditionFailedError:
            # It exists; if it expired in this very moment, the next attempt creates it.
            return self.find(job.job_id) or self.create(job)
        return job

    def find(self, job_id: str) -> CsvJob | None:
        item = self._read(job_id)
        return _job_of(item) if item and "head" in item else None

    def change(self, job: CsvJob) -> CsvJob:
        changed = msgspec.structs.replace(job, version=job.version + 1)
        assignments = ["head = :head", "#status = :status", "version = :new", "expires_at = :expiry"]
        values: dict[str, Any] = {
            ":head": {"S": encode_head(changed)},
            ":status": {"S": changed.status.value},
            ":new": {"N": str(changed.version)},
            ":old": {"N": str(job.version)},
            ":expiry": self._expiry_of(changed),
        }
        for number, part in enumerate(job.parts):
            name = f"part_{number}"
            assignments += [
                f"{name} = if_not_exists({name}, :{name})",
                f"{name}_version = if_not_exists({name}_version, :{name}_version)",
            ]
            values |= {f":{name}": {"B": encode_part(part)}, f":{name}_version": {"N": str(part.version)}}
        with self._if_unchanged(job):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"job_id": {"S": job.job_id}},
                UpdateExpression=f"SET {', '.join(assignments)}",
                ConditionExpression="attribute_exists(job_id) AND version = :old",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        return _job_of(answer["Attributes"])

    def save_part(self, job: CsvJob, number: int, part: PartProgress) -> PartProgress:
        saved = msgspec.structs.replace(part, version=part.version + 1)
        name = f"part_{number}"
        with self._if_unchanged(job):
            self._client.update_item(
                TableName=self._table,
                Key={"job_id": {"S": job.job_id}},
                UpdateExpression=f"SET {name} = :part, {name}_version = :new",
                ConditionExpression=f"{name}_version = :old AND #status = :reading",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":part": {"B": encode_part(saved)},
                    ":new": {"N": str(saved.version)},
                    ":old": {"N": str(part.version)},
                    ":reading": {"S": JobStatus.READING.value},
                },
            )
        return saved

    # --- the jobs of a domain ----------------------------------------------------------------------------------------

    def newest(self, domain: str, *, before: float | None, limit: int) -> Sequence[CsvJob]:
        condition = "#domain = :domain"
        values: dict[str, Any] = {":domain": {"S": domain}}
        if before is not None:
            condition += " AND created_at < :before"
            values[":before"] = {"N": str(before)}
        with unavailable(self._dependency):
            answer = self._client.query(
                TableName=self._table,
                IndexName=BY_DOMAIN,
                KeyConditionExpression=condition,
                ExpressionAttributeNames={"#domain": "domain"},
                ExpressionAttributeValues=values,
                ScanIndexForward=False,
                Limit=limit,
            )
        keys = [{"job_id": item["job_id"]} for item in answer["Items"]]
        found = batch_get(self._client, self._table, keys, consistent=True, sleep=self._sleep)
        return sorted(map(_job_of, found), key=lambda job: (-job.created_at, job.job_id))

    # --- content -----------------------------------------------------------------------------------------------------

    def claim(self, content_id: str, job_id: str, now: float) -> str:
        key = _content_key(content_id)
        try:
            with conditional_write(self._dependency):
                self._client.put_item(
                    TableName=self._table,
                    Item={"job_id": {"S": key}, "owner": {"S": job_id}, "expires_at": self._expiry(now)},
                    ConditionExpression="attribute_not_exists(job_id) OR #owner = :job_id",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":job_id": {"S": job_id}},
                )
        except ConditionFailedError:
            item = self._read(key)
            # If it was released in this very moment, it can be claimed now.
            return item["owner"]["S"] if item else self.claim(content_id, job_id, now)
        return job_id

    def release(self, content_id: str, job_id: str) -> None:
        try:
            with conditional_write(self._dependency):
                self._client.delete_item(
                    TableName=self._table,
                    Key={"job_id": {"S": _content_key(content_id)}},
                    ConditionExpression="#owner = :job_id",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":job_id": {"S": job_id}},
                )
        except ConditionFailedError:
            return  # The job does not own it.

    # --- the table ---------------------------------------------------------------------------------------------------

    def _read(self, key: str) -> Attributes | None:
        with unavailable(self._dependency):
            answer = self._client.get_item(TableName=self._table, Key={"job_id": {"S": key}}, ConsistentRead=True)
        return answer.get("Item")

    def _expiry_of(self, job: CsvJob) -> dict[str, str]:
        if job.status is JobStatus.AWAITING_UPLOAD:
            return {"N": str(int(job.created_at + UNSENT_SECONDS))}
        return self._expiry(job.created_at)

    def _expiry(self, since: float) -> dict[str, str]:
        return {"N": str(int(since + self._retention_seconds))}

    @contextmanager
    def _if_unchanged(self, job: CsvJob) -> Iterator[None]:
        try:
            with conditional_write(self._dependency):
                yield
        except ConditionFailedError as error:
            raise StaleJobError(f"job {job.job_id} was changed meanwhile") from error


def _content_key(content_id: str) -> str:
    return f"content#{content_id}"


def _job_of(item: Attributes) -> CsvJob:
    parts: list[PartProgress] = []
    while (part := item.get(f"part_{len(parts)}")) is not None:
        parts.append(decode_part(part["B"]))
    return msgspec.structs.replace(decode_head(item["head"]["S"]), parts=tuple(parts))
