"""The check of answers against the document: it would find what is not documented."""

import pytest

from tests.conformity import NO_ROUTE, assert_documented, route_of

RECEIPT = {"inserted": 1, "rejected": [], "request_id": "r"}
IN_JSON = {"content-type": "application/json", "x-request-id": "r"}
POINTS = "POST /ingest/datapoints"


def test_a_documented_answer_is_let_pass() -> None:
    assert_documented(POINTS, 202, IN_JSON, RECEIPT)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, IN_JSON, RECEIPT),
        (202, {"content-type": "text/plain"}, RECEIPT),
        (202, IN_JSON | {"x-new": "1"}, RECEIPT),
        (202, IN_JSON, RECEIPT | {"new": 1}),
        (202, IN_JSON, RECEIPT | {"inserted": "1"}),
        (202, IN_JSON, RECEIPT | {"rejected": [{"index": 0}]}),
        (202, IN_JSON, {"inserted": 1}),
        (400, {"content-type": "application/problem+json"}, {"code": "new"}),
    ],
)
def test_what_is_not_in_the_document_is_found(status: int, headers: dict[str, str], body: object) -> None:
    with pytest.raises(AssertionError):
        assert_documented(POINTS, status, headers, body)


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/ingest/datapoints", POINTS),
        ("GET", "/ingest/csv/0123", "GET /ingest/csv/{job_id}"),
        ("GET", "/constraints/iot/oven-1/a.b", "GET /constraints/{domain}/{source_id}/{stream_id}"),
        ("PATCH", "/ingest/datapoints", NO_ROUTE),
        ("GET", "/nowhere", NO_ROUTE),
    ],
)
def test_the_route_of_a_request_is_found(method: str, path: str, route: str) -> None:
    assert route_of(method, path) == route
