"""Routes of constraints: read, write and delete them, one or many; show their history, and roll back."""

from collections.abc import Mapping

from afluente.adapters.http.constraint_bodies import MAX_ENTRIES, MAX_ENTRIES_BYTES, MAX_ENTRY_BYTES
from afluente.adapters.http.constraint_queries import DEFAULT_CHANGES, MAX_CHANGES, MAX_VERSION
from afluente.application.constraints.listing import MAX_PAGE, ConstraintsQuery
from afluente.domain.constraints import RATE_NAMES, RateConstraints, ValueConstraints
from afluente.domain.stream_keys import FORBIDDEN_CHARACTERS
from apidoc import examples, forms
from apidoc.operations import (
    BODY_PROBLEMS,
    CONTENT_ENCODING,
    JSON,
    TEXT,
    Operation,
    answer,
    examples_of,
    header,
    parameter,
)
from apidoc.schemas import DOMAIN, PART, Record, Schema, ref

_TAG = "Constraints"

# Names with other characters are in the query.
_IN_PATH = TEXT | PART | {"pattern": f"^[^$%?{FORBIDDEN_CHARACTERS}][^%?{FORBIDDEN_CHARACTERS}]*$"}
_VERSION: Schema = {"minimum": 1, "maximum": MAX_VERSION}

_DOMAIN = parameter("domain", "path", TEXT | DOMAIN, "The domain.")
_STREAM = (
    _DOMAIN,
    parameter("source_id", "path", _IN_PATH, "The source of the stream."),
    parameter("stream_id", "path", _IN_PATH, "The stream among those of the source."),
)
_TEMPLATE = (
    _DOMAIN,
    parameter("stream_type", "query", TEXT | PART, "The type of the streams; without it, all of the domain."),
    parameter("source_id", "query", TEXT | PART, "With `stream_id`: of a stream whose parts a path cannot carry."),
    parameter("stream_id", "query", TEXT | PART, "With `source_id`: of a stream whose parts a path cannot carry."),
)
_IF_MATCH = parameter("If-Match", "header", TEXT, "Only if the constraints are of one of these versions; `*` for any.")
_IF_NONE_MATCH = parameter(
    "If-None-Match", "header", TEXT, "Only if they are of none of these versions; `*` only if there are none."
)
_PAGE = (
    parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": MAX_CHANGES, "default": DEFAULT_CHANGES},
        "The most of a page.",
    ),
    parameter("before", "query", {"type": "integer"} | _VERSION, "The value of `next` in an answer."),
)

_WRITING = (_IF_MATCH, _IF_NONE_MATCH, CONTENT_ENCODING)
_BODY_TEXT = f"A body has at most {MAX_ENTRY_BYTES:,} bytes, unpacked."
_ONE = {"key": "iot/oven-1/oven-1:temperature", **examples.CONSTRAINTS["iot"], "version": 3}


def _shown(text: str, *headers: str) -> Schema:
    return answer(text, ref("Constraints"), "ETag", *headers, example=_ONE)


def _deleted(text: str) -> Schema:
    return {"description": text, "headers": {"X-Request-Id": header("X-Request-Id")}}


def _known() -> Schema:
    return {
        "description": "They are of a version that `If-None-Match` names.",
        "headers": {name: header(name) for name in ("X-Request-Id", "ETag")},
    }


