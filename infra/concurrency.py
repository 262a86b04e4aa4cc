"""Executions of Lambda that a stage reserves for its functions."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

LEAST_MAXIMUM = 2
"""Lambda, "Maximum concurrency" of an SQS event source: the least there is."""

Executions = Annotated[int, Field(ge=0, le=100_000)]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ReservedConcurrency:
    """Executions at a time by function: no other function takes them, and the function itself takes no more.

    0 reserves none: the function takes from those that all functions of the account share.
    """

    http_authorizer: Executions = 0
    classifier: Executions = 0
    http_ingest: Executions = 0
    ws_ingest: Executions = 0
    iot_rule_handler: Executions = 0
    csv_trigger: Executions = 0

    def of(self, package: str) -> int | None:
        """Executions that are reserved for a function; None for none."""
        return getattr(self, package, 0) or None

    def faults(self, *, mqtt_concurrency: int, csv_concurrency: int) -> list[str]:
        """Reservations in which polls of a queue would be throttled.

        Args:
            mqtt_concurrency: the most executions by which the inbox of MQTT is consumed.
            csv_concurrency: the most executions by which the queue of CSV jobs is consumed.
        """
        least = {
            "classifier": (LEAST_MAXIMUM, 'the least "maximum concurrency" of a queue'),
            "iot_rule_handler": (mqtt_concurrency, "mqtt_concurrency"),
            "csv_trigger": (csv_concurrency + LEAST_MAXIMUM, f"csv_concurrency and {LEAST_MAXIMUM} for new files"),
        }
        return [
            f"reserved_concurrency.{package} is {self.of(package)}, and has to be 0 or at least {needed}: {why}"
            for package, (needed, why) in least.items()
            if 0 < (self.of(package) or 0) < needed
        ]


PROD = ReservedConcurrency(
    http_authorizer=50,
    # As many as there are message groups.
    classifier=64,
    http_ingest=200,
    ws_ingest=100,
    iot_rule_handler=10,
    csv_trigger=15,
)
"""Reservations for what serves everybody, caps for what senders drive; an account with the default quota has room."""
