"""Sending CSV files: the file arrives unchanged, its outcome is reported, and no fault leaves a half."""

import json
import os
from pathlib import Path

import pytest

from cli.core.errors import ExitCode
from tests.unit.cli.csv.commands import Commands, press_ctrl_c
from tests.unit.cli.csv.service import RENEWAL, CsvService, Fault

CONTENT = b"time,value\n" + b"".join(b"2026-01-01T00:00:%02dZ,%d\n" % (second, second) for second in range(60))
DONE = {"status": "complete", "rows_read": 60, "points_queued": 60, "bytes_done": 1_500, "bytes_total": 1_500}
TO = ["--domain", "iot", "--source", "s"]
REJECTED = {
    **DONE,
    "rows_rejected": 3,
    "points_queued": 57,
    "errors": [
        {
            "code": "unreadable_time",
            "count": 3,
            "first": [
                {"line": line, "row": "x,1", "message": "'x' is no time", "column": "time"} for line in (4, 7, 1_009)
            ],
        }
    ],
    "rejects_url": "http://x",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return a_file(tmp_path, "a.csv")


def a_file(folder: Path, name: str, content: bytes = CONTENT) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_file_arrives_as_it_is_and_its_job_is_watched_to_the_end(
    csv_service: CsvService, afluente_csv: Commands, file: Path
) -> None:
    reading = {"status": "reading", "rows_read": 10, "bytes_done": 300, "bytes_total": 1_500}
    csv_service.steps["a.csv"] = [{"status": "queued"}, reading, DONE]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == 0
    assert csv_service.announced == [{"domain": "iot", "source_id": "s", "file": "a.csv", "size": len(CONTENT)}]
    assert csv_service.objects == {"/bucket/job-1": CONTENT}
    assert "a.csv: 60 points queued, 60 rows read, none rejected" in result.out
    assert "(job job-1)" in result.out
    assert result.err.splitlines() == [
        "uploading a.csv (1.4 kB)",
        "uploaded a.csv",
        "a.csv: queued",
        "a.csv: reading, 20% of 1.5 kB, 10 rows read, 0 points queued, 0 rows rejected",
    ]


def test_the_bucket_sees_a_length_and_no_key(csv_service: CsvService, afluente_csv: Commands, file: Path) -> None:
    csv_service.steps["a.csv"] = [DONE]
    afluente_csv("send", str(file), *TO)
    (put,) = csv_service.requests("PUT")
    assert put.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in put.headers
    assert "x-api-key" not in put.headers
    assert put.query == {"signature": "x"}


def test_options_of_a_file_and_single_ones_go_with_it(
    csv_service: CsvService, afluente_csv: Commands, file: Path, tmp_path: Path
) -> None:
    csv_service.steps["a.csv"] = [DONE]
    options = a_file(tmp_path, "o.json", b'{"timezone": "UTC", "delimiter": ";"}')
    single = ["--option", "timezone=Europe/Madrid", "--option", "skip_rows=2", "--option", 'value_columns=["a","b"]']
    result = afluente_csv("send", str(file), *TO, "--options", str(options), *single, "--allow-duplicate")
    assert result.code == 0
    assert csv_service.announced[0]["options"] == {
        "timezone": "Europe/Madrid",
        "delimiter": ";",
        "skip_rows": 2,
        "value_columns": ["a", "b"],
        "allow_duplicate": True,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--option", "delimiter"], "'delimiter' is no option"),
        (["--option", "zone=UTC"], "zone: is no option; options are domain, source_id"),
        (["--option", "timezone=Madrid"], "timezone: 'Madrid' is no time zone"),
        (["--options", "a.csv"], "a.csv is no file of options"),
    ],
)
def test_what_is_no_option_is_said_before_anything_is_sent(
    csv_service: CsvService, afluente_csv: Commands, file: Path, words: list[str], said: str
) -> None:
    result = afluente_csv("send", str(file), *TO, *words)
    assert result.code == ExitCode.USAGE
    assert said in result.err
    assert csv_service.came == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.txt", b"a", "rename it"),
        ("x.xlsx", b"a", "save it as CSV"),
        ("x.ndjson", b"{}", "afluente send http"),
        ("empty.csv", b"", "is empty"),
        ("none.csv", None, "does not exist"),
        (".", None, "is no file"),
        ("-", None, "not standard input"),
    ],
)
def test_one_wrong_file_keeps_all_of_them_here(
    csv_service: CsvService, afluente_csv: Commands, name: str, content: bytes | None, said: str
) -> None:
    file = a_file(Path.cwd(), "a.csv")
    if content is not None:
        a_file(file.parent, name, content)
    result = afluente_csv("send", str(file), name, *TO)
    assert result.code == ExitCode.USAGE
    assert said in result.err
    assert csv_service.came == []


