"""`afluente csv …`: CSV files as they are, read by the service."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afluente.application.csv.jobs import JobStatus
from cli.core.errors import CommandError, ExitCode
from cli.core.options import ApiKeyOption, targeted_by_api
from cli.core.output import err, out, print_bytes, print_json
from cli.core.target import Target, TargetChoice, resolve

if TYPE_CHECKING:
    from afluente.application.csv.reports import JobReport
    from cli.csv.client import CsvApi
    from cli.csv.sending import Sending, Sent

_HELP = """
Send CSV files as they are; the service reads them, as a job each.

Files may have any size, delimiter, encoding and form of times; .csv, .csv.gz and .csv.zst are taken. A file that is \
dropped into the bucket, under inbox/DOMAIN/SOURCE/, starts a job too.

[dim]A first look:[/]

  afluente csv inspect readings.csv
  afluente csv send readings.csv --domain iot --source furnace-1
  afluente csv jobs
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="Of the job, as 'afluente csv jobs' shows it.")]
OptionsFile = Annotated[
    Path | None,
    typer.Option(
        "--options",
        metavar="FILE.json",
        exists=True,
        dir_okay=False,
        help="How to read it: a JSON file, as 'afluente csv inspect --save' writes it.",
    ),
]
SingleOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="One option, in place of that of --options; repeat it. The value is JSON, or else a string.",
    ),
]


@app.command()
@targeted_by_api
def send(
    *,
    target: TargetChoice,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="CSV files, packed with gzip or zstd or not.")],
    domain: Annotated[str, typer.Option("--domain", help="Domain of the points, such as iot.")],
    source: Annotated[str, typer.Option("--source", help="The machine, server, market or patient they come from.")],
    options: OptionsFile = None,
    option: SingleOptions = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End when the files are uploaded.")] = False,
    allow_duplicate: Annotated[
        bool, typer.Option("--allow-duplicate", help="Read a file though its content was read before.")
    ] = False,
    key: ApiKeyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON line a job at the end.")] = False,
) -> None:
    """Upload CSV files and watch until the service has read them.

    How a file is to be read is inferred: its encoding, its delimiter, which column is the time and which are streams.
    'afluente csv inspect' shows that beforehand. Where it is wrong, say it with --option, or with --options for a file
    of them: timestamp_column, timestamp_pattern, timezone, decimal, stream_column, …

    What is lost on the way is sent again. Ctrl-C while a file goes up leaves nothing of it; Ctrl-C while the service
    reads does not stop that. Exit code 4 says that some rows were rejected, 1 that a job failed.

    [dim]Examples:[/]

      afluente csv send readings.csv --domain iot --source furnace-1
      afluente csv send 2026-*.csv --domain iot --source press-1 --options press.json
      afluente csv send a.csv --domain iot --source mill-1 --option decimal=,
    """
    from cli.core.retry import Retry
    from cli.csv.choices import chosen_options
    from cli.csv.display import TransferDisplay
    from cli.csv.files import local_files
    from cli.csv.rendering import tell_going_on
    from cli.csv.sending import Destination, Sending
    from cli.csv.uploads import Uploader

    chosen = local_files(files)
    given = chosen_options(options, option or ()) | ({"allow_duplicate": True} if allow_duplicate else {})
    found = resolve(target)
    console = err()
    display = TransferDisplay(console, "uploading", "uploaded")
    retry = Retry(display.waiting)
    with _api(found, key) as api, Uploader(use_proxies=found.uses_proxies, retry=retry) as uploader:
        sending = Sending(api, uploader, display, console)
        try:
            sending.upload(chosen, Destination(domain, source, given))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                console.print("stopped; nothing is kept of what was not uploaded whole")
            for sent in sending.sent:
                tell_going_on(console, sent.job_id, sent.name)
            if isinstance(error, KeyboardInterrupt):
                raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
            raise
        for file, failure in sending.failures:
            console.print(f"{file.path} was not sent: {failure.message}", style="red", markup=False, soft_wrap=True)
        reports = _told_jobs(api, sending.sent, wait=not no_wait, quiet=as_json)
    if as_json:
        for report in reports:
            print_json(report)
    _end(reports, sending)


