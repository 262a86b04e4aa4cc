"""Answers of the HTTP API."""

import json

import msgspec

from afluente.adapters.http.answers import problem
from afluente.adapters.http.points import receipt
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.rejection import RejectedPoint
from afluente.domain.faults import Fault, FaultCode
from tests.factories import a_point


def test_a_receipt_has_the_number_of_queued_points_and_each_fault_of_the_others() -> None:
    rejected = RejectedPoint(
        4,
        (
            Fault(FaultCode.MISSING, "stream_id", "is required"),
            Fault(FaultCode.NOT_FINITE, "value", "must be a finite number"),
        ),
        {},
    )

    request = PointsRequest("request-1", "http", "iot", "oven-1", 0.0, [a_point()] * 9, [rejected])

    assert msgspec.to_builtins(receipt(request)) == {
        "inserted": 9,
        "rejected": [
            {"index": 4, "code": "missing", "field": "stream_id", "message": "is required"},
            {"index": 4, "code": "not_finite", "field": "value", "message": "must be a finite number"},
        ],
        "request_id": "request-1",
    }


def test_a_problem_is_one_of_rfc_9457() -> None:
    answer = problem(
        400,
        "malformed_json",
        "the body is no JSON (at byte 7)",
        request_id="request-1",
        headers={"retry-after": "2"},
        extra={"offset": 7, "errors": [Fault(FaultCode.MISSING, "domain", "is required")]},
    )

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert answer.headers == {"retry-after": "2"}
    assert json.loads(answer.body) == {
        "type": "urn:afluente:problem:malformed_json",
        "title": "The body is not JSON",
        "status": 400,
        "detail": "the body is no JSON (at byte 7)",
        "code": "malformed_json",
        "request_id": "request-1",
        "offset": 7,
        "errors": [{"code": "missing", "field": "domain", "message": "is required"}],
    }
