"""The local stack, for people."""

from cli.core.output import out
from cli.local_stack.stack import Change, UpdatedStack

_HEADLINES = {
    Change.NOTHING: "the local stack is running and up to date",
    Change.CODE: "the local stack is running with the new code",
    Change.STACKS: "the local stack is running",
}


def show_stack(running: UpdatedStack) -> None:
    """Show the addresses of the stack and, if it has changed, commands to try next."""
    console = out()
    console.print(f"[bold green]{_HEADLINES[running.change]}[/]")
    console.print(_endpoints(running), soft_wrap=True)
    if running.change is not Change.NOTHING:
        console.print(_next_steps(running), soft_wrap=True)


def _endpoints(running: UpdatedStack) -> str:
    outputs = running.outputs
    places = {
        "HTTP API": running.api_url,
        "AWS endpoint": f"{running.emulator.endpoint}  (region us-east-1, any credentials)",
        "Kinesis streams": "  ".join(outputs[f"{name}Stream"] for name in ("Alert", "Warning", "Anomaly", "Normal")),
        "quarantine": f"s3://{outputs['QuarantineBucket']}/quarantine/",
        "AWS's limits": str(running.emulator.aws_limits),
        "process": str(running.emulator.pid),
    }
    if "CsvBucket" in outputs:
        places["CSV files"] = f"s3://{outputs['CsvBucket']}/inbox/<domain>/<source_id>/"
    return "\n".join(f"  [dim]{name:<17}[/]{place}" for name, place in places.items())


def _next_steps(running: UpdatedStack) -> str:
    return f"""
[bold]What next[/]
  afluente constraints apply FILE                               say what is normal
  afluente send http --domain iot --source furnace-1 FILE.csv   send measurements, point by point
  afluente csv send --domain iot --source furnace-1 FILE.csv    upload a file, and see what becomes of each row
  afluente tail alert warning --from-start                      watch what comes out
  afluente alarms --follow                                      watch alarms
  curl {running.api_url}/health
"""
