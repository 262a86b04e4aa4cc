"""`afluente send …`: measurements from a file to the service."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.core.errors import ExitCode
from cli.core.options import ApiKeyOption, CsvOptions, CsvOptionsFile, targeted_by_api
from cli.core.output import out, print_json
from cli.core.target import Target, TargetChoice, resolve

if TYPE_CHECKING:
    from cli.sending.job import Choices
    from cli.sending.progress import SendingProgress
    from cli.sending.run import Transport

app = typer.Typer(help="Send measurements from a file.", no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="A CSV or NDJSON file; - for standard input.")]
Domain = Annotated[str, typer.Option("--domain", help="Domain of the points, such as iot.")]
Source = Annotated[str, typer.Option("--source", help="The machine, server, market or patient they come from.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="CSV: a column to send; repeat it. By default all numeric ones."),
]
StreamType = Annotated[
    str | None, typer.Option("--stream-type", help="CSV: type of the streams, to find constraint templates by.")
]
RejectsFile = Annotated[
    Path | None, typer.Option("--rejects", dir_okay=False, help="Write rejected points to this file, as NDJSON.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier run of this file stopped.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write the counts as one JSON object at the end.")]


@app.command()
@targeted_by_api
def http(
    *,
    target: TargetChoice,
    file: File,
    domain: Domain,
    source: Source,
    column: Columns = None,
    stream_type: StreamType = None,
    options: CsvOptionsFile = None,
    option: CsvOptions = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Points of one request.")] = 1000,
    key: ApiKeyOption = None,
    rejects: RejectsFile = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Send measurements over HTTP, in order, until the service has all of them.

    A CSV file, plain or packed with gzip or zstd, is read as the service reads it for 'afluente csv send':
    encoding, delimiter, times and streams are inferred, and 'afluente csv inspect' shows them. Where they are wrong or
    ambiguous, use --option or --options. A numeric column is a stream, called SOURCE:COLUMN. An empty cell is no point.

    A line of an NDJSON file is one data point: stream_id, value, timestamp and, if wanted, stream_type, sequence and
    metadata.

    While the service is busy or out of reach, requests are retried; points that it has already change nothing. After
    Ctrl-C or an error, --resume goes on. Exit code 4 says that some points were rejected.

    [dim]Example:[/]  afluente send http --domain iot --source furnace-1 readings.csv
    """
    from cli.access.api_key import key_for
    from cli.sending.http import HttpTransport

    found = resolve(target)
    api_key = key_for(found, key)

    def transport(progress: "SendingProgress") -> HttpTransport:
        return HttpTransport(
            found.api_url,
            api_key,
            domain=domain,
            source=source,
            use_proxies=found.uses_proxies,
            on_wait=progress.waiting,
        )

    choices = _choices(file, source, column, stream_type, options, option, resume=resume)
    _send(found, choices, (found.api_url, domain), transport, batch=batch, rejects=rejects, as_json=as_json)


@app.command()
@targeted_by_api
def ws(
    *,
    target: TargetChoice,
    file: File,
    domain: Domain,
    source: Source,
    column: Columns = None,
    stream_type: StreamType = None,
    options: CsvOptionsFile = None,
    option: CsvOptions = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=1_000, help="Points of one message.")] = 1000,
    key: ApiKeyOption = None,
    ws_url: Annotated[
        str | None,
        typer.Option(
            "--ws-url",
            envvar="AFLUENTE_WS_URL",
            metavar="URL",
            help="A WebSocket API, such as wss://…, to be reached with an API key and no AWS credentials.",
        ),
    ] = None,
    rejects: RejectsFile = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Send measurements over a WebSocket, in order, until the service has acknowledged each of them.

    Files are those of 'afluente send http'. One message is in flight. When the connection breaks, and API Gateway ends
    each after two hours, a new one is made and the message that was not acknowledged is sent again; points the service
    has already change nothing. When its queue is slow, the service says how long to wait.

    After Ctrl-C or an error, --resume goes on. Exit code 4 says that some points were rejected.

    [dim]Example:[/]  afluente send ws --domain iot --source furnace-1 readings.csv
    """
    from cli.access.api_key import key_for
    from cli.sending.ws import WsTransport

    found = resolve(replace(target, websocket_url=ws_url))
    url, api_key = found.websocket_url, key_for(found, key)

    def transport(progress: "SendingProgress") -> WsTransport:
        return WsTransport(
            url, api_key, domain=domain, source=source, use_proxies=found.uses_proxies, on_wait=progress.waiting
        )

    choices = _choices(file, source, column, stream_type, options, option, resume=resume)
    _send(found, choices, (url, domain), transport, batch=batch, rejects=rejects, as_json=as_json)


@app.command()
@targeted_by_api
def mqtt(
    *,
    target: TargetChoice,
    file: File,
    domain: Domain,
    source: Source,
    column: Columns = None,
    stream_type: StreamType = None,
    options: CsvOptionsFile = None,
    option: CsvOptions = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Points that are sent together.")] = 1000,
    device: Annotated[
        Path | None,
        typer.Option("--device", file_okay=False, help="Folder of a device. The local stack needs none to be given."),
    ] = None,
    basic_ingest: Annotated[
        bool, typer.Option("--basic-ingest", help="Publish past the broker, where AWS bills no message.")
    ] = False,
    rejects: RejectsFile = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Publish measurements over MQTT, as a device does, until the broker has acknowledged all of them.

    Files are those of 'afluente send http'. The points of a stream that are sent together are one message, an array,
    to the topic DOMAIN/SOURCE/STREAM; one message of a stream is in flight. While the broker is away they are kept, and
    sent again.

    A broker looks into no message: points with faults are acknowledged too, and end in quarantine with their faults.

    [dim]Example:[/]  afluente send mqtt --domain iot --source furnace-1 --device devices/furnace-1 readings.csv
    """
    from cli.devices.devices import device_for
    from cli.sending.mqtt import MqttTransport

    found = resolve(target)
    folder = device or device_for(found, domain, source)

    def transport(progress: "SendingProgress") -> MqttTransport:
        return MqttTransport(folder, domain=domain, source=source, basic_ingest=basic_ingest, on_wait=progress.waiting)

    choices = _choices(file, source, column, stream_type, options, option, resume=resume)
    _send(found, choices, (found.name, "mqtt", domain), transport, batch=batch, rejects=rejects, as_json=as_json)


def _choices(  # noqa: PLR0917 - options of the commands, as they are given
    file: str,
    source: str,
    columns: list[str] | None,
    stream_type: str | None,
    options_file: Path | None,
    options: list[str] | None,
    *,
    resume: bool,
) -> "Choices":
    from cli.sending.job import Choices

    own: dict[str, Any] = {}
    if columns:
        own["value_columns"] = columns
    if stream_type is not None:
        own["stream_type"] = stream_type
    if not (own or options_file or options):
        return Choices(file, source, resume=resume)
    from cli.csv.choices import chosen_options

    return Choices(file, source, chosen_options(options_file, options or (), own), resume)


def _send(
    target: Target,
    choices: "Choices",
    destination: tuple[str, ...],
    transport: "Callable[[SendingProgress], Transport]",
    *,
    batch: int,
    rejects: Path | None,
    as_json: bool,
) -> None:
    from cli.sending.sending import send_file, show_summary

    summary = send_file(choices, target.state.positions, destination, transport, batch=batch, rejects=rejects)
    if as_json:
        print_json(summary)
    else:
        show_summary(out(), summary)
    if summary.rejected:
        raise typer.Exit(int(ExitCode.REJECTED))
