"""Logs of the functions and of the emulator."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from cli.core.state import StateDir
from cli.core.target import Target
from cli.reading.log_events import LogEvent, read

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient

_POLL_SECONDS = 0.5
# What Powertools adds to every line and a person does not look for.
_USUAL_FIELDS = frozenset(
    {"level", "message", "timestamp", "service", "location", "cold_start", "function_name", "function_arn"}
    | {"function_memory_size", "function_request_id", "xray_trace_id", "sampling_rate"}
)


def function_lines(target: Target, function_output: str, *, since: datetime, follow: bool) -> Iterator[str]:
    """Log lines of a function, rendered for people."""
    group = log_group_of(target, function_output)
    logs: CloudWatchLogsClient = target.client("logs")
    since_ms = int(since.timestamp() * 1000)
    return (_for_people(event) for event in read(logs, group, since_ms=since_ms, follow=follow))


def log_group_of(target: Target, function_output: str) -> str:
    """The log group of a function."""
    functions: LambdaClient = target.client("lambda")
    configuration = functions.get_function_configuration(FunctionName=target[function_output])
    return configuration["LoggingConfig"]["LogGroup"]


def emulator_lines(state: StateDir, *, follow: bool) -> Iterator[str]:
    """Output of the local stack's emulator so far, and as it goes on."""
    with state.emulator_log.open(encoding="utf-8", errors="replace") as file:
        while True:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
            elif follow:
                time.sleep(_POLL_SECONDS)
            else:
                return


def _for_people(event: LogEvent) -> str:
    time = datetime.fromtimestamp(event.timestamp / 1000, tz=UTC).isoformat(timespec="milliseconds")
    return f"{time} {_structured(event.message) or event.message}"


def _structured(message: str) -> str | None:
    """A line that a function logged as JSON, as a sentence; None for any other."""
    try:
        fields = msgspec.json.decode(message, type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    if not {"level", "message"} <= fields.keys():
        return None
    extra = {name: value for name, value in fields.items() if name not in _USUAL_FIELDS}
    shown = f" {msgspec.json.encode(extra).decode()}" if extra else ""
    return f"{fields['level']:<8} {fields['message']}{shown}"
