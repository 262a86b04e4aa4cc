"""The monitor of the trial, for the shadow classifier."""

import time
from typing import Any

from botocore.config import Config

from afluente.adapters.aws.calls import CLIENT_CONFIG
from afluente.application.errors import UnavailableError
from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.application.monitor import TrialMonitor
from afluente.migration.application.trial import EventKind, TrialEvent
from afluente.runtime.core.clients import client
from afluente.runtime.core.observability import LogCode, Metric, count, logger

# Points do not wait for the trial: a call that is not answered at once is retried seconds later.
_QUICK = CLIENT_CONFIG.merge(
    Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
)


def trial_monitor(table: str) -> TrialMonitor:
    """The monitor of the trial in a table; nothing is read before the first call."""
    store = DynamoTrial(client("dynamodb", config=_QUICK), table)
    return TrialMonitor(store, clock=time.monotonic, now=time.time, on_event=log_event, on_unavailable=log_unavailable)


def log_event(event: TrialEvent) -> None:
    """Log a change of the canary; a rollback is counted in a metric, too."""
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
        logger().error("canary rolled back", code=LogCode.CANARY_ROLLED_BACK, **fields)
        count({Metric.CANARY_ROLLED_BACK: 1})
    else:
        logger().info("canary advanced", code=LogCode.CANARY_ADVANCED, **fields)


def log_unavailable(error: UnavailableError) -> None:
    """Log that the trial could not be read or counted."""
    logger().warning("trial unavailable", code=LogCode.TRIAL_UNAVAILABLE, cause=str(error))
