"""`afluente alarms`: alarms raised and cleared."""

import sys
from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from cli.core.options import targeted_by_api
from cli.core.output import out, print_json_line
from cli.core.target import Target, TargetChoice, resolve
from cli.core.times import since_option

if TYPE_CHECKING:
    from afluente.domain.alarms import AlarmEvent

_EVERYTHING = "*"


@targeted_by_api
def alarms(
    *,
    target: TargetChoice,
    key: Annotated[
        str, typer.Option("--key", metavar="GLOB", help="Only these streams, such as 'iot/furnace-*'.")
    ] = _EVERYTHING,
    api_key: Annotated[
        str | None, typer.Option("--api-key", envvar="AFLUENTE_API_KEY", help="API key, with --url.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=since_option, metavar="TIME", help="Reported since: 10m, 2h, 1d or an ISO 8601 time."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write each event as it was published, a line each.")] = False,
) -> None:
    """Show the alarms that were raised and cleared, oldest report first, each once.

    Shows all that the log group still has, unless --since says otherwise. Times shown are those of the data. With --url
    the API is asked, and tells those that the API key reaches.

    [dim]Examples:[/]

      afluente alarms --follow --since 1h
      afluente alarms --url https://a1b2c3.execute-api.eu-west-1.amazonaws.com --since 1d
    """
    from cli.reading.rendering import alarm_line

    found = resolve(target)
    told: set[tuple[str, str, float]] = set()
    console = out()
    for line, event in _events(found, api_key, key, since, follow=follow):
        if not fnmatchcase(f"{event.domain}/{event.source_id}/{event.stream_id}", key):
            continue
        # A pack that came twice has reported its alarms twice.
        identity = (event.alarm_id, event.state, event.timestamp)
        if identity in told:
            continue
        told.add(identity)
        if as_json:
            print_json_line(line)
        else:
            console.print(alarm_line(event), soft_wrap=True)
        if follow:
            sys.stdout.flush()


def _events(
    target: Target, api_key: str | None, key: str, since: datetime | None, *, follow: bool
) -> "Iterator[tuple[str, AlarmEvent]]":
    """The events, each with its line as it was published."""
    began = since.timestamp() if since else 0.0
    if target.is_api_alone:
        from cli.access.api_key import key_for
        from cli.core.api import Api
        from cli.reading.alarms_api import alarms_by_api, as_published

        pattern = None if key == _EVERYTHING else key
        with Api.of(target, key_for(target, api_key)) as api:
            for event in alarms_by_api(api, key=pattern, since=began, follow=follow):
                yield as_published(event), event
        return
    from cli.reading.log_events import read
    from cli.reading.rendering import decode_alarm

    for log_event in read(target.client("logs"), target["AlarmLogGroup"], since_ms=int(began * 1000), follow=follow):
        decoded = decode_alarm(log_event.message)
        if decoded is not None:
            yield log_event.message, decoded
