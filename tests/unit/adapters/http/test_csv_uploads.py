"""Requests about CSV files: whatever comes becomes a job, or every fault is named."""

import json
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.csv.options import MAX_OPTIONS_BYTES, CSVIngestConfig
from afluente.adapters.http.answers import problem
from afluente.adapters.http.csv_forms import MAX_CSV_BODY_BYTES
from afluente.adapters.http.csv_jobs import decode_query, is_job_id
from afluente.adapters.http.csv_uploads import (
    MAX_FILE_NAME_BYTES,
    Creator,
    Upload,
    decode_announcement,
    decode_upload,
)
from afluente.adapters.http.errors import RequestError
from afluente.application.csv.files import upload_key
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.listing import JobQuery
from afluente.domain.faults import FaultCode
from tests.factories import DOMAINS, NOW, a_grant, fields_and_codes

BOUNDARY = "d74496d66958873e"
CSV = b"time,a\r\n2023-11-14T22:00:00Z,1\r\n"
CREATOR = Creator("0123456789abcdef01234567", a_grant(), NOW)
ORIGIN = (("domain", "iot"), ("source_id", "furnace-1"))

Field = tuple[str, str | bytes]

Taken = TypeVar("Taken")


def a_part(disposition: str | bytes, content: str | bytes, *headers: str) -> bytes:
    raw = [text.encode() if isinstance(text, str) else text for text in (disposition, content)]
    more = "".join(f"\r\n{header}" for header in headers).encode()
    return b"--%s\r\nContent-Disposition: form-data; %s%s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), raw[0], more, raw[1])


def a_file(name: str = "march.csv", content: bytes = CSV) -> bytes:
    quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return a_part(f'name="file"; filename="{quoted}"', content)


def a_form(*fields: Field, file: bytes | None = None) -> bytes:
    """A form as a client writes it; with a file, unless another part is to be in its place."""
    parts = [a_part(f'name="{name}"', value) for name, value in fields]
    return b"".join([*parts, a_file() if file is None else file, b"--%s--\r\n" % BOUNDARY.encode()])


def decode(form: bytes, **headers: str) -> Upload:
    said = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_upload(b64encode(form).decode(), is_base64=True, headers=said, domains=DOMAINS, creator=CREATOR)


def announced(document: object, **headers: str) -> CsvJob:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode_announcement(body, headers=said, domains=DOMAINS, creator=CREATOR).job


def refusal(use: Callable[[], object]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        use()
    assert is_answered(caught.value)
    return caught.value


def is_answered(error: RequestError) -> bool:
    """True if a refused request has an answer."""
    answer = problem(error.status, error.code, error.detail, request_id="r", extra=error.extra)
    return answer.status in {400, 413, 415, 422} and len(answer.body) < 1_000_000


def taken(use: Callable[[], Taken]) -> Taken | None:
    """The outcome of an accepted request; None for a refused one."""
    try:
        return use()
    except RequestError as error:
        refused = error
    assert is_answered(refused)
    return None


def faults_of(use: Callable[[], object]) -> list[tuple[str, FaultCode]]:
    error = refusal(use)
    assert (error.status, error.code) == (400, "invalid_request")
    return fields_and_codes(error.extra["errors"])  # type: ignore[arg-type]


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_a_form_with_a_file_is_a_job_and_its_content() -> None:
    upload = decode(a_form(*ORIGIN))

    assert upload.content == CSV
    assert upload.job == CsvJob(
        job_id=CREATOR.job_id,
        domain="iot",
        source_id="furnace-1",
        file="march.csv",
        status=JobStatus.AWAITING_UPLOAD,
        created_at=NOW,
        updated_at=NOW,
        created_by="aaaqeaye",
        tenant="_",
    )


def test_a_form_may_come_as_text() -> None:
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}

    upload = decode_upload(a_form(*ORIGIN).decode(), is_base64=False, headers=headers, domains=DOMAINS, creator=CREATOR)

    assert upload.content == CSV


def test_headers_fill_what_a_form_lacks() -> None:
    job = decode(a_form(), x_domain="health", x_source_id="patient-9").job

    assert (job.domain, job.source_id) == ("health", "patient-9")


def test_a_form_and_its_headers_may_say_the_same() -> None:
    assert decode(a_form(*ORIGIN), x_domain="iot", x_source_id="furnace-1").job.domain == "iot"


