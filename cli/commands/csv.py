"""`afluente csv …`: CSV files as they are, read by the service."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afluente.application.csv.jobs import JobStatus
from cli.core.errors import ExitCode
from cli.core.options import ApiKeyOption, CsvOptions, CsvOptionsFile, targeted_by_api
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve

if TYPE_CHECKING:
    from afluente.application.csv.reports import JobReport

_HELP = """
Send CSV files as they are; the service reads them, as a job each.

Files may have any size, delimiter, encoding and form of times; .csv, .csv.gz and .csv.zst are accepted. A file that \
is dropped into the bucket, under inbox/DOMAIN/SOURCE/, starts a job too.

[dim]A first look:[/]

  afluente csv inspect readings.csv
  afluente csv send readings.csv --domain iot --source furnace-1
  afluente csv jobs
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="Of the job, as 'afluente csv jobs' shows it.")]


@app.command()
@targeted_by_api
def send(
    *,
    target: TargetChoice,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="CSV files, packed with gzip or zstd or not.")],
    domain: Annotated[str, typer.Option("--domain", help="Domain of the points, such as iot.")],
    source: Annotated[str, typer.Option("--source", help="The machine, server, market or patient they come from.")],
    options: CsvOptionsFile = None,
    option: CsvOptions = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End when the files are uploaded.")] = False,
    allow_duplicate: Annotated[
        bool, typer.Option("--allow-duplicate", help="Read a file though its content was read before.")
    ] = False,
    key: ApiKeyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON line a job at the end.")] = False,
) -> None:
    """Upload CSV files and watch until the service has read them.

    The encoding, the delimiter, the time column and the streams of a file are inferred, and 'afluente csv inspect'
    shows them. Where they are wrong or ambiguous, use --option, or --options for a file of options: timestamp_column,
    timestamp_pattern, timezone, decimal, stream_column, …

    Requests that fail are retried. Ctrl-C during an upload leaves nothing of the file; Ctrl-C after that ends the
    watching, not the job. Exit code 4 says that some rows were rejected, 1 that a job failed.

    [dim]Examples:[/]

      afluente csv send readings.csv --domain iot --source furnace-1
      afluente csv send 2026-*.csv --domain iot --source press-1 --options press.json
      afluente csv send a.csv --domain iot --source mill-1 --option decimal=,
    """
    from cli.csv.choices import chosen_options
    from cli.csv.client import csv_api
    from cli.csv.files import local_files
    from cli.csv.rendering import show_result
    from cli.csv.sending import Destination, upload_files
    from cli.csv.watching import show_jobs_without_waiting, watch_jobs

    chosen = local_files(files)
    given = chosen_options(options, option or ()) | ({"allow_duplicate": True} if allow_duplicate else {})
    found = resolve(target)
    with csv_api(found, key) as api:
        sending = upload_files(found, api, chosen, Destination(domain, source, given))
        if no_wait:
            reports = show_jobs_without_waiting(api, sending.sent)
        else:
            reports = watch_jobs(api, sending.sent, lambda report: None if as_json else show_result(out(), report))
    if as_json:
        for report in reports:
            print_json(report)
    _exit_with_result(reports, is_complete=not sending.failures)