def test_rejected_rows_are_reported_by_fault_with_exit_code_4(
    csv_service: CsvService, afluente_csv: Commands, file: Path
) -> None:
    csv_service.steps["a.csv"] = [REJECTED]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == ExitCode.REJECTED
    assert "57 points queued, 60 rows read, 3 rejected" in result.out
    assert "line 4, 7, 1,009: time: 'x' is no time" in result.out
    assert "afluente csv rejects job-1" in result.out


def test_a_failed_job_is_reported_with_a_hint_and_the_others_go_on(
    csv_service: CsvService, afluente_csv: Commands, tmp_path: Path
) -> None:
    files = [str(a_file(tmp_path, name)) for name in ("a.csv", "b.csv", "c.csv.gz")]
    reason = {"code": "ambiguous_dates", "message": "01/02/2026 [or] can be read in two ways"}
    csv_service.steps = {"a.csv": [{"status": "failed", "reason": reason}], "b.csv": [REJECTED], "c.csv.gz": [DONE]}
    result = afluente_csv("send", *files, *TO)
    assert result.code == ExitCode.FAILED
    assert "a.csv: failed: 01/02/2026 [or] can be read in two ways (ambiguous_dates)" in result.out
    assert "--option" in result.out
    assert "c.csv.gz: 60 points queued" in result.out
    assert len(csv_service.objects) == 3


def test_a_file_that_was_read_before_is_said_to_be_so(
    csv_service: CsvService, afluente_csv: Commands, file: Path
) -> None:
    csv_service.steps["a.csv"] = [{"status": "duplicate", "duplicate_of": "job-9"}]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == 0
    assert "read before by job job-9" in result.out
    assert "--allow-duplicate" in result.out


def test_a_program_gets_a_line_a_job(csv_service: CsvService, afluente_csv: Commands, tmp_path: Path) -> None:
    files = [str(a_file(tmp_path, name)) for name in ("a.csv", "b.csv")]
    csv_service.steps = {"a.csv": [DONE], "b.csv": [REJECTED]}
    result = afluente_csv("send", *files, *TO, "--json")
    assert result.code == ExitCode.REJECTED
    assert [(job["job_id"], job["file"], job["status"]) for job in result.json_lines] == [
        ("job-1", "a.csv", "complete"),
        ("job-2", "b.csv", "complete"),
    ]


def test_nobody_need_wait(csv_service: CsvService, afluente_csv: Commands, file: Path) -> None:
    result = afluente_csv("send", str(file), *TO, "--no-wait", "--json")
    assert result.code == 0
    assert [job["status"] for job in result.json_lines] == ["awaiting_upload"]
    assert "afluente csv job job-1 --watch" in result.err
    assert csv_service.objects == {"/bucket/job-1": CONTENT}


def test_a_large_file_goes_up_in_parts_that_are_put_together(
    csv_service: CsvService, afluente_csv: Commands, file: Path
) -> None:
    csv_service.multipart = 1_000
    csv_service.steps["a.csv"] = [DONE]
    assert afluente_csv("send", str(file), *TO).code == 0
    assert [len(put.body) for put in csv_service.requests("PUT")] == [1_000, len(CONTENT) - 1_000]
    assert csv_service.objects == {"/bucket/job-1": CONTENT}