@pytest.mark.parametrize(
    ("fields", "headers", "faults"),
    [
        ((), {}, [("domain", FaultCode.MISSING), ("source_id", FaultCode.MISSING)]),
        ((("domain", ""), ("source_id", "")), {}, [("domain", FaultCode.MISSING), ("source_id", FaultCode.MISSING)]),
        (ORIGIN, {"x_domain": "health"}, [("domain", FaultCode.CONTRADICTION)]),
        (ORIGIN, {"x_source_id": "other"}, [("source_id", FaultCode.CONTRADICTION)]),
        ((*ORIGIN, ("domain", "health")), {}, [("domain", FaultCode.CONTRADICTION)]),
        ((*ORIGIN, ("options", '{"domain": "health"}')), {}, [("domain", FaultCode.CONTRADICTION)]),
        ((("domain", "IoT"), ORIGIN[1]), {}, [("domain", FaultCode.OUT_OF_RANGE)]),
        ((("domain", "space"), ORIGIN[1]), {}, [("domain", FaultCode.UNKNOWN_DOMAIN)]),
        ((ORIGIN[0], ("source_id", "a/b")), {}, [("source_id", FaultCode.FORBIDDEN_CHARACTER)]),
        (
            (*ORIGIN, ("options", '{"source_id": 1}')),
            {},
            [("source_id", FaultCode.CONTRADICTION), ("source_id", FaultCode.WRONG_TYPE)],
        ),
    ],
)
def test_the_source_of_a_file_is_required_once(
    fields: tuple[Field, ...], headers: dict[str, str], faults: list[tuple[str, FaultCode]]
) -> None:
    assert faults_of(lambda: decode(a_form(*fields), **headers)) == faults


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("march.csv", "march.csv"),
        ("MARCH.CSV", "MARCH.CSV"),
        ("march.csv.gz", "march.csv.gz"),
        ("march.Csv.Zst", "march.Csv.Zst"),
        ("März 2023 😀.csv", "März 2023 😀.csv"),
        ("../../etc/march.csv", "march.csv"),
        ("C:\\data\\march.csv", "march.csv"),
        ('a"b;c.csv', 'a"b;c.csv'),
        (".csv", ".csv"),
    ],
)
def test_the_name_of_a_file_is_its_last_part(sent: str, kept: str) -> None:
    assert decode(a_form(*ORIGIN, file=a_file(sent))).job.file == kept
    assert announced({"domain": "iot", "source_id": "s", "file": sent}).file == kept


@pytest.mark.parametrize("name", ["march.xlsx", "march", "csv", "march.csv.zip", "march.csv.gz.json", "_ingest.json"])
def test_what_is_no_csv_file_by_its_name_is_refused(name: str) -> None:
    for error in (
        refusal(lambda: decode(a_form(*ORIGIN, file=a_file(name)))),
        refusal(lambda: announced({"domain": "iot", "source_id": "s", "file": name})),
    ):
        assert (error.status, error.code) == (422, "unsupported_file")
        assert ".csv, .csv.gz, .csv.zst" in error.detail


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", FaultCode.EMPTY),
        ("folder/", FaultCode.EMPTY),
        ("a\tb.csv", FaultCode.FORBIDDEN_CHARACTER),
        ("a\r\nb.csv", FaultCode.FORBIDDEN_CHARACTER),
        ("a\x85.csv", FaultCode.FORBIDDEN_CHARACTER),
        ("ö" * 126 + ".csv", FaultCode.TOO_LONG),
    ],
)
def test_a_name_that_no_file_should_have_is_refused(name: str, code: FaultCode) -> None:
    assert faults_of(lambda: decode(a_form(*ORIGIN, file=a_file(name)))) == [("file", code)]
    assert faults_of(lambda: announced({"domain": "iot", "source_id": "s", "file": name})) == [("file", code)]


def test_a_file_without_a_byte_is_refused() -> None:
    error = refusal(lambda: decode(a_form(*ORIGIN, file=a_file(content=b""))))

    assert (error.status, error.code) == (422, "empty_file")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", FaultCode.MISSING),
        (a_part('name="file"', CSV), FaultCode.MISSING),
        (a_file() + a_file("april.csv"), FaultCode.CONTRADICTION),
    ],
    ids=["none", "without a name", "two"],
)
def test_a_form_has_one_file(file: bytes, code: FaultCode) -> None:
    assert faults_of(lambda: decode(a_form(*ORIGIN, file=file))) == [("file", code)]


