"""Problems (RFC 9457): the meaning of each code, its status, and its members beside the common ones."""

from collections.abc import Iterable, Mapping

import msgspec

from afluente.adapters.http.answers import PROBLEM_TYPE, TITLES
from afluente.application.csv.jobs import JobStatus
from afluente.application.limits.rules import Dimension, Subject
from apidoc.schemas import REF, Schema, ref


class Problem(msgspec.Struct, frozen=True):
    """A problem of a code.

    Attributes:
        status: of the answer.
        when: the service answers so.
        members: beside those of every problem, by name.
        may_have: which of them may be missing.
    """

    status: int
    when: str
    members: Mapping[str, Schema] = {}
    may_have: frozenset[str] = frozenset()


_FAULTS: Schema = {
    "type": "array",
    "minItems": 1,
    "items": ref("Fault"),
    "description": "All faults, not only the first.",
}
_JOB_STATUS: Schema = {
    "type": "string",
    "enum": sorted(JobStatus),
    "description": "The status of the job.",
}

_LIMIT: Schema = {
    "type": "object",
    "description": "The limit that was exceeded.",
    "examples": [
        {
            "subject": "key",
            "name": "ukzumrtw",
            "dimension": "points",
            "limit": 200000,
            "per_second": 50000,
            "needed": 1000,
        }
    ],
    "required": ["subject", "name", "dimension", "limit", "needed"],
    "properties": {
        "subject": {"type": "string", "enum": sorted(Subject), "description": "The kind of its subject."},
        "name": {"type": "string", "description": "The name of its subject."},
        "dimension": {
            "type": "string",
            "enum": sorted(Dimension),
            "description": "The dimension that is counted.",
        },
        "limit": {
            "type": "integer",
            "minimum": 0,
            "description": "The most at once, or on one day.",
        },
        "per_second": {
            "type": "number",
            "description": "The steady rate; a limit of a day has none.",
        },
        "needed": {"type": "integer", "minimum": 1, "description": "The need of the request."},
        "retry_after": {
            "type": "integer",
            "minimum": 1,
            "description": "Seconds until the request would go through.",
        },
    },
}

PROBLEMS: Mapping[str, Problem] = {
    "malformed_json": Problem(
        400,
        "The body is no JSON, is no UTF-8, or nests too deeply.",
        {"offset": {"type": "integer", "minimum": 0, "description": "The byte at which it is wrong."}},
        frozenset({"offset"}),
    ),
    "malformed_gzip": Problem(400, "The body has Content-Encoding: gzip and is not, or was cut off."),
    "malformed_multipart": Problem(400, "The form cannot be read, or its Content-Type names no boundary."),
    "invalid_request": Problem(
        400, "Fields or parameters are missing, not of the form, or contradict each other.", {"errors": _FAULTS}
    ),
    "unauthorized": Problem(401, "The key is unknown, expired or revoked."),
    "forbidden": Problem(
        403,
        "The key is valid, but not for this request.",
        {
            "missing_scope": {
                "type": "string",
                "pattern": "^(action|domain|source):",
                "description": "The scope that the key lacks: `action:…`, `domain:…` or `source:…`.",
            }
        },
    ),
    "around_the_front": Problem(
        403, "The stage has a front before the API, and the request bypassed it: use its address."
    ),
    "not_found": Problem(404, "There is no such resource, or none that the key reaches: both are answered alike."),
    "method_not_allowed": Problem(405, "The path takes another method; the header Allow names it."),
    "job_has_ended": Problem(409, "The job ended already, and cannot be cancelled.", {"job_status": _JOB_STATUS}),
    "job_has_its_file": Problem(409, "The job awaits no file any more.", {"job_status": _JOB_STATUS}),
    "gone": Problem(410, "The stage no longer accepts packets of the legacy service."),
    "precondition_failed": Problem(
        412,
        "The constraints are of another version than the request is for; the header ETag names theirs.",
        {
            "current_version": {
                "type": ["integer", "null"],
                "description": "The version that is in force; null where there are no constraints.",
            }
        },
    ),
    "version_cannot_hold": Problem(
        409, "The version is a deletion, or today's checks reject its constraints.", {"errors": _FAULTS}
    ),
    "too_many_entries": Problem(413, "The request has too many entries."),
    "body_too_large": Problem(413, "The body is too large, unpacked."),
    "file_too_large": Problem(413, "The file is too large."),
    "too_many_points": Problem(413, "The request has too many points."),
    "unsupported_media_type": Problem(415, "The Content-Type is not accepted."),
    "unsupported_content_encoding": Problem(415, "The Content-Encoding is not accepted."),
    "all_points_rejected": Problem(
        422,
        "Each point has a fault; none is queued.",
        {
            "inserted": {"type": "integer", "const": 0},
            "rejected": {"type": "array", "minItems": 1, "items": ref("PointFault")},
            "omitted": ref("Omitted"),
        },
        frozenset({"omitted"}),
    ),
    "unsupported_file": Problem(422, "The file is no CSV file by its name."),
    "empty_file": Problem(422, "The file has no byte."),
    "over_the_burst": Problem(
        413,
        "The request has more points than a limit ever allows at once, as `limit` shows.",
        {"limit": _LIMIT},
    ),
    "rate_limited": Problem(
        429,
        "A limit of the address, the key or the source is exceeded, as `limit` shows. Retrying the request, after the "
        "seconds in Retry-After, is safe.",
        {
            "limit": _LIMIT,
            "violated-policies": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string"},
                "examples": [["key-points"]],
                "description": "Names of the limit in the header fields RateLimit-Policy and RateLimit.",
            },
        },
    ),
    "unavailable": Problem(
        503, "A dependency does not answer. Retrying the request, after the seconds in Retry-After, is safe."
    ),
}