def _of_scope(names: str, what: str, parameters: tuple[Schema, ...], whose: str) -> Mapping[str, Operation]:
    """The operations on the constraints of a scope, by the names of their routes, which have `names` in them."""
    bodies = {
        domain: {name: value for name, value in example.items() if what == "stream" or name != "stream_type"}
        for domain, example in examples.CONSTRAINTS.items()
    }
    return {
        f"Get{names}": Operation(
            tag=_TAG,
            summary=f"Look at the constraints of a {what}",
            text=whose,
            parameters=(*parameters, _IF_MATCH, _IF_NONE_MATCH),
            answers={200: _shown("The constraints that are in force."), 304: _known()},
            problems=("invalid_request", "not_found", "precondition_failed"),
        ),
        f"Put{names}": Operation(
            tag=_TAG,
            summary=f"Write the constraints of a {what}",
            text=(
                f"{whose} They replace the ones in force; the same ones again write nothing. With `If-Match` nobody "
                "else's change is overwritten. Constraints that cannot hold are rejected, with all their faults. "
                f"{_BODY_TEXT}"
            ),
            parameters=(*parameters, *_WRITING),
            body={JSON: {"schema": ref("ConstraintsBody"), "examples": examples_of(bodies)}},
            answers={
                200: _shown("They are in force, and replace others."),
                201: _shown("They are in force; there were none before.", "Location"),
            },
            problems=(*BODY_PROBLEMS, "precondition_failed"),
        ),
        f"Delete{names}": Operation(
            tag=_TAG,
            summary=f"Delete the constraints of a {what}",
            text=f"{whose} Their history stays.",
            parameters=(*parameters, _IF_MATCH, _IF_NONE_MATCH),
            answers={204: _deleted("They are in force no longer.")},
            problems=("invalid_request", "not_found", "precondition_failed"),
        ),
        f"Get{names}History": Operation(
            tag=_TAG,
            summary=f"Look at the history of the constraints of a {what}",
            text=f"{whose} Who changed them, when and to what, the newest change first.",
            parameters=(*parameters, *_PAGE),
            answers={
                200: answer(
                    "A page of changes.",
                    ref("ConstraintsHistory"),
                    example={
                        "key": _ONE["key"],
                        "changes": [
                            {
                                "version": 3,
                                "kind": "roll_back",
                                "at": 1795580000.25,
                                "by": "key:viitz5fn",
                                "restored": 1,
                                "constraints": {"key": _ONE["key"], **examples.CONSTRAINTS["iot"]},
                            },
                            {
                                "version": 2,
                                "kind": "delete",
                                "at": 1795570000.5,
                                "by": "key:viitz5fn",
                                "constraints": None,
                            },
                        ],
                        "next": 2,
                    },
                )
            },
            problems=("invalid_request", "not_found"),
        ),
        f"RollBack{names}": Operation(
            tag=_TAG,
            summary=f"Roll back the constraints of a {what}",
            text=f"{whose} Writes those of a version of the history again, as a new version. {_BODY_TEXT}",
            parameters=(*parameters, *_WRITING),
            body={JSON: {"schema": ref("Version"), "example": {"version": 1}}},
            answers={200: _shown("They are in force again.")},
            problems=(*BODY_PROBLEMS, "not_found", "precondition_failed", "version_cannot_hold"),
        ),
    }


_LIST = Operation(
    tag=_TAG,
    summary="List constraints",
    text="Those that the key reaches, by their scopes: of streams, and of templates where it reaches a whole domain.",
    parameters=(
        parameter("domain", "query", TEXT | DOMAIN, "Of the scopes."),
        parameter(
            "source_id",
            "query",
            # A star alone, or the beginning of source ids with a star after it, has the form of a part.
            TEXT | PART | {"maxLength": PART["maxLength"] + 1},
            "Of the streams; a `*` at the end stands for the rest of a source id.",
        ),
        parameter("stream_type", "query", TEXT | PART, "Of the constraints."),
        parameter(
            "limit",
            "query",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": ConstraintsQuery().limit},
            "The most of a page.",
        ),
        parameter("next", "query", TEXT, "The value of `next` in an answer to the same query and key."),
    ),
    answers={
        200: answer("A page of constraints.", ref("ConstraintsList"), example={"constraints": [_ONE], "next": None})
    },
    problems=("invalid_request",),
)

