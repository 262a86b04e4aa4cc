"""Routes of points, CSV files and their jobs."""

from collections.abc import Mapping

from afluente.adapters.codecs.csv.options import MAX_OPTIONS_BYTES, CSVIngestConfig
from afluente.adapters.codecs.json_documents import MAX_DEPTH
from afluente.adapters.codecs.json_points import JsonPoint
from afluente.adapters.http.csv_forms import MAX_CSV_BODY_BYTES
from afluente.adapters.http.csv_jobs import EARLIEST, LATEST
from afluente.adapters.http.csv_uploads import MAX_FILE_NAME_BYTES, MAX_UPLOAD_ID_LENGTH
from afluente.adapters.http.points import MAX_POINTS, PointFault, PointsBody, Receipt
from afluente.adapters.http.requests import MAX_BODY_BYTES
from afluente.application.csv.faults import JobFailure
from afluente.application.csv.files import NO_DOMAIN
from afluente.application.csv.listing import MAX_PAGE, JobQuery
from afluente.application.csv.progress import FIRST_OF_EACH, MAX_NAMED_STREAMS, ShownRow
from afluente.application.csv.reports import ErrorReport, JobReport
from afluente.application.csv.uploads import MAX_FILE_BYTES, MAX_PARTS, MAX_PUT_BYTES
from afluente.application.ingest.rejection import MAX_LISTED_BYTES, Omitted
from afluente.domain.stream_keys import MISSING_SOURCE
from apidoc import examples, forms
from apidoc.operations import BODY_PROBLEMS, CONTENT_ENCODING, JSON, TEXT, Operation, answer, examples_of, parameter
from apidoc.schemas import DOMAIN, JOB_ID, PART, Record, Schema, ref, schema_of_model

_X_DOMAIN = parameter("X-Domain", "header", TEXT | DOMAIN, "The domain, if the body has none.")
_X_SOURCE_ID = parameter("X-Source-ID", "header", TEXT | PART, "The source, if the body has none.")
_JOB_ID = parameter("job_id", "path", JOB_ID, "The id of the job.")

_BODY_TEXT = f"A body has at most {MAX_BODY_BYTES:,} bytes, unpacked, and {MAX_DEPTH} levels."

# --- points ----------------------------------------------------------------------------------------------------------

_POINTS = Operation(
    tag="Points",
    summary="Send points",
    text=(
        f"Accepts 1 to {MAX_POINTS:,} points of one source. Good ones are queued even if others have faults; sending a "
        "request again is safe. A request has its domain in the body or in the header X-Domain, and its source in the "
        f"same way; without a source it is `{MISSING_SOURCE}`. {_BODY_TEXT}"
    ),
    parameters=(_X_DOMAIN, _X_SOURCE_ID, CONTENT_ENCODING),
    body={JSON: {"schema": ref("PointsRequest"), "examples": examples_of(examples.POINTS)}},
    answers={
        202: answer(
            "At least one point is queued for certain; `rejected` has those that are not, and their faults. "
            f"It has at most {MAX_LISTED_BYTES:,} bytes; `omitted` counts the points and faults beyond.",
            ref("Receipt"),
            example={"inserted": 2, "rejected": [], "request_id": "JKJaXmPLvHcESHA="},
        )
    },
    problems=(*BODY_PROBLEMS, "too_many_points", "over_the_burst", "all_points_rejected"),
)

# --- CSV files -------------------------------------------------------------------------------------------------------

_JOB_EXAMPLE = {
    "job_id": "46a8ceb4d8f5b0f4b9dd8d55",
    "status": "complete",
    "domain": "iot",
    "source_id": "oven-1",
    "file": "march.csv",
    "created_at": 1795580000.25,
    "updated_at": 1795580001.5,
    "rows_read": 3,
    "points_queued": 2,
    "rows_rejected": 1,
    "bytes_done": 82,
    "bytes_total": 82,
    "streams": {"oven-1:temperature": 2},
    "first_timestamp": 1770973200.0,
    "last_timestamp": 1770973260.0,
    "errors": [
        {
            "code": "not_a_number",
            "count": 1,
            "first": [
                {
                    "line": 4,
                    "row": "2026-02-13 10:02;hot",
                    "message": "'hot' is not a number",
                    "column": "temperature",
                }
            ],
        }
    ],
    "started_at": 1795580000.75,
    "finished_at": 1795580001.5,
    "options": {"delimiter": ";", "timezone": "Europe/Madrid"},
    "options_from": "request",
}