@pytest.mark.parametrize("multipart", [None, 1_000])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", "/bucket", after=100),
        Fault("PUT", "/bucket", is_done=True),
        Fault("PUT", "/bucket", 503, b"<Error><Code>SlowDown</Code></Error>"),
        Fault("PUT", "/bucket", 400, b"<Error><Code>RequestTimeout</Code></Error>"),
        Fault("POST", "/stage", 503, headers={"Retry-After": "0"}),
        Fault("GET", "/stage"),
    ],
    ids=["cut in the file", "lost answer", "busy", "too slow", "busy API", "lost look"],
)
def test_what_is_not_answered_is_sent_again(
    csv_service: CsvService, afluente_csv: Commands, file: Path, multipart: int | None, fault: Fault
) -> None:
    csv_service.multipart = multipart
    csv_service.steps["a.csv"] = [DONE]
    csv_service.faults = [Fault(**vars(fault))]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == 0
    assert csv_service.objects == {"/bucket/job-1": CONTENT}
    assert "again in" in result.err


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/bucket", is_done=True),
        Fault("POST", "/bucket", 200, b"<Error><Code>InternalError</Code></Error>"),
    ],
    ids=["lost answer", "error within the answer"],
)
def test_parts_are_put_together_once(csv_service: CsvService, afluente_csv: Commands, file: Path, fault: Fault) -> None:
    csv_service.multipart = 1_000
    csv_service.steps["a.csv"] = [DONE]
    csv_service.faults = [Fault(**vars(fault))]
    assert afluente_csv("send", str(file), *TO).code == 0
    assert csv_service.objects == {"/bucket/job-1": CONTENT}


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_upload_that_takes_longer_than_its_addresses_live_goes_on_by_new_ones(
    csv_service: CsvService, afluente_csv: Commands, file: Path, method: str
) -> None:
    csv_service.multipart = 1_000
    csv_service.steps["a.csv"] = [DONE]
    expired = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    csv_service.faults = [Fault(method, "/bucket", 403, expired)]

    assert afluente_csv("send", str(file), *TO).code == 0

    [renewal] = [one for one in csv_service.came if RENEWAL.fullmatch(one.path)]
    assert json.loads(renewal.body) == {"size": len(CONTENT), "upload_id": "u-job-1"}
    assert csv_service.objects == {"/bucket/job-1": CONTENT}


@pytest.mark.parametrize("multipart", [None, 1_000])
def test_an_upload_that_is_refused_leaves_nothing_and_the_others_go_on(
    csv_service: CsvService, afluente_csv: Commands, tmp_path: Path, multipart: int | None
) -> None:
    csv_service.multipart = multipart
    csv_service.steps["b.csv"] = [DONE]
    expired = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    csv_service.faults = [Fault("PUT", "/bucket/job-1", 403, expired) for _ in range(2 if multipart else 1)]
    result = afluente_csv("send", str(a_file(tmp_path, "a.csv")), str(a_file(tmp_path, "b.csv")), *TO)
    assert result.code == ExitCode.FAILED
    assert "a.csv was not sent: S3 did not take the file: 403 Forbidden: Request has expired AccessDenied" in result.err
    assert csv_service.jobs["job-1"]["status"] == "cancelled"
    assert csv_service.objects == {"/bucket/job-2": CONTENT}
    assert csv_service.parts == {}


def test_a_service_that_stays_away_ends_it_with_exit_code_3(
    csv_service: CsvService, afluente_csv: Commands, tmp_path: Path
) -> None:
    csv_service.faults = [Fault("PUT", "/bucket/job-2", 503) for _ in range(8)]
    result = afluente_csv("send", *(str(a_file(tmp_path, name)) for name in ("a.csv", "b.csv", "c.csv")), *TO)
    assert result.code == ExitCode.UNREACHABLE
    assert "did not take the file after 8 attempts: 503 Service Unavailable" in result.err
    assert "a.csv: job job-1 goes on by itself" in result.err
    assert csv_service.jobs["job-2"]["status"] == "cancelled"
    assert len(csv_service.announced) == 2


