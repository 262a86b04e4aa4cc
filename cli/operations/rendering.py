"""The state of a deployment, for people."""

from rich.table import Table

from cli.core.output import out
from cli.operations.status import DeploymentStatus


def show_status(report: DeploymentStatus) -> None:
    """Show addresses, functions and queues."""
    console = out()
    where = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    where.add_column(style="dim")
    where.add_column(overflow="fold")
    where.add_row("stage", report.stage)
    where.add_row("HTTP API", report.api_url)
    if report.websocket_url:
        where.add_row("WebSocket API", report.websocket_url)
    if report.csv_bucket:
        where.add_row("CSV files", f"s3://{report.csv_bucket}/inbox/<domain>/<source_id>/")
    where.add_row("AWS endpoint", report.endpoint or "AWS")
    where.add_row("AWS's limits", str(report.aws_limits or "AWS's own"))
    console.print(where)
    functions = Table("function", "deployed as", "state", "last modified", box=None, padding=(0, 2, 0, 0))
    for function in report.functions:
        functions.add_row(function.name, function.function, function.state, function.last_modified)
    console.print(functions)
    queues = Table("queue", "waiting", "in flight", box=None, padding=(0, 2, 0, 0))
    rows = {
        "datapoints": report.datapoints_queue,
        "dead letters": report.dead_letter_queue,
        "MQTT inbox": report.mqtt_inbox,
        "MQTT dead letters": report.mqtt_dead_letter_queue,
        "CSV inbox": report.csv_inbox,
        "CSV inbox dead letters": report.csv_inbox_dead_letter_queue,
        "CSV jobs": report.csv_jobs,
        "CSV jobs dead letters": report.csv_jobs_dead_letter_queue,
    }
    for name, queue in rows.items():
        queues.add_row(name, str(queue.waiting), str(queue.in_flight))
    console.print(queues)
    if any(queue.waiting for name, queue in rows.items() if name.endswith("dead letters")):
        console.print("[yellow]there are dead letters: see 'afluente dlq --help'[/]")
