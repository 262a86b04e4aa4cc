"""`afluente dlq …`: packs, MQTT messages and CSV files that could not be processed."""

from typing import Annotated

import typer

from cli.core.options import targeted
from cli.core.output import out, print_json
from cli.core.target import TargetChoice, resolve
from cli.operations.dead_letters import DeadLetterQueue, dead_letters
from cli.operations.dead_letters import redrive as start_redrive

app = typer.Typer(
    help="See what could not be classified, queued or read, and redrive it once the cause is mended.",
    no_args_is_help=True,
)

_HOLDS = {
    DeadLetterQueue.DATAPOINTS: "packs",
    DeadLetterQueue.MQTT: "MQTT messages",
    DeadLetterQueue.CSV_INBOX: "new CSV files",
    DeadLetterQueue.CSV_JOBS: "CSV jobs",
}


@app.command()
@targeted
def status(
    *,
    target: TargetChoice,
    queue: Annotated[
        DeadLetterQueue | None, typer.Option("--queue", help="Only this dead-letter queue, rather than all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show how many packs, MQTT messages, new CSV files and CSV jobs are in the dead-letter queues.

    A pack goes there when the classifier failed at it too often: something that it needs was out of reach for long.
    An MQTT message goes there when its points could not be queued for as long, or its rule could not reach the inbox.
    A new CSV file goes there when it could not be made a job for as long, and a job when 1,000 attempts did not end it.

    [dim]Example:[/]  afluente dlq status
    """
    found = resolve(target)
    queues = {name: dead_letters(found, name) for name in ([queue] if queue else DeadLetterQueue)}
    if as_json:
        print_json(queues[queue] if queue else queues)
        return
    for name, letters in queues.items():
        out().print(
            f"{letters.waiting} {_HOLDS[name]} wait in the dead-letter queue {name}, "
            f"{letters.in_flight} are being moved"
        )


@app.command()
@targeted
def redrive(
    *,
    target: TargetChoice,
    queue: Annotated[
        DeadLetterQueue, typer.Option("--queue", help="The queue to redrive.")
    ] = DeadLetterQueue.DATAPOINTS,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Redrive a dead-letter queue, once the cause of its messages is mended.

    Nothing is lost on the way. Points that were written before their pack failed come out again with the same
    point_id, by which readers drop them; points that newer ones have overtaken meanwhile are late.

    [dim]Example:[/]  afluente dlq redrive --queue mqtt
    """
    outcome = start_redrive(resolve(target), queue)
    holds = _HOLDS[outcome.queue]
    if as_json:
        print_json(outcome)
    elif outcome.task is not None:
        out().print(f"SQS moves about {outcome.messages} {holds}; 'afluente dlq status' shows how far it is")
    else:
        out().print(f"moved {outcome.messages} {holds}")