_CREATE_JOB = Operation(
    tag="CSV files",
    summary="Send a CSV file",
    text=(
        f"Accepts a form with a file, of at most {MAX_CSV_BODY_BYTES:,} bytes together, and begins its job. Options "
        "that are not given are inferred from the file. An empty field counts as left out."
    ),
    parameters=(_X_DOMAIN, _X_SOURCE_ID),
    body={
        "multipart/form-data": {
            "schema": ref("CsvForm"),
            "encoding": {"options": {"contentType": JSON}},
        }
    },
    answers={202: answer("The file is kept, and its job queued.", ref("JobReport"), "Location", example=_JOB_EXAMPLE)},
    problems=(
        "malformed_multipart",
        "invalid_request",
        "body_too_large",
        "file_too_large",
        "unsupported_media_type",
        "unsupported_content_encoding",
        "unsupported_file",
        "empty_file",
    ),
)

_UPLOAD_EXAMPLE = {
    "job_id": "1f0e7c5a94c1b0db1f2a7a66",
    "status": "awaiting_upload",
    "upload": {"method": "PUT", "url": "https://bucket.example/inbox/iot/oven-2", "expires_at": 1795583600.5},
}

_CREATE_UPLOAD = Operation(
    tag="CSV files",
    summary="Begin the upload of a CSV file of any size",
    text=(
        "Begins the job of a file, and answers with the URLs of its upload: a file of at most "
        f"{MAX_PUT_BYTES:,} bytes by one PUT, a larger one, whose size is required, in parts. {_BODY_TEXT}"
    ),
    parameters=(_X_DOMAIN, _X_SOURCE_ID, CONTENT_ENCODING),
    body={JSON: {"schema": ref("Announcement"), "examples": examples_of({"iot": examples.ANNOUNCEMENT})}},
    answers={
        201: answer("The job awaits its file.", ref("UploadBegun"), "Location", example=_UPLOAD_EXAMPLE),
    },
    problems=(*BODY_PROBLEMS, "file_too_large", "unsupported_file", "empty_file"),
)

_RENEW_UPLOAD = Operation(
    tag="CSV files",
    summary="Get new URLs for an upload",
    text="As long as the job awaits its file. Uploaded parts stay. `size` and `upload_id` are those of the upload.",
    parameters=(_JOB_ID, CONTENT_ENCODING),
    body={JSON: {"schema": ref("Renewal"), "example": {"size": 32212254720, "upload_id": "VXBsb2FkIElE"}}},
    answers={200: answer("The same upload by new URLs.", ref("UploadBegun"), example=_UPLOAD_EXAMPLE)},
    problems=(*BODY_PROBLEMS, "file_too_large", "not_found", "job_has_its_file"),
)

