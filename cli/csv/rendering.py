"""Jobs for people."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from afluente.application.csv.faults import JobFault
from afluente.application.csv.files import FILE_SUFFIXES, INBOX
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import ErrorReport, JobReport
from cli.core.times import iso_time

_SHOWN_STREAMS = 20
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_COLOURS = {
    JobStatus.AWAITING_UPLOAD: "dim",
    JobStatus.QUEUED: "dim",
    JobStatus.READING: "cyan",
    JobStatus.COMPLETE: "green",
    JobStatus.FAILED: "red",
    JobStatus.CANCELLED: "yellow",
    JobStatus.DUPLICATE: "yellow",
}
_ENDINGS = ", ".join(FILE_SUFFIXES)
_OPTIONS = "see how it is read with 'afluente csv inspect FILE', and send it again with --option or --options"
_HINTS = {
    JobFault.BAD_KEY: f"put files under {INBOX}/<domain>/<source_id>/, or send them with 'afluente csv send'",
    JobFault.UNKNOWN_DOMAIN: "send it with a --domain that is open, or open the domain in the stage's file",
    JobFault.UNSUPPORTED_FILE: f"rename it: names end with {_ENDINGS}",
    JobFault.EMPTY_FILE: "send a file with rows",
    JobFault.DAMAGED_ARCHIVE: "pack it again, and send it again",
    JobFault.FILE_GONE: "send it again",
    JobFault.KEY_REVOKED: "send it again with a key that is valid",
    JobFault.UPLOAD_USED: "send it again with 'afluente csv send', which begins another upload",
    JobFault.TOO_MANY_BYTES: "send it again tomorrow (UTC), or ask the operators for a higher limit",
    JobFault.GIVEN_UP: "see 'afluente logs csv_trigger', then send it again",
}


def show_result(console: Console, report: JobReport) -> None:
    """Show the result of a job: a line, and a table of rejected rows."""
    console.print(_result_line(report), soft_wrap=True)
    if report.status is JobStatus.FAILED:
        console.print(f"  [dim]→[/] {_hint(report)}", soft_wrap=True)
    if report.rows_rejected:
        console.print(_errors_table(report.errors))
        console.print(f"  [dim]→[/] {_rejects_hint(report)}", soft_wrap=True)


def show_jobs(console: Console, reports: Sequence[JobReport], now: float) -> None:
    """Show jobs, a line each."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("id", "status", "file", "source"):
        table.add_column(name, overflow="fold", no_wrap=name in {"id", "status"})
    for name in ("rows", "points", "rejected", "age", "duration"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        rejected = f"{report.rows_rejected:,}"
        table.add_row(
            escape(report.job_id),
            _coloured(report.status),
            escape(report.file),
            escape(f"{report.domain}/{report.source_id}"),
            f"{report.rows_read:,}",
            f"{report.points_queued:,}",
            f"[yellow]{rejected}[/]" if report.rows_rejected else rejected,
            span(now - report.created_at),
            span(_duration(report, now)),
        )
    console.print(table)


def show_job(console: Console, report: JobReport, now: float) -> None:
    """Show everything about a job."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(report, now):
        table.add_row(name, value)
    console.print(table)
    if report.reason is not None:
        console.print(f"[red]{escape(report.reason.message)}[/] ({report.reason.code})", soft_wrap=True)
        console.print(f"[dim]→[/] {_hint(report)}", soft_wrap=True)
    _show_streams(console, report)
    if report.options:
        table = Table("option", "value", box=None, padding=(0, 2, 0, 0))
        for name, value in report.options.items():
            table.add_row(escape(name), escape(json_text(value)))
        console.print(table)
    if report.errors:
        console.print(_rows_table(report.errors))
    if report.rows_rejected:
        console.print(f"[dim]→[/] {_rejects_hint(report)}", soft_wrap=True)


def show_running_job(console: Console, job_id: str, file: str) -> None:
    """Show that a job goes on, watched or not."""
    console.print(
        f"{file}: job {job_id} goes on by itself\n"
        f"→ 'afluente csv job {job_id} --watch' shows how far it is, 'afluente csv cancel {job_id}' ends it",
        markup=False,
        soft_wrap=True,
    )


def span(seconds: float) -> str:
    """A duration in one or two units."""
    seconds = max(0.0, seconds)
    for place, (size, unit) in enumerate(_SPANS):
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            smaller, name = _SPANS[place + 1] if place + 1 < len(_SPANS) else (1, "s")
            return f"{whole} {unit} {rest // smaller} {name}" if rest // smaller else f"{whole} {unit}"
    return f"{seconds:.1f} s"


def json_text(value: Any) -> str:
    """A value as JSON has it."""
    return msgspec.json.encode(value).decode()


def _result_line(report: JobReport) -> str:
    name = f"[bold]{escape(report.file)}[/]"
    job = f"[dim](job {escape(report.job_id)})[/]"
    rejected = f"[yellow]{report.rows_rejected:,} rejected[/]" if report.rows_rejected else "none rejected"
    read = f"{report.rows_read:,} rows read, {rejected}"
    points = f"{report.points_queued:,} points queued"
    match report.status:
        case JobStatus.COMPLETE:
            return f"{name}: [green]{points}[/], {read}, in {span(_duration(report, report.updated_at))} {job}"
        case JobStatus.FAILED:
            why = escape(f"{report.reason.message} ({report.reason.code})") if report.reason else "no reason is known"
            before = f"; {points} before" if report.points_queued else ""
            return f"{name}: [red]failed[/]: {why}{before} {job}"
        case JobStatus.DUPLICATE:
            other = f" by job {escape(report.duplicate_of)}" if report.duplicate_of else ""
            return (
                f"{name}: [yellow]duplicate[/]: the same content was read before{other}, nothing is queued again;"
                f" --allow-duplicate reads it again {job}"
            )
        case JobStatus.CANCELLED:
            return f"{name}: [yellow]cancelled[/]; {points} stay so, {read} {job}"
        case _:
            return f"{name}: {_coloured(report.status)}; {points}, {read} {job}"


def _facts(report: JobReport, now: float) -> Iterator[tuple[str, str]]:
    yield "job", escape(report.job_id)
    yield "status", _coloured(report.status)
    yield "file", escape(report.file)
    yield "source", escape(f"{report.domain}/{report.source_id}")
    size = "" if report.bytes_total is None else f" of {decimal(report.bytes_total)}"
    yield "read", f"{decimal(report.bytes_done)}{size}, {report.rows_read:,} rows"
    yield "points queued", f"{report.points_queued:,}"
    rejected = f"{report.rows_rejected:,}"
    yield "rows rejected", f"[yellow]{rejected}[/]" if report.rows_rejected else rejected
    if report.first_timestamp is not None and report.last_timestamp is not None:
        yield "times", f"{iso_time(report.first_timestamp)} to {iso_time(report.last_timestamp)}"
    yield "created", iso_time(report.created_at)
    if report.started_at is not None:
        yield "started", iso_time(report.started_at)
    if report.finished_at is not None:
        yield "ended", f"{iso_time(report.finished_at)}, after {span(_duration(report, now))}"
    if report.duplicate_of:
        yield "duplicate of", f"job {escape(report.duplicate_of)}"
    yield "options from", escape(report.options_from or "nowhere: all is inferred")


def _show_streams(console: Console, report: JobReport) -> None:
    if not report.streams:
        return
    table = Table("stream", box=None, padding=(0, 2, 0, 0))
    table.add_column("points", justify="right")
    for name in list(report.streams)[:_SHOWN_STREAMS]:
        table.add_row(escape(name), f"{report.streams[name]:,}")
    console.print(table)
    more = len(report.streams) - _SHOWN_STREAMS
    if more > 0:
        console.print(f"[dim]and {more:,} more[/]")


def _errors_table(errors: Sequence[ErrorReport]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    table.add_column("error", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("first", overflow="fold")
    for error in errors:
        lines = ", ".join(f"{row.line:,}" for row in error.first)
        first = error.first[0] if error.first else None
        fault = f"line {lines}: {_of_column(first.column)}{first.message}" if first else ""
        table.add_row(escape(error.code), f"{error.count:,}", escape(fault))
    return table


def _rows_table(errors: Sequence[ErrorReport]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("error", no_wrap=True)
    for name in ("count", "line"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("message", "row"):
        table.add_column(name, overflow="fold")
    for error in errors:
        label = (escape(error.code), f"{error.count:,}")
        for row in error.first:
            message = escape(f"{_of_column(row.column)}{row.message}")
            table.add_row(*label, f"{row.line:,}", message, escape(row.row))
            label = ("", "")
    return table


def _of_column(column: str | None) -> str:
    return f"{column}: " if column is not None else ""


def _coloured(status: JobStatus) -> str:
    return f"[{_COLOURS[status]}]{status.replace('_', ' ')}[/]"


def _duration(report: JobReport, now: float) -> float:
    return (report.finished_at or now) - (report.started_at or report.created_at)


def _hint(report: JobReport) -> str:
    return _HINTS.get(report.reason.code, _OPTIONS) if report.reason else f"'afluente csv job {report.job_id}'"


def _rejects_hint(report: JobReport) -> str:
    return f"fetch the rejected rows with 'afluente csv rejects {escape(report.job_id)} --output rejects.csv'"
