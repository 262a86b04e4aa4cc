"""Requests of the HTTP API about CSV files: uploads, announcements of uploads, and queries for jobs."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import msgspec
from multipart import MultipartError, MultipartParser, MultipartPart, parse_options_header

from afluente.adapters.codecs.csv.options import CSVIngestConfig, option_faults
from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.http.errors import RequestError, invalid_request
from afluente.adapters.http.requests import (
    agreed,
    object_of,
    raw_body,
    reachable_domain_faults,
)
from afluente.application.access.grants import Grant
from afluente.application.csv.files import FILE_SUFFIXES, NO_DOMAIN
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.listing import MAX_PAGE, JobQuery
from afluente.application.csv.uploads import MAX_FILE_BYTES
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import domain_faults, json_type, part_faults

MAX_CSV_BODY_BYTES = 4_718_592
"""Of an upload in one request: Lambda takes 6 MB, and API Gateway hands it on as base64."""

MAX_FILE_NAME_BYTES = 255
"""Of the name of a file in UTF-8, so that its key stays within the 1,024 bytes of S3."""

MAX_OPTIONS_BYTES = 65_536
"""Of the options of a file, as compact JSON."""

JOB_ID_PATTERN = "[0-9a-f]{24}"
"""What the id of a job is."""

MAX_UPLOAD_ID_LENGTH = 1_024
"""Of the id by which S3 knows an upload in parts."""

EARLIEST, LATEST = 1.0, 1e12
"""Between what times jobs are asked for, in Unix seconds."""

_MAX_PARTS = 2_000
_FILE = "file"
_OPTIONS = "options"
_SIZE = "size"
_UPLOAD_ID = "upload_id"
_FROM_REQUEST = "request"
_MULTIPART = "multipart/form-data"
_CURL = 'curl "$API/ingest/csv" -H "X-API-Key: $AFLUENTE_API_KEY" -F domain=iot -F source_id=oven-1 -F file=@march.csv'

# Options that are several names, and those that may be written as JSON in a form.
_LISTS = frozenset({"timestamp_column", "value_columns", "null_values"})
_STRUCTURED = _LISTS | {"stream_type"}

_SEPARATORS = re.compile(r"[/\\]")
# Control characters, and lone surrogates, which no UTF-8 text can hold.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JOB_ID = re.compile(JOB_ID_PATTERN)
_S3_UPLOAD_ID = re.compile(rf"[\x21-\x7e]{{1,{MAX_UPLOAD_ID_LENGTH}}}")
_LIMIT = re.compile(r"[0-9]{1,9}")
_MAX_TOLD = 100
_MAX_TOLD_LENGTH = 1_000


class Asker(msgspec.Struct, frozen=True):
    """Who begins a job, and when.

    Attributes:
        job_id: the id that it is to have.
        grant: what it may do.
        now: the time, in Unix seconds.
    """

    job_id: str
    grant: Grant
    now: float


class Upload(msgspec.Struct, frozen=True):
    """A job, and its file."""

    job: CsvJob
    content: bytes


class Announcement(msgspec.Struct, frozen=True):
    """A job whose file is still to come, and its size in bytes where that is known."""

    job: CsvJob
    size: int | None


class Renewal(msgspec.Struct, frozen=True):
    """The upload whose URLs have expired: its size in bytes where that is known, and its id if it goes in parts."""

    size: int | None
    upload_id: str | None


class _Form(msgspec.Struct, frozen=True):
    """A form, its fields as text."""

    file: MultipartPart | None
    fields: dict[str, list[str]]


# --- uploads ---------------------------------------------------------------------------------------------------------


def decode_upload(
    body: str | None, *, is_base64: bool, headers: Mapping[str, str], domains: Collection[str], asker: Asker
) -> Upload:
    """Read a form with a file and its options.

    Args:
        body: as the event has it; None where there is none.
        is_base64: whether the event has it in base64.
        headers: by lower-case name; `x-domain` and `x-source-id` fill what the form lacks.
        domains: the domains that are open.
        asker: whose job it is to be.

    Raises:
        RequestError: 415 for what is no form, 413 for too large a body, 400 for a form that cannot be read or whose
            fields are wrong, 422 for a file that is none to be read.
    """
    raw = raw_body(body, is_base64=is_base64)
    faults: list[Fault] = []
    form = _read_form(raw, _boundary(headers), faults)
    if form.file is None:
        faults.append(Fault(FaultCode.MISSING, _FILE, "is required: the file, with its name (curl -F file=@march.csv)"))
    given = _merged(_options_document(form, faults), _values(form.fields, faults), faults)
    name = form.file.filename if form.file else None
    job = _job(name, given, headers=headers, domains=domains, asker=asker, faults=faults)
    content = form.file.raw if form.file else b""
    if not content:
        raise _empty_file(job.file)
    return Upload(job, content)


def decode_announcement(
    body: bytes, *, headers: Mapping[str, str], domains: Collection[str], asker: Asker
) -> Announcement:
    """Read what is said of a file that is still to be uploaded.

    Args:
        body: JSON, as `read_body` gives it.
        headers: by lower-case name; `x-domain` and `x-source-id` fill what the body lacks.
        domains: the domains that are open.
        asker: whose job it is to be.

    Raises:
        RequestError: 400 for what is no JSON or whose fields are wrong, 413 for too large a file, 422 for a file that
            is none to be read.
    """
    document = object_of(body)
    faults: list[Fault] = []
    name, size = document.pop(_FILE, None), document.pop(_SIZE, None)
    if name is None:
        faults.append(Fault(FaultCode.MISSING, _FILE, "is required: the name of the file"))
    faults += _size_faults(size)
    options = document.pop(_OPTIONS, None)
    given = _merged(_as_options(options, faults), document, faults)
    job = _job(name, given, headers=headers, domains=domains, asker=asker, faults=faults)
    if size == 0:
        raise _empty_file(job.file)
    _check_largest(size)
    return Announcement(job, size)


def decode_renewal(body: bytes) -> Renewal:
    """Read which upload is to go on by new URLs: `{size?, upload_id?}`.

    Args:
        body: JSON, as `read_body` gives it.

    Raises:
        RequestError: 400 for what is no JSON or whose fields are wrong, 413 for too large a file.
    """
    document = object_of(body)
    faults: list[Fault] = []
    size, upload_id = document.pop(_SIZE, None), document.pop(_UPLOAD_ID, None)
    faults += _size_faults(size)
    if upload_id is not None and (not isinstance(upload_id, str) or not _S3_UPLOAD_ID.fullmatch(upload_id)):
        faults.append(
            Fault(FaultCode.FORBIDDEN_CHARACTER, _UPLOAD_ID, "must be that of the answer that began the upload")
        )
    if upload_id is not None and not size:
        faults.append(Fault(FaultCode.MISSING, _SIZE, "is required with an upload_id: the bytes of the whole file"))
    known = f"is unknown; there are {_SIZE} and {_UPLOAD_ID}"
    faults += [Fault(FaultCode.UNKNOWN_FIELD, name, known) for name in document]
    if faults:
        raise _refused(faults)
    _check_largest(size)
    return Renewal(size, upload_id)


def _check_largest(size: int | None) -> None:
    if size is not None and size > MAX_FILE_BYTES:
        detail = f"{size} bytes are more than the {MAX_FILE_BYTES} that S3 keeps (5 TiB); send it in several files"
        raise RequestError(413, "file_too_large", detail)


def _job(
    name: object,
    given: dict[str, Any],
    *,
    headers: Mapping[str, str],
    domains: Collection[str],
    asker: Asker,
    faults: list[Fault],
) -> CsvJob:
    """The job of what is given, once there is no fault in it."""
    domain = agreed("domain", given.pop("domain", None), headers, faults)
    source_id = agreed("source_id", given.pop("source_id", None), headers, faults)
    faults += reachable_domain_faults(domain, domains, asker.grant)
    if source_id is None:
        faults.append(Fault(FaultCode.MISSING, "source_id", "is required, in the body or as the header X-Source-ID"))
    else:
        faults += part_faults("source_id", source_id)
    file = _last_part(name)
    faults += _name_faults(file)
    faults += option_faults(given) or _length_faults(given)
    if faults:
        raise _refused(faults)
    file = str(file)
    if not file.lower().endswith(FILE_SUFFIXES):
        endings = ", ".join(FILE_SUFFIXES)
        raise RequestError(422, "unsupported_file", f"the name of the file, {file!a}, must end with one of {endings}")
    options = CSVIngestConfig.model_validate(given).given()
    return CsvJob(
        job_id=asker.job_id,
        domain=str(domain),
        source_id=str(source_id),
        file=file,
        status=JobStatus.AWAITING_UPLOAD,
        created_at=asker.now,
        updated_at=asker.now,
        created_by=asker.grant.key_id,
        options=options,
        options_from=_FROM_REQUEST if options else None,
    )


# --- files -----------------------------------------------------------------------------------------------------------


def _last_part(name: object) -> object:
    """The name of a file without the folders that some clients put before it."""
    return _SEPARATORS.split(name)[-1] if isinstance(name, str) else name


def _name_faults(name: object) -> Iterable[Fault]:
    if name is None:
        return  # That it is missing is told already.
    if not isinstance(name, str):
        yield Fault(FaultCode.WRONG_TYPE, _FILE, f"must be the name of the file, not {json_type(name)}")
    elif not name:
        yield Fault(FaultCode.EMPTY, _FILE, "must have a name")
    elif forbidden := _FORBIDDEN.search(name):
        message = f"has {forbidden[0]!a} in its name; control characters and lone surrogates are not allowed"
        yield Fault(FaultCode.FORBIDDEN_CHARACTER, _FILE, message)
    elif (size := len(name.encode())) > MAX_FILE_NAME_BYTES:
        message = f"has a name of {size} bytes; {MAX_FILE_NAME_BYTES} are allowed"
        yield Fault(FaultCode.TOO_LONG, _FILE, message)


def _size_faults(size: object) -> Iterable[Fault]:
    if size is None:
        return
    if type(size) is not int:
        message = f"must be the size of the file in bytes, an integer, not {json_type(size)}"
        yield Fault(FaultCode.WRONG_TYPE, _SIZE, message)
    elif size < 0:
        yield Fault(FaultCode.NEGATIVE, _SIZE, "must not be below 0")


def _empty_file(name: str) -> RequestError:
    return RequestError(422, "empty_file", f"{name!a} has no byte; nothing was begun")


# --- options ---------------------------------------------------------------------------------------------------------


def _as_options(options: object, faults: list[Fault]) -> dict[str, Any]:
    if options is None:
        return {}
    if isinstance(options, dict):
        return options
    faults.append(Fault(FaultCode.WRONG_TYPE, _OPTIONS, f"must be an object, not {json_type(options)}"))
    return {}


def _merged(options: Mapping[str, Any], fields: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """What is given in two places, which may say the same; null is what is left out."""
    options = {name: value for name, value in options.items() if value is not None}
    fields = {name: value for name, value in fields.items() if value is not None}
    for name in sorted(options.keys() & fields.keys()):
        here, there = fields[name], options[name]
        if _meaning(name, here) != _meaning(name, there):
            message = f"is {here!a} as a field and {there!a} in the options; send one, or both alike"
            faults.append(Fault(FaultCode.CONTRADICTION, name, message))
    return fields | options


def _meaning(name: str, value: object) -> object:
    """What a value of an option says, however it is written; the value itself if it is none."""
    return value if option_faults({name: value}) else CSVIngestConfig.model_validate({name: value}).given()


def _length_faults(given: Mapping[str, Any]) -> Sequence[Fault]:
    """What keeps options from being kept with the job, whose item in DynamoDB has 400 KB."""
    size = len(msgspec.json.encode(CSVIngestConfig.model_validate(given).given()))
    if size <= MAX_OPTIONS_BYTES:
        return ()
    return (Fault(FaultCode.TOO_LONG, _OPTIONS, f"have {size} bytes as JSON; {MAX_OPTIONS_BYTES} are allowed"),)


def _refused(faults: Sequence[Fault]) -> RequestError:
    return invalid_request([_tellable(fault) for fault in faults[:_MAX_TOLD]])


def _tellable(fault: Fault) -> Fault:
    """A fault that fits an answer: what it repeats of the request may be long, and no text."""
    field, message = (
        text[:_MAX_TOLD_LENGTH].encode("utf-8", "backslashreplace").decode() for text in (fault.field, fault.message)
    )
    return Fault(fault.code, field, message)


# --- forms -----------------------------------------------------------------------------------------------------------


def _boundary(headers: Mapping[str, str]) -> str:
    media_type, parameters = parse_options_header(headers.get("content-type", ""))
    if media_type != _MULTIPART:
        detail = f"send the file as {_MULTIPART}, not {media_type or 'without a Content-Type'}, such as with {_CURL}"
        raise RequestError(415, "unsupported_media_type", detail)
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        detail = f"send the form plain, not as Content-Encoding: {coding}; the file in it may be .csv.gz or .csv.zst"
        raise RequestError(415, "unsupported_content_encoding", detail)
    boundary: str = parameters.get("boundary", "")
    if not boundary:
        raise _malformed(f"the header Content-Type names no boundary; let the client write it, such as with {_CURL}")
    return boundary


def _read_form(raw: bytes, boundary: str, faults: list[Fault]) -> _Form:
    if len(raw) > MAX_CSV_BODY_BYTES:
        detail = (
            f"the body has {len(raw)} bytes, and {MAX_CSV_BODY_BYTES} fit a request; ask POST /ingest/csv/uploads for a"
            " URL to upload the file to, or let the command `afluente csv send` do it"
        )
        raise RequestError(413, "body_too_large", detail)
    try:
        parts = MultipartParser(
            BytesIO(raw),
            boundary.encode("utf-8", "surrogatepass"),
            len(raw),
            part_limit=_MAX_PARTS,
            spool_limit=MAX_CSV_BODY_BYTES,
        ).parts()
    except MultipartError as error:
        raise _malformed(f"the body is no {_MULTIPART}: {error.args[0]}; let a client write it: {_CURL}") from error
    return _form(parts, faults)


def _form(parts: Sequence[MultipartPart], faults: list[Fault]) -> _Form:
    file: MultipartPart | None = None
    fields: dict[str, list[str]] = {}
    for part in parts:
        if part.name == _FILE:
            if file is not None:
                faults.append(Fault(FaultCode.CONTRADICTION, _FILE, "is there twice; send one file a request"))
            elif part.filename is not None:
                file = part
        elif part.name == _OPTIONS or part.name in CSVIngestConfig.model_fields:
            fields.setdefault(part.name, []).extend(_text(part, faults))
        else:
            known = ", ".join(CSVIngestConfig.model_fields)
            message = f"is no field; fields are {_FILE}, {_OPTIONS}, {known}"
            faults.append(Fault(FaultCode.UNKNOWN_FIELD, part.name or "body", message))
    return _Form(file, fields)


def _text(part: MultipartPart, faults: list[Fault]) -> Iterable[str]:
    """The text of a field; of one that is empty none, as forms have those that nobody filled in."""
    try:
        text: str = part.value
    except (UnicodeDecodeError, LookupError):
        faults.append(Fault(FaultCode.WRONG_TYPE, part.name, f"is no text in {part.charset!a}"))
        return ()
    return (text,) if text else ()


def _options_document(form: _Form, faults: list[Fault]) -> dict[str, Any]:
    texts = form.fields.pop(_OPTIONS, [])
    if not texts:
        return {}
    if len(texts) > 1:
        faults.append(Fault(FaultCode.CONTRADICTION, _OPTIONS, "are there twice; send one object"))
        return {}
    try:
        return _as_options(parse_json(texts[0].encode("utf-8", "surrogatepass")), faults)
    except MalformedJsonError as error:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, _OPTIONS, f"must be an object of JSON: {error.of('text')}"))
        return {}


def _values(fields: Mapping[str, Sequence[str]], faults: list[Fault]) -> dict[str, Any]:
    """The options that a form has as fields of their own."""
    values: dict[str, Any] = {}
    for name, texts in fields.items():
        if len(texts) == 1:
            values[name] = _value(name, texts[0])
        elif name in _LISTS:
            values[name] = list(texts)
        elif texts:
            values[name] = texts[0]
            if len(set(texts)) > 1:
                message = f"is {texts[0]!a} and {texts[1]!a}; send one, or both alike"
                faults.append(Fault(FaultCode.CONTRADICTION, name, message))
    return values


def _value(name: str, text: str) -> object:
    """The value of a field: JSON where an option may be a list or an object and it is written so."""
    if name in _STRUCTURED and text.lstrip().startswith(("[", "{")):
        try:
            return parse_json(text.encode("utf-8", "surrogatepass"))
        except MalformedJsonError:
            pass  # A column may have such a name.
    return [text] if name in _LISTS else text


def _malformed(detail: str) -> RequestError:
    return RequestError(400, "malformed_multipart", detail)


# --- jobs ------------------------------------------------------------------------------------------------------------


def is_job_id(text: str) -> bool:
    """Whether a job could have this id."""
    return _JOB_ID.fullmatch(text) is not None


def decode_query(parameters: Mapping[str, str]) -> JobQuery:
    """Read which jobs are asked for.

    Raises:
        RequestError: 400, with every parameter that is wrong.
    """
    faults: list[Fault] = []
    query = JobQuery(
        domain=_domain(parameters.get("domain"), faults),
        source_id=_source(parameters.get("source_id"), faults),
        status=_status(parameters.get("status"), faults),
        limit=_limit(parameters.get("limit"), faults),
        before=_before(parameters.get("before"), faults),
    )
    for name in sorted(parameters.keys() - set(JobQuery.__struct_fields__)):
        message = f"is no parameter; parameters are {', '.join(JobQuery.__struct_fields__)}"
        faults.append(Fault(FaultCode.UNKNOWN_FIELD, name, message))
    if faults:
        raise _refused(faults)
    return query


def _domain(text: str | None, faults: list[Fault]) -> str | None:
    if text not in {None, NO_DOMAIN}:
        faults += domain_faults(text)
    return text


def _source(text: str | None, faults: list[Fault]) -> str | None:
    if text is not None:
        faults += part_faults("source_id", text)
    return text


def _status(text: str | None, faults: list[Fault]) -> JobStatus | None:
    if text is None:
        return None
    if text not in set(JobStatus):
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "status", f"must be one of {', '.join(JobStatus)}"))
        return None
    return JobStatus(text)


def _limit(text: str | None, faults: list[Fault]) -> int:
    if text is None:
        return JobQuery().limit
    limit = int(text) if _LIMIT.fullmatch(text) else 0
    if not 1 <= limit <= MAX_PAGE:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "limit", f"must be an integer from 1 to {MAX_PAGE}"))
    return limit


def _before(text: str | None, faults: list[Fault]) -> float | None:
    if text is None:
        return None
    try:
        before = float(text)
    except ValueError:
        before = math.nan
    if not EARLIEST <= before <= LATEST:
        message = "must be a time in Unix seconds, as `next` of an answer has it"
        faults.append(Fault(FaultCode.OUT_OF_RANGE, "before", message))
    return before
