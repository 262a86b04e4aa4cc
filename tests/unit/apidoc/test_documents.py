"""The documents of the interfaces: current, well formed, complete, and true to what validates."""

import ast
import gzip
import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from afluente.adapters.codecs import json_points
from afluente.adapters.codecs.csv import options as csv_options
from afluente.adapters.http import answers as http_answers
from afluente.adapters.http import csv_forms, csv_uploads
from afluente.adapters.http import points as http_points
from afluente.adapters.http import requests as http_requests
from afluente.adapters.http.errors import RequestError
from afluente.adapters.http.routes import ROUTES, Route
from afluente.adapters.mqtt.messages import MqttMessage, decode_message
from afluente.adapters.websocket import messages as websocket_messages
from afluente.adapters.websocket.messages import (
    Authentication,
    Ping,
    Points,
    points_request,
    read_message,
)
from afluente.application.access.grants import Grant
from afluente.application.constraints.documents import parse_document, parse_entry
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.websocket.connections import Connection
from afluente.domain import datapoints
from afluente.domain.faults import Fault, FaultCode, FaultyError
from afluente.domain.stream_keys import MAX_PART_LENGTH, domain_faults
from afluente.migration.adapters.messages import decode_legacy_message
from afluente.migration.adapters.packets import decode_packet
from apidoc import examples
from apidoc.__main__ import DOCUMENTS, current, released, text_of
from apidoc.asyncapi import REASONS, asyncapi_document
from apidoc.catalogue import OPERATIONS
from apidoc.changes import breaking_changes
from apidoc.legacy import PACKET
from apidoc.openapi import SCHEME, openapi_document
from apidoc.problems import PROBLEMS, name_of
from apidoc.schemas import Schema
from tests.conformity import faults_of
from tests.factories import DOMAINS

ROOT = Path(__file__).parents[3]
NOW = 1_795_600_000.0
ALL = Grant(key_id="aaaqeaye")
IN_JSON = {"content-type": "application/json"}

OPENAPI = openapi_document()
ASYNCAPI = asyncapi_document()

every_document = pytest.mark.parametrize("name", DOCUMENTS)
every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
every_domain = pytest.mark.parametrize("domain", ["iot", "infrastructure", "finance", "health"])


# --- current and well formed -----------------------------------------------------------------------------------------


@every_document
def test_the_file_of_a_document_is_current(name: str) -> None:
    is_current = current(name).read_text(encoding="utf-8") == text_of(DOCUMENTS[name]())

    assert is_current, "run `make openapi`, and look at what has changed"


@every_document
def test_clients_of_the_released_document_are_not_broken(name: str) -> None:
    before = json.loads(released(name).read_text(encoding="utf-8"))

    assert breaking_changes(before, DOCUMENTS[name]()) == []


def test_the_openapi_document_is_one() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(OPENAPI).iter_errors()] == []


def test_a_document_that_is_invalid_is_found() -> None:
    broken = json.loads(json.dumps(OPENAPI))
    broken["paths"]["/health"]["get"]["responses"]["200"].pop("description")

    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_the_asyncapi_document_is_one() -> None:
    schema = json.loads(gzip.decompress((ROOT / "tests" / "schemas" / "asyncapi-3.0.0.json.gz").read_bytes()))
    Draft7Validator.check_schema(schema)
    broken = ASYNCAPI | {"operations": {"x": {"action": "shout"}}}

    assert [error.message for error in Draft7Validator(schema).iter_errors(ASYNCAPI)] == []
    assert list(Draft7Validator(schema).iter_errors(broken))


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere_and_every_component_is_referred_to(document: Schema) -> None:
    references = {value for name, value in members(document) if name == "$ref"}
    listed = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers", "messages")
        for name in document["components"].get(kind, {})
    }
    mapped = {f"#/components/schemas/{name_of(code)}" for code in PROBLEMS}

    assert {reference for reference in references if not leads_somewhere(document, reference)} == set()
    assert listed - references - mapped == set()


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_schema_is_one(document: Schema) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


# --- complete --------------------------------------------------------------------------------------------------------


def test_every_route_is_in_the_document_and_no_other() -> None:
    documented = {f"{method.upper()} {path}" for path, item in OPENAPI["paths"].items() for method in item}

    assert documented == {route.key for route in ROUTES}
    assert set(OPERATIONS) == {route.name for route in ROUTES}


@every_route
def test_a_route_names_the_action_that_its_key_needs(route: Route) -> None:
    operation = operation_of(route)

    assert operation["security"] == ([{SCHEME: []}] if route.action else [])
    assert operation.get("x-required-action") == route.action
    assert operation.get("x-stage-flag") == route.flag
    assert (f"`{route.action}`" in operation["description"]) == (route.action is not None)