@given(st.text(max_size=300), st.text(max_size=200))
def test_whatever_a_file_is_called_it_has_a_key_or_is_refused(name: str, source_id: str) -> None:
    job = taken(lambda: announced({"domain": "infrastructure", "source_id": source_id, "file": f"{name}.csv"}))

    if job is not None:
        key = upload_key(job.domain, job.source_id, job.job_id, job.file)
        assert len(key.encode()) <= 1_024
        assert key.count("/") == 5
        assert len(job.file.encode()) <= MAX_FILE_NAME_BYTES


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ([("delimiter", ";"), ("skip_rows", "2")], {"delimiter": ";", "skip_rows": 2}),
        ([("has_header", "false"), ("allow_duplicate", "yes")], {"has_header": False, "allow_duplicate": True}),
        ([("value_columns", "a")], {"value_columns": ["a"]}),
        ([("value_columns", "a"), ("value_columns", "b")], {"value_columns": ["a", "b"]}),
        ([("value_columns", '["a", "b"]')], {"value_columns": ["a", "b"]}),
        ([("value_columns", "[kW]")], {"value_columns": ["[kW]"]}),
        ([("value_columns", "a,b")], {"value_columns": ["a,b"]}),
        ([("timestamp_column", "[]")], {"timestamp_column": []}),
        ([("timestamp_column", "date"), ("timestamp_column", "time")], {"timestamp_column": ["date", "time"]}),
        ([("null_values", "-")], {"null_values": ["-"]}),
        ([("stream_type", "temperature")], {"stream_type": "temperature"}),
        ([("stream_type", '{"a": "temperature"}')], {"stream_type": {"a": "temperature"}}),
        ([("stream_column", "[x]")], {"stream_column": "[x]"}),
        ([("step", "0.5"), ("start", "1700000000")], {"step": 0.5, "start": 1_700_000_000.0}),
        ([("start", "2023-11-14T22:00:00Z"), ("step", "1")], {"start": "2023-11-14T22:00:00Z", "step": 1.0}),
        ([("delimiter", ""), ("skip_rows", "")], {}),
        ([("delimiter", ";"), ("delimiter", ";")], {"delimiter": ";"}),
        ([("options", '{"delimiter": ";", "skip_rows": 2}')], {"delimiter": ";", "skip_rows": 2}),
        ([("options", '{"skip_rows": 2}'), ("skip_rows", "2")], {"skip_rows": 2}),
        ([("options", '{"value_columns": ["a"]}'), ("value_columns", "a")], {"value_columns": ["a"]}),
        ([("options", '{"delimiter": null}'), ("delimiter", ";")], {"delimiter": ";"}),
        (
            [("options", '{"timestamp_format": "custom"}'), ("timestamp_pattern", "%d.%m.%Y")],
            {"timestamp_format": "custom", "timestamp_pattern": "%d.%m.%Y"},
        ),
        ([("options", '{"domain": "iot", "source_id": "furnace-1"}')], {}),
    ],
)
def test_options_come_as_fields_or_as_an_object_or_both(fields: list[Field], options: dict[str, Any]) -> None:
    assert decode(a_form(*ORIGIN, *fields)).job.options == options


def test_options_may_come_as_a_file() -> None:
    options = a_part('name="options"; filename="options.json"', '{"delimiter": ";"}', "Content-Type: application/json")

    assert decode(a_form(*ORIGIN, file=a_file() + options)).job.options == {"delimiter": ";"}


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (
            [("delimiter", ";;"), ("skip_rows", "many"), ("timezone", "Mars/Olympus"), ("dleimiter", ";")],
            [
                ("dleimiter", FaultCode.UNKNOWN_FIELD),
                ("timezone", FaultCode.OUT_OF_RANGE),
                ("skip_rows", FaultCode.OUT_OF_RANGE),
                ("delimiter", FaultCode.OUT_OF_RANGE),
            ],
        ),
        ([("options", '{"dleimiter": ";"}')], [("dleimiter", FaultCode.UNKNOWN_FIELD)]),
        ([("options", '{"\\ud800": ";"}')], [("options", FaultCode.OUT_OF_RANGE)]),
        ([("options", "[]")], [("options", FaultCode.WRONG_TYPE)]),
        ([("options", "{")], [("options", FaultCode.OUT_OF_RANGE)]),
        ([("options", "{}"), ("options", "{}")], [("options", FaultCode.CONTRADICTION)]),
        ([("options", '{"skip_rows": 1}'), ("skip_rows", "2")], [("skip_rows", FaultCode.CONTRADICTION)]),
        ([("delimiter", ";"), ("delimiter", ",")], [("delimiter", FaultCode.CONTRADICTION)]),
        ([("delimiter", b"\xff")], [("delimiter", FaultCode.WRONG_TYPE)]),
        ([("timestamp_format", "custom")], [("options", FaultCode.OUT_OF_RANGE)]),
        ([("start", "nan")], [("start.float", FaultCode.OUT_OF_RANGE), ("start.datetime", FaultCode.OUT_OF_RANGE)]),
        ([("value_columns", "c" * MAX_OPTIONS_BYTES)], [("options", FaultCode.TOO_LONG)]),
    ],
)
def test_every_fault_of_the_options_is_named(fields: list[Field], faults: list[tuple[str, FaultCode]]) -> None:
    assert sorted(faults_of(lambda: decode(a_form(*ORIGIN, *fields)))) == sorted(faults)


