"""Descriptions of routes of the HTTP API, and the parts that many of them share."""

from collections.abc import Mapping
from typing import Any

import msgspec

from apidoc.schemas import Schema

JSON = "application/json"
TEXT: Schema = {"type": "string"}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a route.

    Attributes:
        tag: the group that it is shown in.
        summary: in a few words.
        text: further description, in Markdown.
        parameters: in the path, the query and the headers, as OpenAPI has them.
        body: by media type.
        answers: of success, by status.
        problems: codes of its own, beside those that every route with a key may have.
    """

    tag: str
    summary: str
    text: str
    parameters: tuple[Schema, ...] = ()
    body: Mapping[str, Schema] = {}
    answers: Mapping[int, Schema]
    problems: tuple[str, ...] = ()


def parameter(name: str, where: str, schema: Schema, text: str, **more: Any) -> Schema:
    """A parameter; those of a path are required."""
    needed: Schema = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, "description": text, "schema": schema, **needed, **more}


def header(name: str) -> Schema:
    """A header of an answer, which the document has once."""
    return {"$ref": f"#/components/headers/{name}"}


def answer(text: str, schema: Schema, *headers: str, media_type: str = JSON, **more: Any) -> Schema:
    """An answer in JSON, with the headers of these names."""
    its = {name: header(name) for name in ("X-Request-Id", *headers)}
    return {"description": text, "headers": its, "content": {media_type: {"schema": schema, **more}}}


def examples_of(values: Mapping[str, Any]) -> Schema:
    """Examples by domain."""
    return {domain: {"summary": f"Domain {domain}", "value": value} for domain, value in values.items()}


CONTENT_ENCODING = parameter(
    "Content-Encoding",
    "header",
    TEXT | {"enum": ["gzip", "identity"], "default": "identity"},
    "How the body is packed.",
)

BODY_PROBLEMS = (
    "malformed_json",
    "malformed_gzip",
    "invalid_request",
    "body_too_large",
    "unsupported_media_type",
    "unsupported_content_encoding",
)
"""Problems of every body of JSON."""
