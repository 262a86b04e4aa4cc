"""The contract of `Quarantine`: a rejected record is kept, once, with everything that its replay needs."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from afluente.adapters.aws.s3_quarantine import S3Quarantine, key_of
from afluente.adapters.memory.ingest import MemoryQuarantine
from afluente.application.errors import UnavailableError
from afluente.application.ingest.ports import Quarantine
from afluente.application.ingest.quarantine import QuarantinedRecord, undecodable_pack
from afluente.domain.faults import Fault, FaultCode
from tests.contract.local_aws import LocalAws, fail
from tests.factories import NOW, a_quarantined_record


@dataclass
class Ward:
    """A quarantine from both ends."""

    keeping: Quarantine
    kept: Callable[[], list[QuarantinedRecord]]


@pytest.fixture
def ward(backend: LocalAws | None) -> Ward:
    if backend is None:
        memory = MemoryQuarantine()
        return Ward(memory, lambda: list(memory.records.values()))
    bucket, client = backend.bucket(), backend.client("s3")

    def kept() -> list[QuarantinedRecord]:
        names = [item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
        bodies = [client.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names]
        return [msgspec.json.decode(body, type=QuarantinedRecord) for body in bodies]

    return Ward(S3Quarantine(client, bucket), kept)


def test_a_record_is_stored_as_it_was_put(ward: Ward) -> None:
    record = a_quarantined_record(
        faults={0: (Fault(FaultCode.EMPTY, "stream_id", "must have 1 to 128 characters"),), 12: ()},
        payload=json.dumps([{"stream_id": "\ud800", "value": float("nan"), "metadata": {"big": 10**30}}]),
        origin={"domain": "iot", "source_id": "é😀"},
    )

    ward.keeping.put(record)

    assert ward.kept() == [record]


def test_a_message_of_the_queue_is_stored_as_it_was_put(ward: Ward) -> None:
    record = undecodable_pack("no pack: \x00é", message_id="message-1", sent_at=NOW, origin={"queue": "datapoints"})

    ward.keeping.put(record)

    assert ward.kept() == [record]


def test_a_record_that_is_put_again_is_stored_once(ward: Ward) -> None:
    ward.keeping.put(a_quarantined_record(message="first"))
    ward.keeping.put(a_quarantined_record(message="again"))
    ward.keeping.put(a_quarantined_record("request-2"))

    assert sorted((record.record_id, record.message) for record in ward.kept()) == [
        ("request-1", "again"),
        ("request-2", "1 point(s) of the request have faults"),
    ]


def test_a_record_is_found_by_transport_and_day() -> None:
    assert key_of(a_quarantined_record()) == "quarantine/http/2023/11/14/request-1.json"


def test_a_record_is_a_json_document_that_names_its_schema(aws: LocalAws) -> None:
    client, bucket = aws.client("s3"), aws.bucket()

    S3Quarantine(client, bucket).put(a_quarantined_record())

    found = client.get_object(Bucket=bucket, Key="quarantine/http/2023/11/14/request-1.json")
    assert found["ContentType"] == "application/json"
    assert json.loads(found["Body"].read()) == {
        "schema": "afluente/quarantined-record/1",
        "record_id": "request-1",
        "reason": "rejected_points",
        "transport": "http",
        "failed_at": NOW,
        "message": "1 point(s) of the request have faults",
        "origin": {"domain": "iot", "source_id": "furnace-1"},
        "faults": {},
        "payload": "[]",
        "payload_encoding": "json",
    }


def test_a_bucket_that_fails_or_is_not_there_is_unavailable(aws: LocalAws) -> None:
    client, bucket = aws.client("s3"), aws.bucket()

    with pytest.raises(UnavailableError, match="S3: NoSuchBucket"):
        S3Quarantine(client, f"{bucket}-gone").put(a_quarantined_record())

    fail(client, "PutObject", code="SlowDown")
    with pytest.raises(UnavailableError, match="S3: SlowDown"):
        S3Quarantine(client, bucket).put(a_quarantined_record())