@every_route
def test_a_route_with_a_key_documents_the_answers_without_one(route: Route) -> None:
    answers = operation_of(route)["responses"]

    assert ("401" in answers) == ("forbidden" in problems_of(operation_of(route))) == (route.action is not None)
    assert {"403", "429", "503", "5XX"} <= answers.keys()


def test_every_problem_is_on_a_route_that_can_give_it() -> None:
    on_routes = {code for route in ROUTES for code in problems_of(operation_of(route))}
    # A method that a path does not take is on no route; what the document says of it is for all of them.
    elsewhere = {"method_not_allowed"}

    assert set(PROBLEMS) == set(http_answers.TITLES) == on_routes | elsewhere
    assert all(f"`{code}`" in OPENAPI["info"]["description"] for code in elsewhere)


def test_a_problem_has_the_status_that_the_code_gives_it() -> None:
    given = set(problems_in_code())

    assert {(PROBLEMS[code].status, code) for code in PROBLEMS} == given


def test_every_reason_of_an_error_over_a_websocket_is_documented() -> None:
    assert set(REASONS) == set(reasons_in_code())


@every_route
def test_every_parameter_of_a_path_is_documented(route: Route) -> None:
    parameters = operation_of(route).get("parameters", [])

    assert re.findall(r"\{(\w+)\}", route.path) == [its["name"] for its in parameters if its["in"] == "path"]


def test_the_limits_are_those_of_the_code() -> None:
    schemas = OPENAPI["components"]["schemas"]
    points, point = schemas["PointsRequest"]["properties"], schemas["Point"]["properties"]
    sequence, _null = point["sequence"]["anyOf"]
    text = json.dumps(OPENAPI)

    assert points["datapoints"]["maxItems"] == http_points.MAX_POINTS
    assert point["stream_id"]["maxLength"] == MAX_PART_LENGTH
    assert sequence["maximum"] == datapoints.MAX_SEQUENCE
    assert str(datapoints.MAX_METADATA_BYTES) in point["metadata"]["description"]
    assert f"{datapoints.MAX_FUTURE_SECONDS:.0f} s" in point["timestamp"]["description"]
    for limit in (http_requests.MAX_BODY_BYTES, csv_forms.MAX_CSV_BODY_BYTES, csv_options.MAX_OPTIONS_BYTES):
        assert f"{limit:,} bytes" in text


@every_domain
def test_each_domain_has_an_example(domain: str) -> None:
    content = OPENAPI["paths"]["/ingest/datapoints"]["post"]["requestBody"]["content"]["application/json"]

    assert content["examples"][domain]["value"]["domain"] == domain


# --- true ------------------------------------------------------------------------------------------------------------


@every_domain
def test_the_example_of_a_domain_is_accepted_without_a_fault(domain: str) -> None:
    example = examples.POINTS[domain]

    request = decoded(example)

    assert request.rejected == []
    assert len(request.points) == len(example["datapoints"])
    assert faults_of(example, {"$ref": "#/components/schemas/PointsRequest"}) == []


def test_the_examples_of_packets_and_files_are_accepted_without_a_fault() -> None:
    packet = decode_packet(json.dumps(PACKET).encode(), domains=DOMAINS, now=NOW)
    creator = csv_uploads.Creator("0" * 24, ALL, NOW)
    announced = csv_uploads.decode_announcement(
        json.dumps(examples.ANNOUNCEMENT).encode(), headers=IN_JSON, domains=DOMAINS, creator=creator
    )

    assert (len(packet.readings), packet.rejected) == (2, [])
    assert announced.size == examples.ANNOUNCEMENT["size"]


def test_every_example_of_http_is_of_its_schema() -> None:
    checked = 0
    for content in contents(OPENAPI):
        found = [content["example"]] if "example" in content else []
        found += [example["value"] for example in content.get("examples", {}).values()]
        for example in found:
            assert faults_of(example, content["schema"]) == []
        checked += len(found)

    assert checked > len(PROBLEMS)


def test_every_example_of_a_message_is_of_its_schema() -> None:
    for name, message in ASYNCAPI["components"]["messages"].items():
        validator = Draft202012Validator({**message["payload"], "components": ASYNCAPI["components"]})
        for example in message["examples"]:
            assert [error.message for error in validator.iter_errors(example["payload"])] == [], name


def test_every_example_of_a_websocket_message_is_understood() -> None:
    understood = {name: read_message(json.dumps(example_of(name))) for name in ("Point", "Points", "PointsOfSource")}
    connection = Connection("c", "iot", "oven-1", "aaaqeaye", NOW)

    for message in understood.values():
        assert isinstance(message, Points)
        request = points_request(message, connection, request_id="r", now=NOW)
        assert (len(request.points), request.rejected) == (len(message.items), [])
    assert isinstance(read_message(json.dumps(example_of("Authenticate"))), Authentication)
    assert isinstance(read_message(json.dumps(example_of("Ping"))), Ping)


