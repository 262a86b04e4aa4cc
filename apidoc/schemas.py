"""JSON Schemas of records, with the limits of the domain and descriptions from the docstrings of the records."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel

from afluente.adapters.http.csv_jobs import JOB_ID_PATTERN
from afluente.domain.datapoints import (
    MAX_FUTURE_SECONDS,
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_SEQUENCE,
    MAX_TIMESTAMP,
    MIN_TIMESTAMP,
)
from afluente.domain.stream_keys import DOMAIN_PATTERN, FORBIDDEN_CHARACTERS, MAX_PART_LENGTH

Schema = dict[str, Any]

REF = "#/components/schemas/"

_LARGEST = 1.7976931348623157e308

PART: Schema = {
    "minLength": 1,
    "maxLength": MAX_PART_LENGTH,
    "pattern": f"^[^${FORBIDDEN_CHARACTERS}][^{FORBIDDEN_CHARACTERS}]*$",
}
"""A source id, a stream id or a stream type."""

DOMAIN: Schema = {"pattern": f"^{DOMAIN_PATTERN}$"}
"""The name of a domain; each stage has its open domains."""

NUMBER: Schema = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
"""A finite number that a double can hold."""

JOB_ID: Schema = {"type": "string", "pattern": f"^{JOB_ID_PATTERN}$"}

_TIME: Schema = {"minimum": MIN_TIMESTAMP, "maximum": MAX_TIMESTAMP}

LIMITS: Mapping[str, Schema] = {
    "stream_id": PART,
    "source_id": PART,
    "stream_type": PART,
    "domain": DOMAIN,
    "value": {"minimum": -_LARGEST, "maximum": _LARGEST},
    "timestamp": _TIME | {
        "description": "The time of the measurement, in Unix seconds, with or without decimals; at most "
        f"{MAX_FUTURE_SECONDS:.0f} s ahead of the service's clock.",
    },
    "sequence": {"minimum": 0, "maximum": MAX_SEQUENCE},
    "metadata": {
        "description": f"Anything else; at most {MAX_METADATA_BYTES} bytes as compact JSON, and {MAX_METADATA_DEPTH} "
        "levels deep.",
    },
    "job_id": {"pattern": f"^{JOB_ID_PATTERN}$"},
}  # fmt: skip
"""Limits of fields by their names, in whatever record they are."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a record.

    Attributes:
        type: the record.
        name: in the documents.
        is_answer: True if the service writes it: a field is then there unless it is left out by default, and one that
            is left out is not null.
        limits: of its fields, beyond those that every field of such a name has.
        unlimited: fields to which the limits of their names do not apply.
        closed: True if an unknown field is a fault.
    """

    type: type
    name: str
    is_answer: bool = False
    limits: Mapping[str, Schema] = {}
    unlimited: frozenset[str] = frozenset()
    closed: bool = False


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": REF + name}


def schemas_of(records: Iterable[Record]) -> dict[str, Schema]:
    """The schemas of records, and of all records and enumerations that their fields are of."""
    records = list(records)
    _, found = msgspec.json.schema_components([record.type for record in records], ref_template=REF + "{name}")
    described = {record.type.__name__: record for record in records}
    names = {own: described[own].name if own in described else own for own in found}
    return {
        names[own]: _renamed(_described(schema, described.get(own)), names) | {"title": names[own]}
        for own, schema in found.items()
    }


def schema_of_model(model: type[BaseModel], *, without: Iterable[str] = ()) -> Schema:
    """The schema of a Pydantic model whose fields may all be null, as if left out."""
    schema = model.model_json_schema()
    text, fields = documentation_of(model)
    properties = {
        name: {key: value for key, value in its.items() if key != "title" and (key, value) != ("default", None)}
        | ({"description": fields[name]} if name in fields else {})
        for name, its in schema["properties"].items()
        if name not in set(without)
    }
    return schema | {"description": text, "properties": properties}


def documentation_of(documented: type) -> tuple[str, dict[str, str]]:
    """The descriptions of a record and of its fields, by their docstrings; of inherited fields that of the base."""
    fields: dict[str, str] = {}
    text = ""
    for base in reversed(documented.__mro__):
        text, its = _documentation_in(base.__doc__ or "")
        fields |= its
    return text, fields


def _documentation_in(docstring: str) -> tuple[str, dict[str, str]]:
    text = inspect.cleandoc(docstring)
    about, *sections = re.split(r"\n\n(?=[A-Z]\w+:\n)", text)
    fields: dict[str, str] = {}
    for section in sections:
        heading, _, lines = section.partition("\n")
        if heading != "Attributes:":
            continue
        for entry in re.split(r"\n(?= {4}\S)", lines):
            names, _, described = entry.partition(":")
            described = _sentence(" ".join(described.split()))
            fields |= dict.fromkeys((name.strip() for name in names.split(",")), described)
    return _sentence(" ".join(about.split())), fields


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")


def _described(schema: Schema, record: Record | None) -> Schema:
    schema = dict(schema)
    if "enum" in schema:
        schema["type"] = "string"
        return schema
    text, fields = documentation_of(record.type) if record else _documentation_in(schema.get("description", ""))
    properties = {
        name: _property(name, its, fields.get(name), record) for name, its in schema.get("properties", {}).items()
    }
    schema |= {"description": text, "properties": properties}
    required = _required(schema, record)
    schema.pop("required", None)
    if required:
        schema["required"] = required
    if record and record.closed:
        schema["additionalProperties"] = False
    return schema


def _required(schema: Schema, record: Record | None) -> list[str]:
    required = list(schema.get("required", ()))
    if not record or not record.is_answer or record.type.__struct_config__.omit_defaults:  # type: ignore[attr-defined]
        return required
    written = [its.encode_name for its in msgspec.structs.fields(record.type) if its.default is not msgspec.UNSET]
    # The tag of a message is no field of its record.
    return list(dict.fromkeys([*required, *written]))


def _property(name: str, schema: Schema, described: str | None, record: Record | None) -> Schema:
    schema = dict(schema)
    if schema.get("default", ...) is None:
        schema.pop("default")
        if record and record.is_answer and record.type.__struct_config__.omit_defaults:  # type: ignore[attr-defined]
            (schema,) = (its for its in schema["anyOf"] if its != {"type": "null"})
            schema = dict(schema)
    own = record.limits.get(name, {}) if record else {}
    limited = {} if record and name in record.unlimited else LIMITS.get(name, {})
    limits = limited | own
    description = {"description": described} if described else {}
    if "anyOf" in schema:
        keywords = {key: value for key, value in limits.items() if key != "description"}
        schema["anyOf"] = [its if its == {"type": "null"} else its | keywords for its in schema["anyOf"]]
        limits = {key: value for key, value in limits.items() if key == "description"}
    return schema | description | limits


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(its, names) for key, its in value.items()}
    if isinstance(value, list):
        return [_renamed(its, names) for its in value]
    if isinstance(value, str) and value.startswith(REF):
        return REF + names[value.removeprefix(REF)]
    return value