_LIST_JOBS = Operation(
    tag="CSV files",
    summary="List CSV jobs",
    text="The newest first. A page may have fewer jobs than `limit`, even none, and a `next` all the same.",
    parameters=(
        parameter(
            "domain",
            "query",
            TEXT | {"pattern": f"{DOMAIN['pattern'][:-1]}$|^{NO_DOMAIN}$"},
            f"Of the jobs. `{NO_DOMAIN}` has files that were dropped under no domain.",
        ),
        parameter("source_id", "query", TEXT | PART, "Of the jobs."),
        parameter("status", "query", ref("JobStatus"), "Of the jobs."),
        parameter(
            "limit",
            "query",
            {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": JobQuery().limit},
            "The most of a page.",
        ),
        parameter(
            "before",
            "query",
            {"type": "number", "minimum": EARLIEST, "maximum": LATEST},
            "The value of `next` in an answer.",
        ),
    ),
    answers={
        200: answer(
            "A page of jobs.",
            ref("JobList"),
            example={
                "jobs": [{name: value for name, value in _JOB_EXAMPLE.items() if name != "options"}],
                "next": {"before": 1795580000.25},
            },
        )
    },
    problems=("invalid_request",),
)

_GET_JOB = Operation(
    tag="CSV files",
    summary="Look at a CSV job",
    text="Its progress, and the faults of rejected rows.",
    parameters=(_JOB_ID,),
    answers={200: answer("The job.", ref("JobReport"), example=_JOB_EXAMPLE)},
    problems=("not_found",),
)

_CANCEL_JOB = Operation(
    tag="CSV files",
    summary="Cancel a CSV job",
    text="The service stops reading; queued points stay queued. A cancelled job is answered in the same way.",
    parameters=(_JOB_ID,),
    answers={200: answer("The job.", ref("JobReport"), example=_JOB_EXAMPLE | {"status": "cancelled"})},
    problems=("not_found", "job_has_ended"),
)

INGEST_OPERATIONS: Mapping[str, Operation] = {
    "IngestDatapoints": _POINTS,
    "CreateCsvJob": _CREATE_JOB,
    "CreateCsvUpload": _CREATE_UPLOAD,
    "RenewCsvUpload": _RENEW_UPLOAD,
    "ListCsvJobs": _LIST_JOBS,
    "GetCsvJob": _GET_JOB,
    "CancelCsvJob": _CANCEL_JOB,
}
"""By the name of the route."""

# --- schemas ---------------------------------------------------------------------------------------------------------

_SIZE: Schema = {"minimum": 1, "maximum": MAX_FILE_BYTES}
_UPLOAD_ID: Schema = {"minLength": 1, "maxLength": MAX_UPLOAD_ID_LENGTH, "pattern": "^[!-~]+$"}
_MORE_OPTIONS = f"Options for reading the file; at most {MAX_OPTIONS_BYTES:,} bytes as compact JSON."
_FILE_NAME = f"its name has at most {MAX_FILE_NAME_BYTES} bytes in UTF-8, and ends with .csv, .csv.gz or .csv.zst"

INGEST_RECORDS = (
    Record(
        type=PointsBody,
        name="PointsRequest",
        limits={"datapoints": {"minItems": 1, "maxItems": MAX_POINTS}},
    ),
    Record(type=JsonPoint, name="Point"),
    Record(type=Receipt, name="Receipt", is_answer=True, limits={"inserted": {"minimum": 0, "maximum": MAX_POINTS}}),
    Record(type=Omitted, name="Omitted", is_answer=True),
    Record(type=PointFault, name="PointFault", is_answer=True, limits={"index": {"minimum": 0}}),
    Record(
        type=JobReport,
        name="JobReport",
        is_answer=True,
        unlimited=frozenset({"domain", "source_id"}),
        limits={
            "domain": {"description": f"Of its points; `{NO_DOMAIN}` where the key of the file names none."},
            "streams": {
                "maxProperties": MAX_NAMED_STREAMS,
                "description": f"Points of each stream, of the first {MAX_NAMED_STREAMS:,}.",
            },
            "rejects_url": {"description": "The rejected rows as a CSV file; for an hour, without a key."},
        },
    ),
    Record(type=ErrorReport, name="ErrorReport", is_answer=True),
    Record(type=ShownRow, name="ShownRow", is_answer=True, limits={"line": {"minimum": 1}}),
    Record(type=JobFailure, name="JobFailure", is_answer=True),
    Record(type=forms.Announcement, name="Announcement", closed=True, limits={"size": _SIZE}),
    Record(type=forms.Renewal, name="Renewal", closed=True, limits={"size": _SIZE, "upload_id": _UPLOAD_ID}),
    Record(type=forms.UploadAtOnce, name="UploadAtOnce", is_answer=True),
    Record(
        type=forms.UploadInParts,
        name="UploadInParts",
        is_answer=True,
        limits={"part_urls": {"minItems": 1, "maxItems": MAX_PARTS}},
    ),
    Record(type=forms.UploadBegun, name="UploadBegun", is_answer=True),
    Record(type=forms.Next, name="Next", is_answer=True),
    Record(type=forms.JobList, name="JobList", is_answer=True, limits={"jobs": {"maxItems": MAX_PAGE}}),
)


def complete(found: dict[str, Schema]) -> dict[str, Schema]:
    """Complete the schemas of the records."""
    options = schema_of_model(CSVIngestConfig, without=("domain", "source_id"))
    found["CsvOptions"] = options | {"title": "CsvOptions"}
    found["CsvForm"] = _csv_form(options)
    found["Announcement"] = _announcement(found["Announcement"], options)
    found["UploadBegun"]["properties"]["upload"] = {
        "oneOf": [ref("UploadAtOnce"), ref("UploadInParts")],
        "description": "How the file is uploaded.",
    }
    found["JobReport"]["properties"]["errors"]["description"] = (
        f"Faults of rows: each with its code, its count, and the first {FIRST_OF_EACH} rows."
    )
    return found


def _announcement(schema: Schema, options: Schema) -> Schema:
    own = schema["properties"]
    own["options"] = {"anyOf": [ref("CsvOptions"), {"type": "null"}], "description": _MORE_OPTIONS}
    own["file"]["description"] = f"The name of the file; of a path the last part counts, and {_FILE_NAME}."
    return schema | {"properties": own | options["properties"]}


def _csv_form(options: Schema) -> Schema:
    own: Schema = {
        "file": {
            "type": "string",
            "format": "binary",
            "description": f"The file, with its name; {_FILE_NAME}.",
        },
        "domain": TEXT | DOMAIN | {"description": "Of its points; may be given by the header X-Domain."},
        "source_id": TEXT | PART | {"description": "Of its points; may be given by the header X-Source-ID."},
        "options": ref("CsvOptions") | {"description": _MORE_OPTIONS},
    }
    return {
        "title": "CsvForm",
        "description": "A CSV file, and options for reading it; each option may also be a field of its own.",
        "type": "object",
        "properties": own | options["properties"],
        "required": ["file"],
        "additionalProperties": False,
    }