def test_a_field_in_an_encoding_that_nobody_knows_is_refused() -> None:
    field = a_part('name="delimiter"', ";", "Content-Type: text/plain; charset=klingon")

    assert faults_of(lambda: decode(a_form(*ORIGIN, file=a_file() + field))) == [("delimiter", FaultCode.WRONG_TYPE)]


def test_so_many_faults_are_named_that_they_fit_an_answer() -> None:
    assert refusal(lambda: announced({f"{i}" * 5_000: 1 for i in range(1_000)})).status == 400


@given(st.dictionaries(st.sampled_from([*CSVIngestConfig.model_fields, "options", "other"]), st.text(max_size=8)))
def test_any_fields_are_accepted_or_refused(fields: dict[str, str]) -> None:
    form = a_form(*((name, value.encode("utf-8", "surrogatepass")) for name, value in fields.items()))

    job = taken(lambda: decode(form, x_domain="iot", x_source_id="furnace-1").job)

    if job is not None:
        assert msgspec.json.decode(msgspec.json.encode(job), type=CsvJob) == job
        assert CSVIngestConfig.model_validate(job.options).given() == job.options


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*CSVIngestConfig.model_fields, "options", "file", "size", "other"]), JSON))
def test_any_announcement_is_accepted_or_refused(document: dict[str, Any]) -> None:
    sound: dict[str, Any] = {"domain": "iot", "source_id": "furnace-1", "file": "march.csv"}
    for asked in (document, sound | document):
        job = taken(partial(announced, asked))
        assert job is None or msgspec.json.decode(msgspec.json.encode(job), type=CsvJob) == job


# --- forms that are none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["text/csv", "application/json", "multipart/mixed; boundary=x", "", "application/x-www-form-urlencoded"],
)
def test_a_body_that_is_no_form_is_answered_with_a_hint(content_type: str) -> None:
    error = refusal(lambda: decode(CSV, content_type=content_type))

    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert "curl" in error.detail
    assert "-F file=@" in error.detail


def test_a_form_in_a_coding_is_refused() -> None:
    error = refusal(lambda: decode(a_form(*ORIGIN), content_encoding="gzip"))

    assert (error.status, error.code) == (415, "unsupported_content_encoding")
    assert decode(a_form(*ORIGIN), content_encoding="identity").content == CSV


@pytest.mark.parametrize(
    "body",
    [
        b"",
        CSV,
        a_form(*ORIGIN)[:-10],
        b"--%s\r\nContent-Type: text/csv\r\n\r\n1\r\n--%s--\r\n" % (BOUNDARY.encode(), BOUNDARY.encode()),
        a_form(*ORIGIN, file=a_part(b'name="file"; filename="\xff.csv"', CSV)),
        a_form(*((("value_columns", "a"),) * 2_100)),
    ],
    ids=["nothing", "no form", "cut off", "no name", "a name that is no UTF-8", "too many parts"],
)
def test_a_form_that_cannot_be_read_is_refused(body: bytes) -> None:
    error = refusal(lambda: decode(body))

    assert (error.status, error.code) == (400, "malformed_multipart")


def test_a_form_without_a_boundary_is_refused() -> None:
    error = refusal(lambda: decode(a_form(*ORIGIN), content_type="multipart/form-data"))

    assert (error.status, error.code) == (400, "malformed_multipart")


def test_the_largest_form_is_accepted() -> None:
    empty = len(a_form(*ORIGIN, file=a_file(content=b"")))
    content = b"x" * (MAX_CSV_BODY_BYTES - empty)

    assert decode(a_form(*ORIGIN, file=a_file(content=content))).content == content
    error = refusal(lambda: decode(a_form(*ORIGIN, file=a_file(content=content + b"x"))))
    assert (error.status, error.code) == (413, "body_too_large")


