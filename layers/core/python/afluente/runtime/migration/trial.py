"""The trial of the new way of judging, as the classifier has it."""

import time
from typing import Any

from botocore.config import Config

from afluente.adapters.aws.calls import CLIENT_CONFIG
from afluente.application.errors import UnavailableError
from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.application.monitor import TrialMonitor
from afluente.migration.application.trial import EventKind, TrialEvent
from afluente.runtime.clients import client
from afluente.runtime.observability import LogCode, Metric, count, logger

# Points do not wait for the trial: a table that does not answer at once is asked again seconds later.
_QUICK = CLIENT_CONFIG.merge(
    Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
)


def trial(table: str) -> TrialMonitor:
    """The trial whose settings and counters are in the table of migration.

    Nothing is read before the first question.
    """
    store = DynamoTrial(client("dynamodb", config=_QUICK), table)
    return TrialMonitor(
        store, clock=time.monotonic, now=time.time, on_event=tell_event, on_unavailable=tell_unavailable
    )


def tell_event(event: TrialEvent) -> None:
    """Log what this classifier's figures changed; there is an alarm for a rollback."""
    fields: dict[str, Any] = {
        "change": event.kind.value,
        "share_before": event.share_before,
        "share": event.share,
        "why": event.why,
        "points": event.counts.points,
        "errors": event.counts.errors,
        "differences": event.counts.differences,
        "step_seconds": round(event.seconds, 3),
    }
    if event.kind is EventKind.ROLLED_BACK:
        logger().error("the canary is rolled back", code=LogCode.CANARY_ROLLED_BACK, **fields)
        count({Metric.CANARY_ROLLED_BACK: 1})
    else:
        logger().info("the canary goes on", code=LogCode.CANARY_ADVANCED, **fields)


def tell_unavailable(error: UnavailableError) -> None:
    """Log that the trial could not be read or counted."""
    logger().warning("no answer of the trial's table", code=LogCode.TRIAL_UNAVAILABLE, cause=str(error))