_APPLY = Operation(
    tag=_TAG,
    summary="Write the constraints of many streams and templates",
    text=(
        f"At most {MAX_ENTRIES:,} entries, each scope once; other scopes stay as they are. Nothing is written if "
        "one of them has a fault or is beyond the key. An entry that is in force already is not written. A body "
        f"has at most {MAX_ENTRIES_BYTES:,} bytes, unpacked. After a 503 some may be written: send all again."
    ),
    parameters=(CONTENT_ENCODING,),
    body={
        JSON: {
            "schema": ref("ConstraintsDocument"),
            "examples": examples_of(
                {
                    domain: {"streams": [{"domain": domain, **example}]}
                    for domain, example in examples.CONSTRAINTS.items()
                }
            ),
        }
    },
    answers={
        200: answer(
            "All of them are in force.",
            ref("ConstraintsApplied"),
            example={"results": [{"key": _ONE["key"], "result": "updated", "version": 3}]},
        )
    },
    problems=(*BODY_PROBLEMS, "too_many_entries"),
)

_OF_A_TEMPLATE = (
    "Of all streams of a domain, or of one type, that have none of their own; the key has to reach all sources of the "
    "domain. With `source_id` and `stream_id` the path is that of a stream, whose names another path cannot carry."
)

CONSTRAINT_OPERATIONS: Mapping[str, Operation] = {
    "ListConstraints": _LIST,
    "ApplyConstraints": _APPLY,
    **_of_scope("Constraints", "stream", _STREAM, "Of one stream."),
    **_of_scope("ConstraintsTemplate", "template", _TEMPLATE, _OF_A_TEMPLATE),
}
"""By the name of the route."""

_AT_LEAST_ONE: Schema = {"minimum": 1}
_NOT_NEGATIVE: Schema = {"minimum": 0}
_SETTINGS: Mapping[str, Schema] = {
    "consecutive_violations_required": _AT_LEAST_ONE,
    "cooldown_seconds": _NOT_NEGATIVE,
}

CONSTRAINT_RECORDS = (
    Record(type=ValueConstraints, name="ValueConstraints"),
    Record(type=RateConstraints, name="RateConstraints", limits=dict.fromkeys(RATE_NAMES, _NOT_NEGATIVE)),
    Record(type=forms.ConstraintsBody, name="ConstraintsBody", closed=True, limits=_SETTINGS),
    Record(type=forms.ConstraintsEntry, name="ConstraintsEntry", closed=True, limits=_SETTINGS),
    Record(type=forms.ConstraintsShown, name="Constraints", is_answer=True, limits=_SETTINGS),
    Record(
        type=forms.ConstraintsList,
        name="ConstraintsList",
        is_answer=True,
        limits={"constraints": {"maxItems": MAX_PAGE}},
    ),
    Record(type=forms.Version, name="Version", closed=True, limits={"version": _VERSION}),
    Record(type=forms.ConstraintsEffect, name="ConstraintsEffect", is_answer=True),
    Record(
        type=forms.ConstraintsApplied,
        name="ConstraintsApplied",
        is_answer=True,
        limits={"results": {"maxItems": MAX_ENTRIES}},
    ),
    Record(type=forms.ConstraintsChanged, name="ConstraintsChange", is_answer=True),
    Record(
        type=forms.ConstraintsHistory,
        name="ConstraintsHistory",
        is_answer=True,
        limits={"changes": {"maxItems": MAX_CHANGES}},
    ),
)


def complete(found: dict[str, Schema]) -> dict[str, Schema]:
    """Complete the schemas of the records."""
    # A null in a table is a bound left out, the severity among them.
    severity = found["RateConstraints"]["properties"]["severity"]
    found["RateConstraints"]["properties"]["severity"] = {
        "anyOf": [{"$ref": severity["$ref"]}, {"type": "null"}],
        **{name: value for name, value in severity.items() if name != "$ref"},
    }
    entries: Schema = {"type": "array", "maxItems": MAX_ENTRIES, "items": ref("ConstraintsEntry")}
    found["ConstraintsDocument"] = {
        "title": "ConstraintsDocument",
        "description": "Entries, or an object that has them.",
        "oneOf": [
            {"type": "object", "properties": {"streams": entries}, "required": ["streams"]},
            entries,
        ],
    }
    return found
