"""Looking at CSV jobs, fetching what was rejected, and ending jobs."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from afluente.application.csv.faults import JobFault
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from cli.core.errors import ExitCode
from cli.core.times import iso_time
from cli.csv.files import LocalFile
from cli.csv.progress import JobProgress, TransferProgress
from cli.csv.rendering import show_result, span
from tests.unit.cli.csv.commands import Commands, press_ctrl_c
from tests.unit.cli.csv.service import CsvService, Fault, a_report

REASON = {"code": "unreadable_times", "message": "'x' [sic] is no time"}
REJECTS = b"rejected_line,rejected_why,time,value\n" + b"4,unreadable_time,x,1\n" * 50


def add(service: CsvService, *reports: dict[str, Any]) -> None:
    service.jobs |= {report["job_id"]: report for report in reports}


def full_report(service: CsvService) -> dict[str, Any]:
    first = [{"line": 4, "row": "x,1", "message": "'x' is no time", "column": "time"}, _ragged(9)]
    return a_report(
        rows_read=1_000,
        points_queued=1_995,
        rows_rejected=5,
        bytes_done=50_000,
        bytes_total=50_000,
        streams={f"s:stream-{number}": number for number in range(1, 24)},
        first_timestamp=0.0,
        last_timestamp=1_767_225_600.5,
        errors=[{"code": "unreadable_time", "count": 5, "first": first}],
        started_at=1_001.0,
        finished_at=1_066.0,
        options={"delimiter": ";", "timestamp_column": ["a", "b"]},
        options_from="inbox/iot/s/_ingest.json",
        rejects_url=f"{service.host}/bucket/rejects?signature=x",
    )


def _ragged(line: int) -> dict[str, Any]:
    return {"line": line, "row": "[b]1,2,3", "message": "has 3 cells, not 2"}


@pytest.mark.parametrize("command", ["send", "inspect", "jobs", "job", "rejects", "cancel"])
def test_every_command_teaches_with_an_example(afluente_csv: Commands, command: str) -> None:
    result = afluente_csv(command, "--help", targeted=False)
    assert result.code == 0
    assert f"afluente csv {command}" in result.out.split("Example")[1]


@pytest.mark.parametrize("command", [["jobs"], ["job", "x"], ["rejects", "x"], ["cancel", "x"]], ids=" ".join)
def test_without_a_stack_they_say_how_to_start_one(afluente_csv: Commands, command: list[str]) -> None:
    result = afluente_csv(*command, targeted=False)
    assert result.code == ExitCode.UNREACHABLE
    assert result.err == "error: no local stack is running\n→ run 'afluente up'\n"


def test_jobs_are_listed_page_by_page_newest_first(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, *(a_report(job_id=f"job-{number}", created_at=1000.0 + number) for number in range(7)))
    result = afluente_csv("jobs", "--limit", "5", "--json")
    assert result.code == 0
    assert [job["job_id"] for job in result.json_lines[0]] == ["job-6", "job-5", "job-4", "job-3", "job-2"]
    assert [came.query["limit"] for came in csv_service.came] == ["5", "3", "1"]
    assert len(afluente_csv("jobs", "--json").json_lines[0]) == 7


def test_what_is_asked_for_is_what_is_listed(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, a_report(job_id="job-1"), a_report(job_id="job-2", status="failed", reason=REASON))
    result = afluente_csv("jobs", "--domain", "iot", "--source", "s", "--status", "failed")
    assert csv_service.came[0].query == {"domain": "iot", "source_id": "s", "status": "failed", "limit": "20"}
    assert "job-2" in result.out
    assert "job-1" not in result.out


def test_a_table_of_jobs_has_a_line_each(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, full_report(csv_service), a_report(job_id="job-2", status="awaiting_upload", file="[x].csv"))
    result = afluente_csv("jobs")
    header, first, second = result.out.splitlines()
    assert header.split() == ["id", "status", "file", "source", "rows", "points", "rejected", "age", "duration"]
    assert first.split()[:7] == ["job-1", "complete", "a.csv", "iot/s", "1,000", "1,995", "5"]
    assert first.rstrip().endswith("1 min 5 s")
    assert "awaiting upload" in second
    assert "[x].csv" in second


def test_no_jobs_are_said_to_be_none(csv_service: CsvService, afluente_csv: Commands) -> None:
    assert "there are no such jobs" in afluente_csv("jobs").out
    assert afluente_csv("jobs", "--json").out == "[]\n"


def test_a_job_is_shown_with_everything(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, full_report(csv_service))
    result = afluente_csv("job", "job-1")
    assert result.code == 0
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    for expected in (
        "source iot/s",
        "read 50.0 kB of 50.0 kB, 1,000 rows",
        "points queued 1,995",
        "rows rejected 5",
        "times 1970-01-01T00:00:00.000Z to 2026-01-01T00:00:00.500Z",
        "ended 1970-01-01T00:17:46.000Z, after 1 min 5 s",
        "options from inbox/iot/s/_ingest.json",
        "s:stream-20 20",
        "and 3 more",
        'timestamp_column ["a","b"]',
        "unreadable_time 5 4 time: 'x' is no time x,1",
        "9 has 3 cells, not 2 [b]1,2,3",
    ):
        assert expected in lines
    assert "s:stream-21" not in result.out
    assert "afluente csv rejects job-1" in result.out


def test_a_failed_job_is_shown_with_the_hint(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, a_report(status="failed", reason=REASON))
    result = afluente_csv("job", "job-1")
    assert result.code == 0
    assert (
        "'x' [sic] is no time (unreadable_times)\n→ see how it is read with 'afluente csv inspect FILE'" in result.out
    )


def test_a_program_gets_a_job_as_the_api_tells_of_it(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, full_report(csv_service))
    assert afluente_csv("job", "job-1", "--json").json_lines == [full_report(csv_service)]


def test_a_job_is_watched_until_it_has_ended(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, a_report(status="reading", bytes_total=100))
    csv_service.objects["/bucket/job-1"] = b""
    csv_service.steps["a.csv"] = [{"bytes_done": 50}, {"bytes_done": 100, "status": "complete"}]
    result = afluente_csv("job", "job-1", "--watch", "--json")
    assert [job["status"] for job in result.json_lines] == ["complete"]
    assert result.err == "a.csv: reading, 50% of 100 bytes, 0 rows read, 0 points queued, 0 rows rejected\n"


def test_ctrl_c_ends_the_watching_alone(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, a_report(status="reading"))
    csv_service.faults = [Fault("GET", "/stage/ingest/csv/job-1", act=press_ctrl_c)]
    result = afluente_csv("job", "job-1", "--watch")
    assert result.code == ExitCode.INTERRUPTED
    assert "job job-1 goes on by itself" in result.err
    assert csv_service.requests("DELETE") == []


@pytest.mark.parametrize("command", ["job", "rejects", "cancel"])
def test_a_job_that_is_none_is_said_to_be_so(csv_service: CsvService, afluente_csv: Commands, command: str) -> None:
    result = afluente_csv(command, "a/b?c")
    assert result.code == ExitCode.FAILED
    assert "404 Not Found: there is no such job" in result.err
    assert "'afluente csv jobs' shows" in result.err
    assert csv_service.came[0].path == "/stage/ingest/csv/a%2Fb%3Fc"


def test_a_wrong_key_has_a_hint(csv_service: CsvService, afluente_csv: Commands) -> None:
    result = afluente_csv("jobs", "--key", "another", "--stage", "dev", "--region", "eu-west-1", targeted=False)
    assert result.code == ExitCode.FAILED
    assert "401 Unauthorized: Unauthorized" in result.err
    assert "afluente keys create" in result.err


def test_an_answer_that_nobody_can_read_is_an_error(csv_service: CsvService, afluente_csv: Commands) -> None:
    csv_service.faults = [Fault("GET", "/stage", 200, b"\xff"), Fault("GET", "/stage", 404, b"<html>")]
    assert "something unreadable" in afluente_csv("job", "job-1").err
    assert "404 Not Found\n" in afluente_csv("job", "job-1").err


def test_a_job_is_cancelled(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, a_report(status="reading", points_queued=7))
    result = afluente_csv("cancel", "job-1")
    assert result.code == 0
    assert "a.csv: cancelled; 7 points queued stay so" in result.out
    assert [job["status"] for job in afluente_csv("cancel", "job-1", "--json").json_lines] == ["cancelled"]


def test_a_job_that_has_ended_cannot_be_cancelled(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, a_report())
    result = afluente_csv("cancel", "job-1")
    assert result.code == ExitCode.FAILED
    assert "409 Conflict: job-1 has ended: it is complete" in result.err


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        [Fault("GET", "/bucket"), Fault("GET", "/bucket", 503)],
        [Fault("GET", "/bucket", after=100, is_done=True), Fault("GET", "/bucket", after=200, is_done=True)],
        [Fault("GET", "/bucket", after=100, is_done=True), Fault("GET", "/bucket", 200, REJECTS)],
    ],
    ids=["at once", "away", "cut", "cut, and from the beginning"],
)
def test_rejected_rows_are_fetched_whole(
    csv_service: CsvService, afluente_csv: Commands, faults: list[Fault], *, to_file: bool
) -> None:
    add(csv_service, full_report(csv_service))
    csv_service.rejects = REJECTS
    csv_service.faults = [Fault(**vars(fault)) for fault in faults]
    result = afluente_csv("rejects", "job-1", *(["--output", "r.csv"] if to_file else []))
    assert result.code == 0
    assert (Path("r.csv").read_bytes() if to_file else result.out.encode()) == REJECTS
    assert all("x-api-key" not in came.headers for came in csv_service.requests("GET", "/bucket"))
    assert csv_service.faults == []
    assert bool(faults) is ("again in" in result.err)
    assert not to_file or f"wrote {len(REJECTS):,} bytes to r.csv" in result.err


def test_a_file_of_rejected_rows_is_whole_or_not_there(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, full_report(csv_service))
    csv_service.rejects = REJECTS
    csv_service.faults = [Fault("GET", "/bucket", after=100, is_done=True), Fault("GET", "/bucket", 403)]
    result = afluente_csv("rejects", "job-1", "--output", "r.csv")
    assert result.code == ExitCode.FAILED
    assert "cannot be fetched: 403 Forbidden" in result.err
    assert list(Path.cwd().iterdir()) == []


def test_rejected_rows_that_stay_away_are_given_up(csv_service: CsvService, afluente_csv: Commands) -> None:
    add(csv_service, full_report(csv_service))
    csv_service.faults = [Fault("GET", "/bucket", 503) for _ in range(8)]
    result = afluente_csv("rejects", "job-1")
    assert result.code == ExitCode.UNREACHABLE
    assert result.err.count("again in") == 7


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, ExitCode.OK, "no row was rejected by job job-1"),
        ({"status": "reading", "rows_rejected": 1}, ExitCode.FAILED, "job job-1 has not ended: it is reading"),
        ({"rows_rejected": 1_000}, ExitCode.FAILED, "the 1,000 rejected rows of job job-1 are not kept any more"),
    ],
)
def test_where_there_are_no_rejected_rows_it_says_why(
    csv_service: CsvService, afluente_csv: Commands, changes: dict[str, Any], code: ExitCode, said: str
) -> None:
    add(csv_service, a_report(**changes))
    result = afluente_csv("rejects", "job-1")
    assert (result.code, result.out) == (code, "")
    assert said in result.err


@pytest.fixture
def terminal() -> Console:
    return Console(record=True, width=200, force_terminal=True)


@pytest.fixture
def log() -> Console:
    return Console(record=True, width=200, force_terminal=False)


def as_report(**changes: Any) -> JobReport:
    return msgspec.convert(a_report(**changes), JobReport)


def test_a_terminal_gets_a_bar_a_file_and_one_of_all(terminal: Console) -> None:
    files = [LocalFile(Path("a.csv"), 1_000), LocalFile(Path("b.csv"), 3_000)]
    display = TransferProgress(terminal, "uploading", "uploaded")
    with display.shown(files):
        display.begin("a.csv", 1_000)
        display.moved(1_000)
        display.end()
        display.begin("b.csv", 3_000)
        display.moved(1_500)
        display.waiting(1.5, "503 Service Unavailable")
    shown = terminal.export_text()
    assert "again in 1.5 s" in shown
    assert "2.5/4.0 kB" in shown
    assert "1.5/3.0 kB" in shown


def test_a_terminal_gets_a_bar_of_a_job(terminal: Console) -> None:
    display = JobProgress(terminal)
    with display.shown():
        display.update(as_report(status="queued"))
        display.update(as_report(status="reading", file="[x].csv", bytes_done=5, bytes_total=10, rows_read=1_500))
    shown = terminal.export_text()
    assert "[x].csv reading" in shown
    assert "1,500 rows read" in shown


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, log: Console) -> None:
    monkeypatch.setattr("cli.core.progress.LINE_SECONDS", 0.0)
    display, jobs = TransferProgress(log, "uploading", "uploaded"), JobProgress(log)
    with display.shown(), jobs.shown():
        display.begin("a.csv", 1_000)
        display.moved(500)
        display.begin("b", None)
        display.moved(500)
        jobs.update(as_report(status="reading"))
        jobs.update(as_report(status="reading"))
        jobs.update(as_report(status="complete"))
    reading = "a.csv: reading, 0 bytes, 0 rows read, 0 points queued, 0 rows rejected"
    assert log.export_text().splitlines() == [
        "uploading a.csv (1.0 kB)",
        "a.csv: 50% of 1.0 kB",
        "uploading b",
        "b: 500 bytes",
        reading,
        reading,
    ]


@pytest.mark.parametrize("code", JobFault)
def test_every_failure_has_a_hint(log: Console, code: JobFault) -> None:
    show_result(log, as_report(status="failed", reason={"code": code, "message": "m"}, points_queued=3))
    shown = log.export_text()
    assert f"failed: m ({code}); 3 points queued before" in shown
    assert "→" in shown


@pytest.mark.parametrize("status", JobStatus)
def test_every_status_can_be_rendered(log: Console, status: JobStatus) -> None:
    show_result(log, as_report(status=status))
    assert log.export_text().startswith("a.csv: ")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1.0, "0.0 s"), (3.14, "3.1 s"), (60.0, "1 min"), (3_725.0, "1 h 2 min"), (100_000.0, "1 d 3 h")],
)
def test_spans_have_the_units_that_matter(seconds: float, expected: str) -> None:
    assert span(seconds) == expected


def test_moments_before_1970_are_moments_too() -> None:
    assert iso_time(-86_400.5) == "1969-12-30T23:59:59.500Z"