def test_a_problem_is_reported_with_all_its_errors(csv_service: CsvService, afluente_csv: Commands, file: Path) -> None:
    problem = (
        b'{"title":"t","status":422,"detail":"the options have faults","code":"invalid_request","errors":'
        b'[{"code":"out_of_range","field":"options.step","message":"must be more than 0"},{"message":"and so on"}]}'
    )
    csv_service.faults = [Fault("POST", "/stage", 422, problem)]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == ExitCode.FAILED
    assert "422 Unprocessable" in result.err
    assert ": the options have faults\n  options.step: must be more than 0 (out_of_range)\n  and so on" in result.err


def test_a_file_that_grows_is_not_sent_in_part(csv_service: CsvService, afluente_csv: Commands, file: Path) -> None:
    def grow() -> None:
        with file.open("ab") as more:
            more.write(b"more")

    csv_service.faults = [Fault("PUT", "/bucket", act=grow, is_done=True, status=200)]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == ExitCode.FAILED
    assert "is being changed" in result.err
    assert csv_service.jobs["job-1"]["status"] == "cancelled"


@pytest.mark.parametrize("length", [0, 100])
def test_a_file_that_shrinks_is_not_sent(
    csv_service: CsvService, afluente_csv: Commands, file: Path, length: int
) -> None:
    csv_service.faults = [Fault("PUT", "/bucket", act=lambda: os.truncate(file, length))]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == ExitCode.FAILED
    assert "is being changed" in result.err


@pytest.mark.parametrize("multipart", [None, 1_000])
def test_ctrl_c_while_a_file_goes_up_leaves_nothing_of_it(
    csv_service: CsvService, afluente_csv: Commands, tmp_path: Path, multipart: int | None
) -> None:
    csv_service.multipart = multipart
    csv_service.faults = [Fault("PUT", "/bucket/job-2", after=10, act=press_ctrl_c)]
    result = afluente_csv("send", *(str(a_file(tmp_path, name)) for name in ("a.csv", "b.csv", "c.csv")), *TO)
    assert result.code == ExitCode.INTERRUPTED
    assert "nothing is kept of what was not uploaded whole" in result.err
    assert "a.csv: job job-1 goes on by itself" in result.err
    assert csv_service.jobs["job-2"]["status"] == "cancelled"
    assert set(csv_service.objects) == {"/bucket/job-1"}
    assert csv_service.parts == {}


def test_ctrl_c_while_the_service_reads_does_not_stop_it(
    csv_service: CsvService, afluente_csv: Commands, tmp_path: Path
) -> None:
    csv_service.steps = {"a.csv": [DONE], "b.csv": [{"status": "reading"}]}
    csv_service.faults = [Fault("GET", "/stage/ingest/csv/job-2", act=press_ctrl_c)]
    result = afluente_csv("send", str(a_file(tmp_path, "a.csv")), str(a_file(tmp_path, "b.csv")), *TO)
    assert result.code == ExitCode.INTERRUPTED
    assert "a.csv: 60 points queued" in result.out
    assert "b.csv: job job-2 goes on by itself" in result.err
    assert "'afluente csv job job-2 --watch'" in result.err
    assert "'afluente csv cancel job-2'" in result.err
    assert "job-1" not in result.err
    assert csv_service.requests("DELETE") == []


def test_what_cannot_be_taken_back_is_said(csv_service: CsvService, afluente_csv: Commands, file: Path) -> None:
    csv_service.faults = [Fault("PUT", "/bucket", 403), Fault("DELETE", "/stage", 503)]
    result = afluente_csv("send", str(file), *TO)
    assert result.code == ExitCode.FAILED
    assert "job job-1 was not taken back" in result.err


def test_a_stage_without_csv_says_how_to_switch_it_on(
    csv_service: CsvService, afluente_csv: Commands, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: {"HttpApiUrl": csv_service.url})
    result = afluente_csv("send", str(file), *TO)
    assert result.code == ExitCode.FAILED
    assert "CSV ingestion is switched off there" in result.err
    assert "enable_csv_ingest" in result.err
