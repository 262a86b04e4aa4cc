"""Requests that begin CSV jobs: uploads of files, and announcements and renewals of uploads."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from afluente.adapters.codecs.csv.options import CSVIngestConfig, option_faults
from afluente.adapters.http.csv_forms import FILE, OPTIONS, options_object, read_form
from afluente.adapters.http.errors import RequestError, invalid_request
from afluente.adapters.http.requests import (
    agreed,
    object_of,
    raw_body,
    reachable_domain_faults,
)
from afluente.application.access.grants import Grant
from afluente.application.csv.files import FILE_SUFFIXES
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.uploads import MAX_FILE_BYTES
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import json_type, part_faults

MAX_FILE_NAME_BYTES = 255
"""Longest name of a file in UTF-8, so that its key stays within the 1,024 bytes of S3."""

MAX_UPLOAD_ID_LENGTH = 1_024
"""Longest id of an upload in parts, as S3 gives it."""

_SIZE = "size"
_UPLOAD_ID = "upload_id"
_FROM_REQUEST = "request"
_SEPARATORS = re.compile(r"[/\\]")
# Control characters, and lone surrogates, which no UTF-8 text can hold.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_S3_UPLOAD_ID = re.compile(rf"[\x21-\x7e]{{1,{MAX_UPLOAD_ID_LENGTH}}}")


class Creator(msgspec.Struct, frozen=True):
    """The creator of a job.

    Attributes:
        job_id: for the job.
        grant: of the caller.
        now: the time of creation, in Unix seconds.
    """

    job_id: str
    grant: Grant
    now: float


class Upload(msgspec.Struct, frozen=True):
    """A job, and its file."""

    job: CsvJob
    content: bytes


class Announcement(msgspec.Struct, frozen=True):
    """A job whose file is uploaded later, and the size of the file in bytes, if it is known."""

    job: CsvJob
    size: int | None


class Renewal(msgspec.Struct, frozen=True):
    """An upload that needs new URLs: its size in bytes, if it is known, and its id, if it is one in parts."""

    size: int | None
    upload_id: str | None


def decode_upload(
    body: str | None, *, is_base64: bool, headers: Mapping[str, str], domains: Collection[str], creator: Creator
) -> Upload:
    """Read a form with a file and its options.

    Args:
        body: as the event has it; None where there is none.
        is_base64: whether the event has it in base64.
        headers: by lower-case name; `x-domain` and `x-source-id` fill what the form lacks.
        domains: the domains that are open.
        creator: of the job.

    Raises:
        RequestError: 415 for a body that is no form, 413 for too large a body, 400 for a form that cannot be read or
            has wrong fields, 422 for a file that is empty or no CSV file by its name.
    """
    faults: list[Fault] = []
    form = read_form(raw_body(body, is_base64=is_base64), headers, faults)
    options = _merged(form.options, form.fields, faults)
    job = _job(form.file_name, options, headers=headers, domains=domains, creator=creator, faults=faults)
    if not form.content:
        raise _empty_file(job.file)
    return Upload(job, form.content)


def decode_announcement(
    body: bytes, *, headers: Mapping[str, str], domains: Collection[str], creator: Creator
) -> Announcement:
    """Decode the announcement of a file that is uploaded later.

    Args:
        body: JSON, as `read_body` gives it.
        headers: by lower-case name; `x-domain` and `x-source-id` fill what the body lacks.
        domains: the domains that are open.
        creator: of the job.

    Raises:
        RequestError: 400 for a body that is no JSON or has wrong fields, 413 for too large a file, 422 for a file that
            is empty or no CSV file by its name.
    """
    document = object_of(body)
    faults: list[Fault] = []
    name, size = document.pop(FILE, None), document.pop(_SIZE, None)
    if name is None:
        faults.append(Fault(FaultCode.MISSING, FILE, "is required: the name of the file"))
    faults += _size_faults(size)
    options = _merged(options_object(document.pop(OPTIONS, None), faults), document, faults)
    job = _job(name, options, headers=headers, domains=domains, creator=creator, faults=faults)
    if size == 0:
        raise _empty_file(job.file)
    _check_largest(size)
    return Announcement(job, size)


def decode_renewal(body: bytes) -> Renewal:
    """Decode a request for new URLs of an upload: `{size?, upload_id?}`.

    Args:
        body: JSON, as `read_body` gives it.

    Raises:
        RequestError: 400 for a body that is no JSON or has wrong fields, 413 for too large a file.
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
        raise invalid_request(faults)
    _check_largest(size)
    return Renewal(size, upload_id)


