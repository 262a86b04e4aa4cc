"""`afluente dlq …`: packs that could not be classified."""

from typing import Annotated

import typer

from cli.options import targeted
from cli.output import out, print_json
from cli.target import TargetChoice, resolve

app = typer.Typer(
    help="Look at the packs that could not be classified, and give them back to the classifier.", no_args_is_help=True
)


@app.command()
@targeted
def status(
    *,
    target: TargetChoice,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show how many packs lie in the dead-letter queue.

    A pack goes there when the classifier failed at it again and again: something it needs was out of reach for long.

    [dim]Example:[/]  afluente dlq status
    """
    from cli.status import queue_status

    found = resolve(target)
    queue = queue_status(found, found["DatapointsDlqUrl"])
    if as_json:
        print_json(queue)
    else:
        out().print(f"{queue.waiting} packs wait in the dead-letter queue, {queue.in_flight} are being moved")


@app.command()
@targeted
def redrive(
    *,
    target: TargetChoice,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Give the packs in the dead-letter queue back to the classifier, once what made them fail is put right.

    Nothing is lost on the way. Points that were written before their pack failed come out again with the same
    point_id, by which readers drop them; points that newer ones have overtaken meanwhile are late.

    [dim]Example:[/]  afluente dlq redrive
    """
    from cli.dead_letters import redrive as start_redrive

    outcome = start_redrive(resolve(target))
    if as_json:
        print_json(outcome)
    elif outcome.task is not None:
        out().print(f"SQS moves about {outcome.packs} packs; 'afluente dlq status' shows how far it is")
    else:
        out().print(f"moved {outcome.packs} packs")