@app.command()
def inspect(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CSV file, packed with gzip or zstd or not.")],
    options: CsvOptionsFile = None,
    option: CsvOptions = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="OPTIONS.json", dir_okay=False, help="Write the options there.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what --save finds there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show how the service would read a CSV file. Nothing is sent, and no stack need run.

    [dim]Examples:[/]

      afluente csv inspect readings.csv
      afluente csv inspect a.csv --option timezone=Europe/Madrid --save a.csv.json
    """
    from cli.csv.choices import chosen_options
    from cli.csv.files import local_file
    from cli.csv.inspection import (
        check_free,
        inspect_file,
        report_of,
        save_options,
        show_inspection,
        show_use_of_options,
    )

    inspected = local_file(file)
    given = chosen_options(options, option or ())
    if save is not None:
        check_free(save, force=force)
    found = inspect_file(inspected, given)
    if as_json:
        print_json(report_of(inspected, found))
    else:
        show_inspection(out(), inspected, found)
    if save is not None:
        save_options(save, found)
    show_use_of_options(err(), inspected, save)


@app.command()
@targeted_by_api
def jobs(
    *,
    target: TargetChoice,
    domain: Annotated[str | None, typer.Option("--domain", help="Only jobs of this domain.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only jobs of this source.")] = None,
    status: Annotated[JobStatus | None, typer.Option("--status", help="Only jobs that are so far.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at the most.")] = 20,
    key: ApiKeyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document.")] = False,
) -> None:
    """List the jobs of CSV files, the newest first: of files that were sent, and of files dropped into the bucket.

    [dim]Example:[/]  afluente csv jobs --source furnace-1 --status failed
    """
    from cli.csv.client import csv_api
    from cli.csv.rendering import show_jobs

    with csv_api(resolve(target), key) as api:
        found = api.jobs(domain=domain, source_id=source, status=status, limit=limit)
    if as_json:
        print_json(found)
    elif found:
        show_jobs(out(), found, time.time())
    else:
        out().print("there are no such jobs; 'afluente csv send FILE' begins one")


@app.command()
@targeted_by_api
def job(
    *,
    target: TargetChoice,
    job_id: JobId,
    watch: Annotated[bool, typer.Option("--watch", help="Show how far it is, until it has ended.")] = False,
    key: ApiKeyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show everything about a job: counts, streams, options, the first rejected rows, why it failed.

    Ctrl-C ends --watch, not the job.

    [dim]Example:[/]  afluente csv job 5c1d7be2f0a94e38b6d2a7c1 --watch
    """
    from cli.csv.client import csv_api
    from cli.csv.rendering import show_job
    from cli.csv.watching import watch_job

    with csv_api(resolve(target), key) as api:
        found = watch_job(api, job_id) if watch else api.job(job_id)
    if as_json:
        print_json(found)
    else:
        show_job(out(), found, time.time())


@app.command()
@targeted_by_api
def rejects(
    *,
    target: TargetChoice,
    job_id: JobId,
    output: Annotated[
        Path | None,
        typer.Option("--output", dir_okay=False, help="Write them to this file; by default to standard output."),
    ] = None,
    key: ApiKeyOption = None,
) -> None:
    """Fetch the rows of a file that were rejected, as CSV, each with what is wrong with it.

    Corrected, they can be sent as they are: the columns with the faults are ignored.

    [dim]Example:[/]  afluente csv rejects 5c1d7be2f0a94e38b6d2a7c1 --output rejects.csv
    """
    from cli.csv.client import csv_api
    from cli.csv.downloads import download, rejects_url

    found = resolve(target)
    with csv_api(found, key) as api:
        url = rejects_url(api.job(job_id))
    if url is None:
        err().print(f"no row was rejected by job {job_id}", markup=False, soft_wrap=True)
    else:
        download(url, output, use_proxies=found.uses_proxies)


@app.command()
@targeted_by_api
def cancel(
    *,
    target: TargetChoice,
    job_id: JobId,
    key: ApiKeyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the job as one JSON object.")] = False,
) -> None:
    """End a job before its time. Points that are queued already stay so.

    [dim]Example:[/]  afluente csv cancel 5c1d7be2f0a94e38b6d2a7c1
    """
    from cli.csv.client import csv_api
    from cli.csv.rendering import show_result

    with csv_api(resolve(target), key) as api:
        report = api.cancel(job_id)
    if as_json:
        print_json(report)
    else:
        show_result(out(), report)


def _exit_with_result(reports: "Sequence[JobReport]", *, is_complete: bool) -> None:
    """End with the exit code of the result: not all files sent or read, or rows rejected."""
    failed = {JobStatus.FAILED, JobStatus.CANCELLED}
    if not is_complete or any(report.status in failed for report in reports):
        raise typer.Exit(int(ExitCode.FAILED))
    if any(report.rows_rejected for report in reports):
        raise typer.Exit(int(ExitCode.REJECTED))
