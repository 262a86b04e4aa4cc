"""The OpenAPI document of the HTTP API: every route, with its parameters, its body and all its answers."""

from collections.abc import Iterable
from typing import Any

import afluente
from afluente.adapters.http.routes import ROUTES, Route
from afluente.application.access.grants import Action
from afluente.runtime.serving import RETRY_AFTER_SECONDS
from apidoc.catalogue import OPERATIONS, schemas
from apidoc.operations import Operation, header
from apidoc.problems import PROBLEMS, example_of, one_of, schemas_of_problems
from apidoc.schemas import Schema, ref

SCHEME = "apiKey"
PROBLEM_JSON = "application/problem+json"

_WITH_A_KEY = ("unauthorized", "forbidden", "rate_limited")
_OF_LIMITS = ("RateLimit-Policy", "RateLimit")
_LIMITED = {str(PROBLEMS[code].status) for code in ("rate_limited", "over_the_burst")}
_WITH_EVERY_ROUTE = ("around_the_front", "unavailable")
_AGAIN = {PROBLEMS["unavailable"].status, PROBLEMS["rate_limited"].status}
# With the version that is in force, in a header.
_TAGGED = {412}
_ABOUT = f"""\
Measurements from any transport, classified and delivered exactly once in effect to the Kinesis stream of their class.

* **Keys.** All routes but those that describe the service take a key in the header `X-API-Key`. A key's actions,
  domains and sources are fixed when it is created; a `403` names the missing one in `missing_scope`. Streams and jobs
  beyond the reach of a key are answered as if they did not exist.
* **Errors** are problem details (RFC 9457): `code` is for programs, `detail`, with a hint, for people.
  A path that does not exist is a `404` of the code `not_found`, a method that a path does not take a `405` of the code
  `method_not_allowed`. What API Gateway answers itself is an object with a `message` alone.
* **Retry** on 408, 429, 500, 502, 503 and 504, after `Retry-After` seconds where the answer has them; else after
  {RETRY_AFTER_SECONDS} seconds, and later each time. Sending the same points again changes nothing.
* **New members** of answers and new codes of problems may be added without notice: ignore unknown ones.
"""

_TAGS = {
    "Points": "Measurements, sent as they are made.",
    "CSV files": "Measurements in files. The service reads a file as a job.",
    "Constraints": "Bounds of values, and of their change.",
    "Alarms": "Alarms that were raised and cleared.",
    "Service": "Descriptions of the service itself.",
}


def openapi_document() -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "afluente",
            "version": afluente.__version__,
            "summary": "Accepts measurements.",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "servers": [{"url": "./", "description": "Where this document is"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": _paths(),
        "components": {
            "securitySchemes": {SCHEME: _scheme()},
            "headers": _headers(),
            "schemas": dict(sorted((schemas() | schemas_of_problems()).items())),
        },
    }


def _paths() -> dict[str, Schema]:
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, OPERATIONS[route.name])
    return paths


def _operation(route: Route, operation: Operation) -> Schema:
    its: Schema = {
        "operationId": f"{route.name[0].lower()}{route.name[1:]}",
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.text}{_needs(route)}",
        "parameters": list(operation.parameters),
        "responses": _responses(route, operation),
        "security": [{SCHEME: []}] if route.action else [],
    }
    if operation.body:
        its["requestBody"] = {"required": True, "content": dict(operation.body)}
    if route.action:
        its["x-required-action"] = route.action
    if route.flag:
        its["x-stage-flag"] = route.flag
    return {name: value for name, value in its.items() if value != [] or name == "security"}


def _needs(route: Route) -> str:
    if route.action is None:
        return " It takes no key."
    return f"\n\nThe key has to be for the action `{route.action}`, and to reach the domain and the source."


def _responses(route: Route, operation: Operation) -> Schema:
    answers: dict[str, Schema] = {str(status): its for status, its in operation.answers.items()}
    codes = [*operation.problems, *(_WITH_A_KEY if route.action else ()), *_WITH_EVERY_ROUTE]
    for status in sorted({PROBLEMS[code].status for code in codes}):
        answers[str(status)] = _problems(status, [code for code in codes if PROBLEMS[code].status == status])
    if route.action:
        _with_gateway(answers["401"])
        _with_gateway(answers["403"])
        for number in [one for one in answers if one.startswith("2") or one in _LIMITED]:
            headers = answers[number]["headers"] | {name: header(name) for name in _OF_LIMITS}
            answers[number] = answers[number] | {"headers": headers}
    answers["429"] = _with_gateway(answers.get("429", _of_gateway("More requests a second than the stage allows.")))
    answers["5XX"] = _of_gateway("The authorizer or the function ended without an answer.")
    if "413" in answers:
        _with_gateway(answers["413"])
    _with_gateway(answers["503"])
    if "gone" in operation.problems:
        for its in answers.values():
            if "X-Request-Id" in its["headers"]:
                its["headers"] |= {name: header(name) for name in ("Deprecation", "Sunset", "Link")}
    return dict(sorted(answers.items()))


def _problems(status: int, codes: Iterable[str]) -> Schema:
    codes = list(codes)
    headers = ["X-Request-Id", *(["Retry-After"] if status in _AGAIN else []), *(["ETag"] if status in _TAGGED else [])]
    return {
        "description": " ".join(f"`{code}`: {PROBLEMS[code].when}" for code in codes),
        "headers": {name: header(name) for name in headers},
        "content": {
            PROBLEM_JSON: {
                "schema": one_of(codes),
                "examples": {code: {"summary": code, "value": example_of(code)} for code in codes},
            }
        },
    }


def _of_gateway(text: str) -> Schema:
    return _with_gateway({"description": text, "headers": {}, "content": {}})


def _with_gateway(answer: Schema) -> Schema:
    """The same answer, which may also be one of API Gateway itself."""
    answer["content"]["application/json"] = {"schema": ref("GatewayMessage")}
    return answer


def _scheme() -> Schema:
    actions = ", ".join(f"`{action}`" for action in Action)
    return {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": f"A key of `afluente keys create`. It has actions ({actions}), domains and patterns of sources.",
    }


def _headers() -> dict[str, Schema]:
    def text(description: str, **schema: Any) -> Schema:
        return {"description": description, "schema": {"type": "string", **schema}}

    return {
        "X-Request-Id": text("The id of the request, for the operators."),
        "Location": text("The path of the new job or of the constraints."),
        "ETag": text("The version of the content."),
        "Cache-Control": text("How long the content may be kept."),
        "Retry-After": {
            "description": "Seconds until the same request may be sent again.",
            "schema": {"type": "integer", "minimum": 0},
        },
        "RateLimit-Policy": text(
            "The limits of the request (draft-ietf-httpapi-ratelimit-headers-11).",
            examples=['"key-requests";q=1000;w=2, "key-points";q=200000;w=4;qu="points"'],
        ),
        "RateLimit": text(
            "The rest of the limits, and seconds until they are full again.",
            examples=['"key-requests";r=998;t=1, "key-points";r=199900;t=1'],
        ),
        "Deprecation": text("Since when clients should move (RFC 9745).", pattern="^@[0-9]+$"),
        "Sunset": text("The end of the call (RFC 8594)."),
        "Link": text("The route to use instead, and a guide."),
    }