@app.command()
def inspect(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CSV file, packed with gzip or zstd or not.")],
    options: OptionsFile = None,
    option: SingleOptions = None,
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
    from cli.csv.inspection import check_free, look_at, report_of, tell, tell_where_to_put
    from cli.csv.inspection import save as write

    looked_at = local_file(file)
    given = chosen_options(options, option or ())
    if save is not None:
        check_free(save, force=force)
    found = look_at(looked_at, given)
    if as_json:
        print_json(report_of(looked_at, found))
    else:
        tell(out(), looked_at, found)
    if save is not None:
        write(save, found)
    tell_where_to_put(err(), looked_at, save)


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
    from cli.csv.rendering import tell_jobs

    with _api(resolve(target), key) as api:
        found = api.jobs(domain=domain, source_id=source, status=status, limit=limit)
    if as_json:
        print_json(found)
    elif found:
        tell_jobs(out(), found, time.time())
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
    from cli.csv.rendering import tell_job

    with _api(resolve(target), key) as api:
        found = _watched(api, job_id, tell_that_it_goes_on=True) if watch else api.job(job_id)
    if as_json:
        print_json(found)
    else:
        tell_job(out(), found, time.time())


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

    Corrected, they can be sent as they are: the columns that tell what was wrong are left out.

    [dim]Example:[/]  afluente csv rejects 5c1d7be2f0a94e38b6d2a7c1 --output rejects.csv
    """
    import sys

    from cli.core.retry import Retry
    from cli.csv.display import TransferDisplay
    from cli.csv.downloads import pieces, write_whole

    found = resolve(target)
    with _api(found, key) as api:
        url = _rejects_url(api.job(job_id))
    console = err()
    if url is None:
        console.print(f"no row was rejected by job {job_id}", markup=False, soft_wrap=True)
        return
    display = TransferDisplay(console, "fetching", "fetched")
    retry = Retry(display.waiting)
    if output is None:
        for piece in pieces(url, use_proxies=found.uses_proxies, on_size=lambda _size: None, retry=retry):
            print_bytes(piece)
        sys.stdout.flush()
        return
    name = str(output)
    with display.shown():
        content = pieces(
            url, use_proxies=found.uses_proxies, on_size=lambda size: display.begin(name, size), retry=retry
        )
        size = write_whole(output, content, display.moved)
    console.print(f"wrote {size:,} bytes to {name}", markup=False, soft_wrap=True)


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
    from cli.csv.rendering import tell_result

    with _api(resolve(target), key) as api:
        report = api.cancel(job_id)
    if as_json:
        print_json(report)
    else:
        tell_result(out(), report)


@contextmanager
def _api(target: Target, key: str | None) -> "Iterator[CsvApi]":
    """The API of CSV jobs, for the block.

    Raises:
        CommandError: the deployment takes no CSV files, or a key is needed.
    """
    from cli.access.api_key import key_for
    from cli.core.retry import Retry
    from cli.csv.client import CsvApi
    from cli.csv.display import say_waiting

    if not target.is_api_alone and "CsvBucket" not in target.outputs:
        raise CommandError(
            f"stage '{target.name}' takes no CSV files: CSV ingestion is switched off there",
            hint="set enable_csv_ingest = true in the stage's file and deploy it again",
        )
    console = err()
    retry = Retry(lambda seconds, reason: say_waiting(console, seconds, reason))
    with CsvApi(target.api_url, key_for(target, key), use_proxies=target.uses_proxies, retry=retry) as api:
        yield api


def _told_jobs(api: "CsvApi", sent: "Sequence[Sent]", *, wait: bool, quiet: bool) -> "list[JobReport]":
    """The jobs of files that are uploaded, each told; unless nobody waits, when it has ended."""
    from cli.csv.rendering import tell_going_on, tell_result

    reports: list[JobReport] = []
    if not wait:
        for one in sent:
            reports.append(api.job(one.job_id))
            tell_going_on(err(), one.job_id, one.name)
        return reports

    def tell(report: "JobReport") -> None:
        reports.append(report)
        if not quiet:
            tell_result(out(), report)

    with _going_on(lambda: [(one.job_id, one.name) for one in sent[len(reports) :]]):
        for one in sent:
            tell(_watched(api, one.job_id))
    return reports


def _watched(api: "CsvApi", job_id: str, *, tell_that_it_goes_on: bool = False) -> "JobReport":
    """A job when it has ended."""
    from cli.csv.display import JobDisplay
    from cli.csv.sending import watch

    display = JobDisplay(err())
    mine: list[tuple[str, str]] = [(job_id, "stopped watching")] if tell_that_it_goes_on else []
    with _going_on(lambda: mine), display.shown():
        return watch(api, job_id, display)


@contextmanager
def _going_on(left: "Callable[[], list[tuple[str, str]]]") -> "Iterator[None]":
    """Where the block is ended by Ctrl-C, say that the jobs that are left go on."""
    from cli.csv.rendering import tell_going_on

    try:
        yield
    except KeyboardInterrupt:
        if not left():
            raise
        for job_id, name in left():
            tell_going_on(err(), job_id, name)
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None


def _rejects_url(report: "JobReport") -> str | None:
    """Where the rejected rows of a job are; None where there are none.

    Raises:
        CommandError: they are not there yet, or not any more.
    """
    if not report.status.is_final:
        raise CommandError(
            f"job {report.job_id} has not ended: it is {report.status.replace('_', ' ')}",
            hint=f"'afluente csv job {report.job_id} --watch' waits until it has",
        )
    if report.rejects_url is None and report.rows_rejected:
        raise CommandError(f"the {report.rows_rejected:,} rejected rows of job {report.job_id} are not kept any more")
    return report.rejects_url


def _end(reports: "Sequence[JobReport]", sending: "Sending") -> None:
    """End with the exit code of what came out."""
    failed = {JobStatus.FAILED, JobStatus.CANCELLED}
    if sending.failures or any(report.status in failed for report in reports):
        raise typer.Exit(int(ExitCode.FAILED))
    if any(report.rows_rejected for report in reports):
        raise typer.Exit(int(ExitCode.REJECTED))
