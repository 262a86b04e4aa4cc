"""`afluente demo`: real data through all transports, and the counts that come out."""

from typing import Annotated

import typer

from cli.core.errors import CommandError
from cli.core.options import StateDirOption
from cli.core.state import StateDir
from cli.core.target import TargetChoice, resolve


def demo(
    state_dir: StateDirOption = None,
    port: Annotated[int | None, typer.Option("--port", envvar="AFLUENTE_PORT", help="Port of the local stack.")] = None,
) -> None:
    """Start the local stack, send nine real streams over HTTP, WebSocket, MQTT, as CSV files and as legacy
    clients, and show what came out of each.

    Constraints, data and the counts that must come out are in the folder data/. Ends with exit code 1 if a count is
    not as it must be. The stack goes on running; 'afluente down' stops it.

    [dim]Example:[/]  afluente demo
    """
    from cli.demo.playing import play
    from cli.demo.rendering import show_next_steps, show_played
    from cli.local_stack import stack

    state = StateDir.of(state_dir)
    stack.up(state, port)
    target = resolve(TargetChoice(state))
    played = play(target)
    show_played(played)
    unexpected = "".join(f"\n  {one.stream.key}: {one.differences}" for one in played.streams if one.differences)
    if unexpected:
        raise CommandError(f"not as expected:{unexpected}", hint="see 'afluente status' and 'afluente logs classifier'")
    show_next_steps(played.streams[0].stream, target.api_url)
