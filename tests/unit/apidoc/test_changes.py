"""The check of breaking changes: it finds each kind, and lets pass what breaks nobody."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from apidoc.asyncapi import asyncapi_document
from apidoc.changes import breaking_changes
from apidoc.openapi import openapi_document

Document = dict[str, Any]
Change = Callable[[Document], object]

OPENAPI = openapi_document()
ASYNCAPI = asyncapi_document()


def after(document: Document, change: Change) -> list[str]:
    """The changes that break clients."""
    changed = deepcopy(document)
    change(changed)
    assert changed != document, "the change changes nothing"
    return breaking_changes(document, changed)


def post(document: Document) -> Document:
    """The operation that takes points."""
    found: Document = document["paths"]["/ingest/datapoints"]["post"]
    return found


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def field(document: Document, record: str, name: str) -> Document:
    found: Document = schema(document, record)["properties"][name]
    return found


def jobs(document: Document) -> list[Document]:
    """The parameters of the list of jobs."""
    found: list[Document] = document["paths"]["/ingest/csv"]["get"]["parameters"]
    return found


BREAKING: dict[str, tuple[Change, str]] = {
    "a path is gone": (lambda d: d["paths"].pop("/ingest/csv"), "POST /ingest/csv: is gone"),
    "an operation is gone": (lambda d: d["paths"]["/ingest/csv"].pop("get"), "GET /ingest/csv: is gone"),
    "an operation has another name": (lambda d: post(d).update(operationId="send"), "is called send"),
    "a key is needed": (
        lambda d: d["paths"]["/health"]["get"].update(security=[{"apiKey": []}]),
        "GET /health: a key is needed now",
    ),
    "another key is needed": (lambda d: post(d).update(security=[{"oauth": []}]), "another key is needed"),
    "the key is elsewhere": (
        lambda d: d["components"]["securitySchemes"]["apiKey"].update({"in": "query"}),
        "security scheme apiKey: has changed",
    ),
    "another action is needed": (lambda d: post(d).update({"x-required-action": "jobs"}), "for another action: jobs"),
    "a parameter is gone": (lambda d: jobs(d).pop(0), "parameter query domain: is gone"),
    "a parameter is required": (lambda d: jobs(d)[1].update(required=True), "parameter query source_id: is required"),
    "a new parameter is required": (
        lambda d: jobs(d).append({"name": "page", "in": "query", "required": True, "schema": {}}),
        "parameter query page: is required now",
    ),
    "a parameter takes less": (
        lambda d: jobs(d)[3]["schema"].update(maximum=50),
        "GET /ingest/csv parameter query limit: a request that was taken is taken no longer: maximum 100 is above 50",
    ),
    "a body is required": (
        lambda d: d["paths"]["/health"]["get"].update(requestBody={"required": True, "content": {}}),
        "GET /health: a body is required now",
    ),
    "a body is gone": (lambda d: post(d).pop("requestBody"), "the body is gone"),
    "a media type is taken no longer": (
        lambda d: post(d)["requestBody"].update(content={"text/csv": {"schema": {}}}),
        "a body in application/json is taken no longer",
    ),
    "a new field is required": (
        lambda d: (
            field(d, "PointsRequest", "datapoints").update(maxItems=20_000),
            schema(d, "Point").update(required=["stream_id", "value", "timestamp", "sequence"]),
        ),
        "body.datapoints[].sequence: a request that was taken is taken no longer: is not always there",
    ),
    "fewer points are taken": (
        lambda d: field(d, "PointsRequest", "datapoints").update(maxItems=10),
        "maxItems 20000 is above 10",
    ),
    "more points are needed": (
        lambda d: field(d, "PointsRequest", "datapoints").update(minItems=2),
        "minItems 1 is below 2",
    ),
    "a name may not be empty any more": (
        lambda d: field(d, "Announcement", "file").update(minLength=1),
        "body.file: a request that was taken is taken no longer: minLength None is below 1",
    ),
    "a name has another form": (lambda d: field(d, "Point", "stream_id").update(pattern="^x"), "is not ^x"),
    "a field has another type": (lambda d: field(d, "Point", "value").update(type="string"), "number is not among"),
    "a field may not be null": (
        lambda d: field(d, "Point", "sequence").update(anyOf=[{"type": "integer"}]),
        "null is not among integer",
    ),
    "a field takes only some values": (
        lambda d: field(d, "Point", "stream_id").update(enum=["a", "b"]),
        "only a, b would be allowed",
    ),
    "a value is taken no longer": (
        lambda d: schema(d, "JobStatus")["enum"].remove("failed"),
        "parameter query status: a request that was taken is taken no longer: failed is not among",
    ),
    "a field of a request is gone": (
        lambda d: schema(d, "Point")["properties"].pop("metadata"),
        "POST /ingest/datapoints body.datapoints[].metadata: is gone from requests",
    ),
    "an option is not known any more": (
        lambda d: schema(d, "Announcement")["properties"].pop("delimiter"),
        "body.delimiter: a request that was taken is taken no longer: is not known",
    ),
    "unknown fields are refused": (
        lambda d: schema(d, "Point").update(additionalProperties=False),
        "unknown properties are not allowed",
    ),
    "an answer is gone": (lambda d: post(d)["responses"].pop("202"), "POST /ingest/datapoints 202: is gone"),
    "a header is gone": (
        lambda d: d["paths"]["/ingest/csv"]["post"]["responses"]["202"]["headers"].pop("Location"),
        "the header Location is gone",
    ),
    "an answer has another media type": (
        lambda d: post(d)["responses"]["202"].update(content={"text/plain": {"schema": {}}}),
        "an answer in application/json is gone",
    ),
    "a member of an answer is gone": (
        lambda d: schema(d, "JobReport")["properties"].pop("reason"),
        "GET /ingest/csv/{job_id} 200.reason: is gone from answers",
    ),
    "a member of an answer deep within is gone": (
        lambda d: schema(d, "ShownRow")["properties"].pop("column"),
        "GET /ingest/csv 200.jobs[].errors[].first[].column: is gone from answers",
    ),
    "a member of an answer may be missing": (
        lambda d: schema(d, "Receipt")["required"].remove("inserted"),
        "202.inserted: an answer may be what it was not before: is not always there",
    ),
    "a member of an answer has another type": (
        lambda d: field(d, "Receipt", "inserted").update(type="number"),
        "202.inserted: an answer may be what it was not before: number is not among integer",
    ),
    "a member of an answer may be null": (
        lambda d: field(d, "Receipt", "request_id").update(type=["string", "null"]),
        "null is not among string",
    ),
    "a member of an answer has a new value": (
        lambda d: schema(d, "JobStatus")["enum"].append("paused"),
        "200.status: an answer may be what it was not before: paused is not among",
    ),
    "an answer has another form": (
        lambda d: field(d, "UploadBegun", "upload")["oneOf"].append({"type": "string"}),
        "string is not among object",
    ),
    "a member of a problem is gone": (
        lambda d: schema(d, "ForbiddenProblem")["properties"].pop("missing_scope"),
        "403.missing_scope: is gone from answers",
    ),
    "a problem has another code": (
        lambda d: field(d, "UnauthorizedProblem", "code").update(const="who_is_it"),
        "401.code: an answer may be what it was not before: who_is_it is not among unauthorized",
    ),
    "a problem has another status": (
        lambda d: field(d, "AllPointsRejectedProblem", "status").update(const=400),
        "400 is not among 422",
    ),
}

HARMLESS: dict[str, Change] = {
    "a new path": lambda d: d["paths"].update({"/new": {"get": {"responses": {}}}}),
    "a new parameter": lambda d: jobs(d).append({"name": "page", "in": "query", "schema": {}}),
    "a header in another case": lambda d: post(d)["parameters"][0].update(name="x-domain"),
    "a parameter takes more": lambda d: jobs(d)[3]["schema"].update(maximum=500),
    "a key is needed no longer": lambda d: post(d).update(security=[{"apiKey": []}, {}]),
    "more points are taken": lambda d: field(d, "PointsRequest", "datapoints").update(maxItems=50_000),
    "a field need not be there": lambda d: schema(d, "Point")["required"].remove("timestamp"),
    "a new field that may be left out": lambda d: schema(d, "Point")["properties"].update(unit={"type": "string"}),
    "a field takes another type, too": lambda d: field(d, "Point", "value").update(type=["number", "string"]),
    "a new answer": lambda d: post(d)["responses"].update({"418": {"description": "tea"}}),
    "a new member of an answer": lambda d: schema(d, "Receipt")["properties"].update(took_ms={"type": "number"}),
    "a member of an answer is always there": lambda d: schema(d, "JobReport")["required"].append("bytes_total"),
    "a new code of a problem": lambda d: (
        schema(d, "Fault"),
        post(d)["responses"]["400"]["content"]["application/problem+json"]["schema"]["oneOf"].append(
            {"$ref": "#/components/schemas/GoneProblem"}
        ),
        post(d)["responses"]["400"]["content"]["application/problem+json"]["schema"]["discriminator"]["mapping"].update(
            gone="#/components/schemas/GoneProblem"
        ),
    ),
    "other words": lambda d: (post(d).update(summary="x"), field(d, "Point", "value").update(description="x")),
    "another example": lambda d: post(d)["requestBody"]["content"]["application/json"].pop("examples"),
}

MESSAGES: dict[str, tuple[Change, str]] = {
    "an operation is gone": (lambda d: d["operations"].pop("ping"), "ping: is gone"),
    "an operation goes the other way": (lambda d: d["operations"]["ping"].update(action="send"), "ping: is gone"),
    "a topic is another": (
        lambda d: d["channels"]["stream"].update(address="v2/{domain}/{source_id}/{stream_id}"),
        "publishPoints: is at v2/",
    ),
    "a message is taken no longer": (
        lambda d: d["operations"]["publishPoints"]["messages"].pop(),
        "publishPoints: the message Senml is taken no longer",
    ),
    "fewer points are taken": (
        lambda d: d["components"]["messages"]["Points"]["payload"].update(maxItems=10),
        "sendPoints Points: a request that was taken is taken no longer: maxItems 1000 is above 10",
    ),
    "an answer that was not there": (
        lambda d: d["operations"]["ping"]["reply"]["messages"].append(
            {"$ref": "#/channels/connection/messages/Acknowledgement"}
        ),
        "ping: the message Acknowledgement was not there before",
    ),
    "an answer is gone": (
        lambda d: d["operations"]["ping"]["reply"]["messages"].pop(0),
        "ping: the message Pong is gone",
    ),
    "a member of an answer is gone": (
        lambda d: schema(d, "Authenticated")["properties"].pop("last_sequence"),
        "authenticate Authenticated.last_sequence: is gone from answers",
    ),
    "what is said unasked is another": (
        lambda d: field(d, "Error", "code").update(enum=[1007, 1008, 1009, 1013]),
        "endConnection Error.code: an answer may be what it was not before: 1013 is not among",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BREAKING.values(), ids=BREAKING)
def test_what_breaks_clients_of_http_is_found(change: Change, sentence: str) -> None:
    changes = after(OPENAPI, change)

    assert any(sentence in its for its in changes), changes


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_breaks_no_client_of_http_is_let_pass(change: Change) -> None:
    assert after(OPENAPI, change) == []


@pytest.mark.parametrize(("change", "sentence"), MESSAGES.values(), ids=MESSAGES)
def test_what_breaks_clients_of_messages_is_found(change: Change, sentence: str) -> None:
    changes = after(ASYNCAPI, change)

    assert any(sentence in its for its in changes), changes


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_a_document_that_is_the_same_breaks_nobody(document: Document) -> None:
    assert breaking_changes(document, json.loads(json.dumps(document))) == []


def test_records_that_hold_themselves_are_compared() -> None:
    def hold_itself(document: Document) -> None:
        schema(document, "Receipt")["properties"]["before"] = {"$ref": "#/components/schemas/Receipt"}

    before = deepcopy(OPENAPI)
    hold_itself(before)
    now = deepcopy(before)
    schema(now, "Receipt")["required"].remove("inserted")

    assert any("inserted" in change for change in breaking_changes(before, now))