@pytest.mark.parametrize("name", ["MqttPoint", "MqttPoints", "Senml"])
def test_every_example_of_a_published_message_is_understood(name: str) -> None:
    request = decode_message(
        published("iot/oven-1/temperature", name), domains=DOMAINS, request_id="r", max_points=1_000
    )

    assert request.points
    assert request.rejected == []


def test_the_example_of_a_legacy_reading_is_understood() -> None:
    readings = decode_legacy_message(published("iot/sensors/42/readings", "Readings"), domains=DOMAINS, max_points=9)

    assert (len(readings.readings), readings.rejected) == (1, [])


@every_domain
def test_the_constraints_of_a_domain_can_hold(domain: str) -> None:
    example = examples.CONSTRAINTS[domain]
    stream_type = examples.POINTS[domain]["datapoints"][0]["stream_type"]

    entries, faulty = parse_document({"streams": [{"domain": domain, **example}]})

    assert (len(entries), faulty) == (1, [])
    assert entries[0].scope == f"{domain}#{stream_type}"
    assert faults_of(example, {"$ref": "#/components/schemas/ConstraintsBody"}) == []


# What JSON Schema cannot say: what depends on the clock, on bytes, on depth or on other fields.
_BEYOND_SCHEMAS = {FaultCode.IN_FUTURE, FaultCode.NOT_SECONDS, FaultCode.TOO_DEEP}

_names = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_PART_LENGTH + 2),
    st.sampled_from(["oven-1:temperature", "$SYS", "a/b", "a+b", "a#b", "a\x00", "a\x85b", "é", "", "x" * 129]),
)
_anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3), _names)
_points = st.fixed_dictionaries(
    {},
    optional={
        "stream_id": st.one_of(_names, _anything),
        "value": st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), _anything),
        "timestamp": st.one_of(st.floats(0, NOW), st.sampled_from([-1e12, 1e300, NOW]), _anything),
        "stream_type": st.one_of(_names, _anything),
        "sequence": st.one_of(st.integers(-1, 2**63 + 1), _anything),
        "metadata": st.one_of(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), _anything),
    },
)
_GOOD = {"stream_id": "s", "value": 1, "timestamp": NOW}


@given(st.builds(lambda base, changed: base | changed, st.sampled_from([{}, _GOOD]), _points))
def test_a_point_is_of_the_schema_if_and_only_if_it_is_accepted(point: dict[str, Any]) -> None:
    # As a sender would have it: a number that no double holds is no number of JSON's.
    (item,) = json.loads(json.dumps([point]))
    _, rejected = json_points.partition_points([item], domain="iot", source_id="s", now=NOW)
    codes = {fault.code for its in rejected for fault in its.faults}

    faults = faults_of(item, {"$ref": "#/components/schemas/Point"}, strictly=False)

    if any(isinstance(value, float) and value.is_integer() for value in (item.get("sequence"),)):
        return  # An integer to JSON Schema, and no integer to afluente.
    assert codes or not faults, faults
    assert faults or codes <= _BEYOND_SCHEMAS, codes


@given(domain=st.one_of(st.text(max_size=34), st.from_regex(r"[a-z][a-z0-9_-]{0,33}", fullmatch=True)))
def test_the_name_of_a_domain_is_of_the_schema_if_and_only_if_it_is_well_formed(domain: str) -> None:
    schema = OPENAPI["components"]["schemas"]["PointsRequest"]["properties"]["domain"]

    is_malformed = any("lower-case letter" in fault.message for fault in domain_faults(domain))

    # A dollar sign of Python's expressions lets a last end of line pass, that of JSON Schema does not.
    assert bool(faults_of(domain, schema)) == is_malformed or domain.endswith("\n")


_announcements: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "file": st.sampled_from(["march.csv", 7, None]),
        "size": st.sampled_from([1, 10, -1, "10", 2.5, True, None]),
        "options": st.sampled_from([{}, {"delimiter": ";"}, {"delimiter": ";;"}, {"nothing": 1}, [], None]),
        "decimal": st.sampled_from([",", ";", None]),
        "skip_rows": st.sampled_from([0, -1, 10_001, None]),
        "domain": st.sampled_from(["iot", "IoT", None]),
        "more": st.just(1),
    },
)


@given(_announcements)
def test_an_announcement_that_is_accepted_is_of_the_schema(announcement: dict[str, Any]) -> None:
    headers = IN_JSON | {"x-domain": "iot", "x-source-id": "oven-1"}
    creator = csv_uploads.Creator("0" * 24, ALL, NOW)
    try:
        csv_uploads.decode_announcement(
            json.dumps(announcement).encode(), headers=headers, domains=DOMAINS, creator=creator
        )
        is_taken = True
    except RequestError:
        is_taken = False

    faults = faults_of(announcement, {"$ref": "#/components/schemas/Announcement"}, strictly=False)

    # A domain that is not well formed in the body contradicts the header, and options may be wrong together.
    assert not (is_taken and faults), faults
    assert is_taken or faults or announcement.get("domain") == "IoT"


