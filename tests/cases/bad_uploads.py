"""Bad uploads of CSV files: forms, announcements, names of jobs, and options."""

import gzip
from collections.abc import Iterator, Mapping

from tests.cases.bad_http import SOURCE, BadRequest, documents, in_json

CSV = "POST /ingest/csv"
UPLOADS = "POST /ingest/csv/uploads"
RENEWAL = "POST /ingest/csv/{job_id}/upload"

_BOUNDARY = "----boundary"
_IN_FORM = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}


def bad_uploads() -> Iterator[BadRequest]:
    """All of them."""
    yield from _forms()
    yield from _announcements()


def _form(*parts: bytes) -> bytes:
    boundary = _BOUNDARY.encode()
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def _field(name: str, value: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


_FILE = _field("file", b"time,value\n2023-01-01,1\n", '; filename="march.csv"')
_ORIGIN = (_field("domain", b"iot"), _field("source_id", b"oven-1"))

BAD_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "unknown": {"delimeter": ";"},
    "delimiter of two": {"delimiter": ";;"},
    "delimiter is a quote": {"delimiter": '"'},
    "delimiter is NUL": {"delimiter": "\0"},
    "delimiter is an emoji": {"delimiter": "😀"},
    "decimal": {"decimal": ";"},
    "decimal as thousands": {"decimal": ",", "thousands": ","},
    "encoding is none": {"encoding": "utf-9"},
    "encoding is no text": {"encoding": "zlib"},
    "encoding is a path": {"encoding": "../../etc/passwd"},
    "encoding has NUL": {"encoding": "utf-8\0"},
    "time zone is none": {"timezone": "Mars/Olympus"},
    "time zone is a path": {"timezone": "../../etc/passwd"},
    "time zone is absolute": {"timezone": "/etc/localtime"},
    "time zone has NUL": {"timezone": "Europe/\0"},
    "unit": {"timestamp_unit": "h"},
    "format": {"timestamp_format": "excel"},
    "custom without a pattern": {"timestamp_format": "custom"},
    "pattern without a year": {"timestamp_pattern": "%d.%m. %H:%M"},
    "pattern that is none": {"timestamp_pattern": "%Y %Q %!"},
    "skip below zero": {"skip_rows": -1},
    "skip beyond the limit": {"skip_rows": 10_001},
    "rows of 20 digits": {"max_rows": 10**20},
    "no rows": {"max_rows": 0},
    "rows as a fraction": {"max_rows": 1.5},
    "step of zero": {"step": 0},
    "step is no number": {"step": "fast"},
    "start is none": {"start": "now-ish"},
    "column twice": {"value_columns": ["a", "a"]},
    "column as two": {"value_columns": ["a"], "timestamp_column": ["a"]},
    "columns are numbers": {"value_columns": [1, 2]},
    "columns are an object": {"value_columns": {"a": 1}},
    "type with a slash": {"stream_type": "a/b"},
    "types with a slash": {"stream_type": {"a": "b/c"}},
    "header is text": {"has_header": "perhaps"},
    "nulls are a number": {"null_values": 7},
    "half a character": {"null_values": ["\ud800"]},
    "100,000 characters": {"null_values": ["x" * 100_000]},
    "2,000 unknown ones": {f"option_{number}": number for number in range(2_000)},
}


def _forms() -> Iterator[BadRequest]:
    def form(name: str, *parts: bytes) -> BadRequest:
        return BadRequest(name=f"form is {name}", route=CSV, body=_form(*parts), headers=_IN_FORM)

    yield form("without a file", *_ORIGIN)
    yield form("without a domain", _ORIGIN[1], _FILE)
    yield form("without a source", _ORIGIN[0], _FILE)
    yield form("with two files", *_ORIGIN, _FILE, _FILE)
    yield form("with two domains", *_ORIGIN, _field("domain", b"health"), _FILE)
    yield form("with an unknown field", *_ORIGIN, _field("colour", b"red"), _FILE)
    yield form("of 2,001 parts", *[_field("colour", b"red")] * 2_001)
    yield form("with an empty file", *_ORIGIN, _field("file", b"", '; filename="march.csv"'))
    yield form("with a field that is no text", *_ORIGIN, _field("timezone", b"\xff\xfe"), _FILE)
    yield form("with a field of no charset", *_ORIGIN, b'Content-Disposition: form-data; name="timezone"\r\n'
               b"Content-Type: text/plain; charset=utf-9\r\n\r\nUTC", _FILE)  # fmt: skip
    yield form("without a disposition", b"\r\nnothing")
    for options in (b"[]", b"7", b"{", b"[" * 100_000, b'{"skip_rows": %s}' % (b"9" * 5_000)):
        yield form(f"with options {options[:12].decode()}", *_ORIGIN, _field("options", options), _FILE)
    for name in ("march.xlsx", "march.zip", "", "a" * 300 + ".csv", "a\x07.csv", "..", "/"):
        yield form(f"with the file {name[:12]!a}", *_ORIGIN, _field("file", b"a,b\n", f'; filename="{name}"'))
    for name, body, headers in (
        ("of no boundary", _form(_FILE), {"content-type": "multipart/form-data"}),
        ("of another boundary", _form(_FILE), {"content-type": "multipart/form-data; boundary=other"}),
        ("cut off", _form(*_ORIGIN, _FILE)[:-20], _IN_FORM),
        ("empty", b"", _IN_FORM),
        ("of no form", b"time,value\n", {"content-type": "text/csv"}),
        ("packed", gzip.compress(_form(*_ORIGIN, _FILE)), {**_IN_FORM, "content-encoding": "gzip"}),
        ("of 5 MB", _form(*_ORIGIN, _field("file", b"x" * 5_000_000, '; filename="m.csv"')), _IN_FORM),
    ):
        yield BadRequest(name=f"form is {name}", route=CSV, body=body, headers=headers)


def _announcements() -> Iterator[BadRequest]:
    announced = {**SOURCE, "file": "march.csv", "size": 10}
    yield from documents(UPLOADS)
    for name, options in BAD_OPTIONS.items():
        yield in_json(UPLOADS, f"option is {name}", {**announced, "options": options})
    sizes: tuple[object, ...] = (-1, 0, 1.5, "10", True, [], 2**63, 10**300)
    for size in sizes:
        yield in_json(UPLOADS, f"size is {str(size)[:9]}", {**announced, "size": size})
    files: tuple[object, ...] = (None, "", 7, [], "a.exe", "a" * 256, "a\0.csv", "\ud800.csv")
    for file in files:
        yield in_json(UPLOADS, f"file is {str(file)[:9]!a}", {**announced, "file": file})
    for upload_id in ("", "é", "x" * 1_025, 7, "a b"):
        document = {"size": 10, "upload_id": upload_id}
        yield in_json(RENEWAL, f"upload is {str(upload_id)[:9]!a}", document, path={"job_id": "0" * 24})
    for job_id in ("0", "x" * 24, "..", "%00", "é" * 24, "0" * 10_000):
        yield BadRequest(name=f"job is {job_id[:9]!a}", route="GET /ingest/csv/{job_id}", path={"job_id": job_id})
        yield BadRequest(name=f"job is {job_id[:9]!a}", route="DELETE /ingest/csv/{job_id}", path={"job_id": job_id})
