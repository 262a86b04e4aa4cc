"""Routes that describe the service itself."""

from collections.abc import Mapping

from apidoc import forms
from apidoc.operations import TEXT, Operation, answer, header, parameter
from apidoc.schemas import Record, Schema, ref

_HEALTH = Operation(
    tag="Service",
    summary="Ask whether the service answers",
    text="The answer holds nothing of its data.",
    answers={
        200: answer("It answers.", ref("Health"), example={"status": "ok", "service": "afluente", "version": "0.1.0"})
    },
)

_FRESH = ("ETag", "Cache-Control")
_UNCHANGED: Schema = {
    "description": "It is of the version in `If-None-Match`.",
    "headers": {name: header(name) for name in ("X-Request-Id", *_FRESH)},
}
_IF_NONE_MATCH = parameter("If-None-Match", "header", TEXT, "The ETag of a cached answer.")

_GET_OPENAPI = Operation(
    tag="Service",
    summary="Get this document",
    text="OpenAPI 3.1.",
    parameters=(_IF_NONE_MATCH,),
    answers={200: answer("The document.", {"type": "object"}, *_FRESH), 304: _UNCHANGED},
)

_GET_ASYNCAPI = Operation(
    tag="Service",
    summary="Get the document of WebSocket and MQTT",
    text="AsyncAPI 3.0.",
    parameters=(_IF_NONE_MATCH,),
    answers={200: answer("The document.", {"type": "object"}, *_FRESH), 304: _UNCHANGED},
)

_GET_DOCS = Operation(
    tag="Service",
    summary="Look at this document",
    text="A page that shows this document and tries its routes. It needs nothing from elsewhere.",
    parameters=(_IF_NONE_MATCH,),
    answers={200: answer("The page.", TEXT, *_FRESH, media_type="text/html"), 304: _UNCHANGED},
)

SERVICE_OPERATIONS: Mapping[str, Operation] = {
    "Health": _HEALTH,
    "GetOpenapi": _GET_OPENAPI,
    "GetAsyncapi": _GET_ASYNCAPI,
    "GetDocs": _GET_DOCS,
}
"""By the name of the route."""

SERVICE_RECORDS = (
    Record(type=forms.Health, name="Health", is_answer=True),
    Record(type=forms.GatewayMessage, name="GatewayMessage", is_answer=True),
)