_bounds: st.SearchStrategy[Any] = st.sampled_from([None, 0, -1, 5.5, "5", True, []])
_entries: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "stream_type": st.sampled_from(["temperature", "a/b", "", 7, None]),
        "value_constraints": st.one_of(
            st.fixed_dictionaries({}, optional={"min_value": _bounds, "alert_max": _bounds, "nothing": _bounds}),
            st.sampled_from([None, [], {}]),
        ),
        "rate_constraints": st.one_of(
            st.fixed_dictionaries(
                {},
                optional={
                    "abs_delta": _bounds,
                    "severity": st.sampled_from(["alert", "grave", None]),
                    "nothing": _bounds,
                },
            ),
            st.sampled_from([None, [], {}]),
        ),
        "consecutive_violations_required": st.sampled_from([1, 0, 2.5, "3", True, None]),
        "cooldown_seconds": st.sampled_from([0, 1.5, -1, "3", True, None]),
        "metadata": st.sampled_from([{}, {"a": 1}, [], None]),
        "version": st.sampled_from([3, "three", None]),
        "nothing": st.just(1),
    },
)


@given(_entries)
def test_constraints_are_of_the_schema_if_and_only_if_they_are_accepted(body: dict[str, Any]) -> None:
    try:
        parse_entry({"key": "iot/oven-1/oven-1:temperature", **body})
        codes = set()
    except FaultyError as error:
        codes = {fault.code for fault in error.faults if not _is_of_two_bounds(fault)}

    faults = faults_of(body, {"$ref": "#/components/schemas/ConstraintsBody"}, strictly=False)

    assert bool(faults) == bool(codes), (faults, codes)


def _is_of_two_bounds(fault: Fault) -> bool:
    """True if two bounds contradict each other, which no schema can say."""
    return fault.code is FaultCode.IMPOSSIBLE and fault.field.startswith("value_constraints")


def test_what_json_has_no_number_for_is_of_no_schema() -> None:
    assert faults_of(_GOOD | {"value": math.inf}, {"$ref": "#/components/schemas/Point"})


# --- helpers ---------------------------------------------------------------------------------------------------------


def operation_of(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = OPENAPI["paths"][route.path][route.method.lower()]
    return found


def problems_of(operation: dict[str, Any]) -> Iterator[str]:
    """The codes of the problems of an operation."""
    for answer in operation["responses"].values():
        schema = answer.get("content", {}).get("application/problem+json", {}).get("schema", {})
        for its in schema.get("oneOf", [schema] if schema else []):
            name = its["$ref"].rpartition("/")[2]
            yield OPENAPI["components"]["schemas"][name]["properties"]["code"]["const"]


def problems_in_code() -> Iterator[tuple[int, str]]:
    """Every status with its code, as they stand where an error is made."""
    for folder in ("functions", "layers/core/python/afluente"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"RequestError", "problem"}:
                    status, code = node.args[:2]
                    if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                        yield int(str(status.value)), str(code.value)


def reasons_in_code() -> Iterator[str]:
    """Every reason that an error message over a WebSocket is made with."""
    place = {"ErrorMessage": 1, "refusal": 0}
    for path in (*(ROOT / "functions/ws_ingest").glob("*.py"), Path(websocket_messages.__file__)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in place:
                said = node.args[place[node.func.id]]  # type: ignore[attr-defined] # it has one, by the line above
                for its in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
                    if isinstance(its, ast.Constant):
                        yield str(its.value)


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of every object within a value; mappings of discriminators are references, too."""
    if isinstance(value, list):
        for item in value:
            yield from members(item)
    elif isinstance(value, dict):
        for name, its in value.items():
            yield name, its
            yield from members(its)


def contents(document: Schema) -> Iterator[dict[str, Any]]:
    """The contents of each media type of requests and answers."""
    for name, value in members(document["paths"]):
        if name == "content":
            yield from value.values()


def leads_somewhere(document: Schema, reference: str) -> bool:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return bool(found)


def decoded(body: object) -> PointsRequest:
    return http_points.decode_points(
        json.dumps(body).encode(), headers=IN_JSON, domains=DOMAINS, grant=ALL, request_id="r", now=NOW
    )


def example_of(name: str) -> Any:
    return ASYNCAPI["components"]["messages"][name]["examples"][0]["payload"]


def published(topic: str, name: str) -> MqttMessage:
    return MqttMessage(b64encode(json.dumps(example_of(name)).encode()).decode(), topic, NOW * 1000, "oven-1")
