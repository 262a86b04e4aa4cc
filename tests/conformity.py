"""Conformity of answers with the OpenAPI document: nothing else, and nothing more."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from apidoc.openapi import openapi_document
from apidoc.problems import name_of
from apidoc.schemas import REF, Schema

NO_ROUTE = "$default"

# Of the gateway, the runtime and the transport.
_OF_ALL = {"content-type", "x-request-id", "apigw-requestid", "content-length", "date", "connection", "server", "allow"}


def assert_documented(route: str, status: int, headers: Mapping[str, str], body: object) -> None:
    """Assert that an answer is one of those that the document has for its route.

    Args:
        route: its key: `POST /ingest/datapoints`; `$default` where there is none.
        status: of the answer.
        headers: of the answer, by lower-case name.
        body: as the content type has it: JSON, or text.
    """
    media_type = headers.get("content-type", "").split(";")[0]
    if route == NO_ROUTE:
        assert isinstance(body, dict)
        schema: Schema = {"$ref": REF + name_of(body["code"])}
    else:
        method, path = route.split()
        answers = _document()["paths"][path][method.lower()]["responses"]
        assert str(status) in answers or f"{status // 100}XX" in answers, f"{route} has no answer {status}: {body}"
        documented = answers.get(str(status)) or answers[f"{status // 100}XX"]
        content = documented.get("content", {})
        if not content:
            assert body in (None, ""), f"{route} {status} has no body"
            return
        assert media_type in content, f"{route} {status} is {media_type}, and {list(content)} in the document"
        undocumented = set(headers) - _OF_ALL - {name.lower() for name in documented["headers"]}
        assert undocumented <= _OF_NO_DOCUMENT, f"{route} {status} has headers that are in no document: {undocumented}"
        schema = content[media_type]["schema"]
    faults = faults_of(body, schema)
    assert faults == [], f"{route} {status}: {faults}: {body}"


# What every HTTP client handles by itself.
_OF_NO_DOCUMENT = {"vary", "content-encoding", "content-security-policy", "referrer-policy", "x-content-type-options"}


def faults_of(value: object, schema: Schema, *, strictly: bool = True) -> list[str]:
    """The violations of a schema of the document by a value.

    Args:
        value: as JSON has it.
        schema: it may refer to others of the document.
        strictly: whether members that the document does not have are faults, too.
    """
    document = _document(strictly=strictly)
    validator = Draft202012Validator({**_closed(schema, strictly=strictly), "components": document["components"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def route_of(method: str, url_path: str) -> str:
    """The key of the route that a request leads to."""
    for path, item in _document()["paths"].items():
        template = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        if method.lower() in item and re.fullmatch(template, url_path):
            return f"{method} {path}"
    return NO_ROUTE


@cache
def _document(*, strictly: bool = True) -> dict[str, Any]:
    closed: dict[str, Any] = _closed(openapi_document(), strictly=strictly)
    return closed


def _closed(value: Any, *, strictly: bool) -> Any:
    """The schema with every record closed: a member that it does not name is a fault."""
    if isinstance(value, list):
        return [_closed(item, strictly=strictly) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: _closed(item, strictly=strictly) for name, item in value.items()}
    if strictly and value.get("type") == "object" and isinstance(value.get("properties"), dict):
        value.setdefault("additionalProperties", False)
    return value
