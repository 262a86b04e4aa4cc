"""Forms with a CSV file and its options: multipart/form-data (RFC 7578)."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

import msgspec
from multipart import MultipartError, MultipartParser, MultipartPart, parse_options_header

from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.json_documents import MalformedJsonError, parse_json
from afluente.adapters.http.errors import RequestError
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import json_type

MAX_CSV_BODY_BYTES = 4_718_592
"""Largest upload in one request: Lambda takes 6 MB, and API Gateway hands it on as base64."""

FILE = "file"
"""The field of the file."""

OPTIONS = "options"
"""The field of the options."""

_MAX_PARTS = 2_000
_MULTIPART = "multipart/form-data"
_CURL = 'curl "$API/ingest/csv" -H "X-API-Key: $AFLUENTE_API_KEY" -F domain=iot -F source_id=oven-1 -F file=@march.csv'
# Options that are several names, and those that may be written as JSON in a form.
_LISTS = frozenset({"timestamp_column", "value_columns", "null_values"})
_STRUCTURED = _LISTS | {"stream_type"}


class Form(msgspec.Struct, frozen=True):
    """A form.

    Attributes:
        file_name: as the client calls the file; None where the form has none.
        content: of the file.
        options: of the field `options`.
        fields: options that are fields of their own.
    """

    file_name: str | None
    content: bytes
    options: dict[str, Any]
    fields: dict[str, Any]


def read_form(raw: bytes, headers: Mapping[str, str], faults: list[Fault]) -> Form:
    """Read a form.

    Args:
        raw: the body, as the client sent it.
        headers: by lower-case name.
        faults: to which those of its fields are appended.

    Raises:
        RequestError: 415 for a body that is no form, 413 for too large a body, 400 for a form that cannot be read.
    """
    boundary = _boundary(headers)
    if len(raw) > MAX_CSV_BODY_BYTES:
        detail = (
            f"the body has {len(raw)} bytes, and {MAX_CSV_BODY_BYTES} fit a request; ask POST /ingest/csv/uploads for a"
            " URL to upload the file to, or let the command `afluente csv send` do it"
        )
        raise RequestError(413, "body_too_large", detail)
    file: MultipartPart | None = None
    texts: dict[str, list[str]] = {}
    for part in _parts(raw, boundary):
        if part.name == FILE:
            if file is not None:
                faults.append(Fault(FaultCode.CONTRADICTION, FILE, "is there twice; send one file a request"))
            elif part.filename is not None:
                file = part
        elif part.name == OPTIONS or part.name in CSVIngestConfig.model_fields:
            texts.setdefault(part.name, []).extend(_text(part, faults))
        else:
            known = ", ".join(CSVIngestConfig.model_fields)
            message = f"is no field; fields are {FILE}, {OPTIONS}, {known}"
            faults.append(Fault(FaultCode.UNKNOWN_FIELD, part.name or "body", message))
    if file is None:
        faults.append(Fault(FaultCode.MISSING, FILE, "is required: the file, with its name (curl -F file=@march.csv)"))
    options = _options(texts.pop(OPTIONS, []), faults)
    fields = _values(texts, faults)
    return Form(file.filename, file.raw, options, fields) if file else Form(None, b"", options, fields)


def options_object(options: object, faults: list[Fault]) -> dict[str, Any]:
    """Options as an object; none where they are left out, or no object, which is a fault."""
    if options is None:
        return {}
    if isinstance(options, dict):
        return options
    faults.append(Fault(FaultCode.WRONG_TYPE, OPTIONS, f"must be an object, not {json_type(options)}"))
    return {}


def _parts(raw: bytes, boundary: str) -> Sequence[MultipartPart]:
    try:
        parts: Sequence[MultipartPart] = MultipartParser(
            BytesIO(raw),
            boundary.encode("utf-8", "surrogatepass"),
            len(raw),
            part_limit=_MAX_PARTS,
            spool_limit=MAX_CSV_BODY_BYTES,
        ).parts()
    except MultipartError as error:
        raise _malformed(f"the body is no {_MULTIPART}: {error.args[0]}; let a client write it: {_CURL}") from error
    return parts


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


def _text(part: MultipartPart, faults: list[Fault]) -> Iterable[str]:
    """The text of a field; none of an empty one, which nobody filled in."""
    try:
        text: str = part.value
    except (UnicodeDecodeError, LookupError):
        faults.append(Fault(FaultCode.WRONG_TYPE, part.name, f"is no text in {part.charset!a}"))
        return ()
    return (text,) if text else ()


def _options(texts: Sequence[str], faults: list[Fault]) -> dict[str, Any]:
    if not texts:
        return {}
    if len(texts) > 1:
        faults.append(Fault(FaultCode.CONTRADICTION, OPTIONS, "are there twice; send one object"))
        return {}
    try:
        return options_object(parse_json(texts[0].encode("utf-8", "surrogatepass")), faults)
    except MalformedJsonError as error:
        faults.append(Fault(FaultCode.OUT_OF_RANGE, OPTIONS, f"must be an object of JSON: {error.of('text')}"))
        return {}


def _values(fields: Mapping[str, Sequence[str]], faults: list[Fault]) -> dict[str, Any]:
    """Options that are fields of their own."""
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
    """The value of a field: JSON, where the option may be a list or an object and the text looks like one."""
    if name in _STRUCTURED and text.lstrip().startswith(("[", "{")):
        try:
            return parse_json(text.encode("utf-8", "surrogatepass"))
        except MalformedJsonError:
            pass  # A column may have such a name.
    return [text] if name in _LISTS else text


def _malformed(detail: str) -> RequestError:
    return RequestError(400, "malformed_multipart", detail)