def name_of(code: str) -> str:
    """The name of a problem's schema in the documents."""
    return f"{''.join(word.capitalize() for word in code.split('_'))}Problem"


def schemas_of_problems() -> dict[str, Schema]:
    """The schema of each problem."""
    return {name_of(code): _schema(code, problem) for code, problem in PROBLEMS.items()}


def one_of(codes: Iterable[str]) -> Schema:
    """Any of these problems."""
    codes = list(codes)
    if len(codes) == 1:
        return ref(name_of(codes[0]))
    mapping = {code: REF + name_of(code) for code in codes}
    return {
        "oneOf": [ref(name_of(code)) for code in codes],
        "discriminator": {"propertyName": "code", "mapping": mapping},
    }


def example_of(code: str) -> dict[str, object]:
    """An example of a problem."""
    problem = PROBLEMS[code]
    return {
        "type": PROBLEM_TYPE + code,
        "title": TITLES[code],
        "status": problem.status,
        "detail": problem.when,
        "code": code,
        "request_id": "JKJaXmPLvHcESHA=",
        **{name: _example(member) for name, member in problem.members.items()},
    }


def _schema(code: str, problem: Problem) -> Schema:
    common: dict[str, Schema] = {
        "type": {"type": "string", "const": PROBLEM_TYPE + code},
        "title": {"type": "string", "const": TITLES[code]},
        "status": {"type": "integer", "const": problem.status},
        "detail": {"type": "string", "description": "The fault of this request with a hint, for people."},
        "code": {"type": "string", "const": code},
        "request_id": {"type": "string", "description": "The id of the request, for the operators."},
    }
    properties = common | dict(problem.members)
    return {
        "title": name_of(code),
        "description": problem.when,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in problem.may_have],
    }


_EXAMPLES = {
    "Fault": {"code": "missing", "field": "domain", "message": "is required, in the body or as the header X-Domain"},
    "PointFault": {"index": 0, "code": "wrong_type", "field": "value", "message": "must be a number, not a string"},
    "Omitted": {"points": 11_000, "faults": 11_000, "by_code": {"wrong_type": 11_000}},
}


def _example(member: Schema) -> object:
    if "examples" in member:
        return member["examples"][0]
    if "$ref" in member:
        return _EXAMPLES[member["$ref"].removeprefix(REF)]
    if "items" in member:
        return [_EXAMPLES[member["items"]["$ref"].removeprefix(REF)]]
    if "const" in member:
        return member["const"]
    if "enum" in member:
        return member["enum"][0]
    return "source:oven-1" if member["type"] == "string" else 57