def _job(
    name: object,
    given: dict[str, Any],
    *,
    headers: Mapping[str, str],
    domains: Collection[str],
    creator: Creator,
    faults: list[Fault],
) -> CsvJob:
    """Make a job, unless there is a fault."""
    domain = agreed("domain", given.pop("domain", None), headers, faults)
    source_id = agreed("source_id", given.pop("source_id", None), headers, faults)
    faults += reachable_domain_faults(domain, domains, creator.grant)
    if source_id is None:
        faults.append(Fault(FaultCode.MISSING, "source_id", "is required, in the body or as the header X-Source-ID"))
    else:
        faults += part_faults("source_id", source_id)
    file = _last_part(name)
    faults += _name_faults(file)
    faults += option_faults(given)
    if faults:
        raise invalid_request(faults)
    file = str(file)
    if not file.lower().endswith(FILE_SUFFIXES):
        endings = ", ".join(FILE_SUFFIXES)
        raise RequestError(422, "unsupported_file", f"the name of the file, {file!a}, must end with one of {endings}")
    options = CSVIngestConfig.model_validate(given).given()
    return CsvJob(
        job_id=creator.job_id,
        domain=str(domain),
        source_id=str(source_id),
        file=file,
        status=JobStatus.AWAITING_UPLOAD,
        created_at=creator.now,
        updated_at=creator.now,
        created_by=creator.grant.key_id,
        tenant=creator.grant.tenant,
        options=options,
        options_from=_FROM_REQUEST if options else None,
    )


def _merged(options: Mapping[str, Any], fields: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """Options from two places, which may both have an option if they agree; a null counts as left out."""
    options = {name: value for name, value in options.items() if value is not None}
    fields = {name: value for name, value in fields.items() if value is not None}
    for name in sorted(options.keys() & fields.keys()):
        here, there = fields[name], options[name]
        if _normalised(name, here) != _normalised(name, there):
            message = f"is {here!a} as a field and {there!a} in the options; send one, or both alike"
            faults.append(Fault(FaultCode.CONTRADICTION, name, message))
    return fields | options


def _normalised(name: str, value: object) -> object:
    """The value of an option in its own type, however it is written; a wrong value as it is."""
    return value if option_faults({name: value}) else CSVIngestConfig.model_validate({name: value}).given()


def _last_part(name: object) -> object:
    """The name of a file without the folders that some clients put before it."""
    return _SEPARATORS.split(name)[-1] if isinstance(name, str) else name


def _name_faults(name: object) -> Iterable[Fault]:
    if name is None:
        return  # A fault already.
    if not isinstance(name, str):
        yield Fault(FaultCode.WRONG_TYPE, FILE, f"must be the name of the file, not {json_type(name)}")
    elif not name:
        yield Fault(FaultCode.EMPTY, FILE, "must have a name")
    elif forbidden := _FORBIDDEN.search(name):
        message = f"has {forbidden[0]!a} in its name; control characters and lone surrogates are not allowed"
        yield Fault(FaultCode.FORBIDDEN_CHARACTER, FILE, message)
    elif (size := len(name.encode())) > MAX_FILE_NAME_BYTES:
        message = f"has a name of {size} bytes; {MAX_FILE_NAME_BYTES} are allowed"
        yield Fault(FaultCode.TOO_LONG, FILE, message)


def _size_faults(size: object) -> Iterable[Fault]:
    if size is None:
        return
    if type(size) is not int:
        message = f"must be the size of the file in bytes, an integer, not {json_type(size)}"
        yield Fault(FaultCode.WRONG_TYPE, _SIZE, message)
    elif size < 0:
        yield Fault(FaultCode.NEGATIVE, _SIZE, "must not be below 0")


def _check_largest(size: int | None) -> None:
    if size is not None and size > MAX_FILE_BYTES:
        detail = f"{size} bytes are more than the {MAX_FILE_BYTES} that S3 keeps (5 TiB); send it in several files"
        raise RequestError(413, "file_too_large", detail)


def _empty_file(name: str) -> RequestError:
    return RequestError(422, "empty_file", f"{name!a} has no byte; nothing was begun")