@given(st.binary(max_size=200))
def test_any_form_is_accepted_or_refused(body: bytes) -> None:
    with_it = (a_form(*ORIGIN, file=body), a_form(("options", body)), a_form(*ORIGIN, file=a_file(content=body)))
    for form in (body, *with_it):
        taken(partial(decode, form))


# --- announcements ---------------------------------------------------------------------------------------------------

ANNOUNCED = {"domain": "iot", "source_id": "furnace-1", "file": "march.csv"}


def test_an_announcement_may_have_options_as_fields_too() -> None:
    job = announced(ANNOUNCED | {"options": {"delimiter": ";"}, "skip_rows": 2, "timezone": None})

    assert job.options == {"delimiter": ";", "skip_rows": 2}


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        ({"file": None}, [("file", FaultCode.MISSING)]),
        ({"file": 1}, [("file", FaultCode.WRONG_TYPE)]),
        ({"size": "1"}, [("size", FaultCode.WRONG_TYPE)]),
        ({"size": True}, [("size", FaultCode.WRONG_TYPE)]),
        ({"size": 1.5}, [("size", FaultCode.WRONG_TYPE)]),
        ({"size": -1}, [("size", FaultCode.NEGATIVE)]),
        ({"options": []}, [("options", FaultCode.WRONG_TYPE)]),
        ({"domain": ["iot"]}, [("domain", FaultCode.WRONG_TYPE)]),
        ({"options": {"delimiter": ";"}, "delimiter": ","}, [("delimiter", FaultCode.CONTRADICTION)]),
        ({"dleimiter": ";"}, [("dleimiter", FaultCode.UNKNOWN_FIELD)]),
        ({"file": "\ud800.csv"}, [("file", FaultCode.FORBIDDEN_CHARACTER)]),
    ],
)
def test_every_fault_of_an_announcement_is_named(changed: dict[str, Any], faults: list[tuple[str, FaultCode]]) -> None:
    assert faults_of(lambda: announced(ANNOUNCED | changed)) == faults


def test_an_announcement_must_be_an_object() -> None:
    assert faults_of(lambda: announced([])) == [("body", FaultCode.WRONG_TYPE)]
    assert refusal(lambda: announced(b"{")).code == "malformed_json"


# --- jobs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "uploads", "0" * 23, "0" * 25, "G" * 24, "content#" + "0" * 16])
def test_what_no_job_is_called_is_no_id_of_one(text: str) -> None:
    assert not is_job_id(text)
    assert is_job_id("0123456789abcdef01234567")


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({}, JobQuery(limit=20)),
        ({"domain": "_", "limit": "100"}, JobQuery(domain="_", limit=100)),
        (
            {"domain": "iot", "source_id": "Öl", "status": "failed", "limit": "1", "before": "1700000000.25"},
            JobQuery("iot", "Öl", JobStatus.FAILED, 1, NOW + 0.25),
        ),
    ],
)
def test_a_query_selects_jobs(parameters: dict[str, str], query: JobQuery) -> None:
    assert decode_query(parameters) == query


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("domain", "IoT", FaultCode.OUT_OF_RANGE),
        ("source_id", "", FaultCode.EMPTY),
        ("source_id", "a/b", FaultCode.FORBIDDEN_CHARACTER),
        ("status", "done", FaultCode.OUT_OF_RANGE),
        *(("limit", value, FaultCode.OUT_OF_RANGE) for value in ("0", "101", "-1", "1.5", "", "x", "9" * 5_000)),
        *(("before", value, FaultCode.OUT_OF_RANGE) for value in ("", "noon", "nan", "inf", "-1", "1e300", "1e-300")),
        ("page", "2", FaultCode.UNKNOWN_FIELD),
    ],
)
def test_a_wrong_query_is_answered_with_its_fault(name: str, value: str, code: FaultCode) -> None:
    assert faults_of(lambda: decode_query({name: value})) == [(name, code)]


@given(st.dictionaries(st.sampled_from([*JobQuery.__struct_fields__, "other"]), st.text(max_size=10)))
def test_whatever_is_asked_for_is_a_query_or_refused(parameters: dict[str, str]) -> None:
    taken(partial(decode_query, parameters))


def test_options_that_hold_half_a_character_are_refused() -> None:
    body = b'{"domain": "iot", "source_id": "f", "file": "a.csv", "options": {"value_columns": ["price\\ud800"]}}'

    with pytest.raises(RequestError) as refused:
        decode_announcement(body, headers={}, domains=("iot",), creator=CREATOR)

    assert refused.value.status == 400
    assert "value_columns holds half a character" in refused.value.detail
