"""Log and metrics of classified packs."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from afluente.application.classification.classify_pack import PackCounts
from afluente.application.classification.classify_packs import FailedPack
from afluente.application.classification.ports import DamagedStateError, StaleStateError
from afluente.application.errors import UnavailableError
from afluente.runtime.core.observability import LogCode, Metric, count, count_in, logger, observe

NAMED_TYPES = 10
"""Types without constraints that a line names: senders choose types."""

_EXPECTED = (UnavailableError, StaleStateError, DamagedStateError)
"""Errors that say all there is to know; any other is a defect, and is logged with its traceback."""


def report(counts: PackCounts) -> None:
    """Log and count the points and alarms of a batch."""
    logger().info(
        "packs classified",
        code=LogCode.PACKS_CLASSIFIED,
        classes=dict(counts.classes),
        **_unconstrained(counts.unconstrained),
    )
    metrics: Counter[Metric] = Counter({Metric(f"Points{name.title()}"): n for name, n in counts.classes.items()})
    metrics += Counter(
        {
            Metric.POINTS_LATE: counts.late,
            Metric.POINTS_DUPLICATE: counts.duplicates,
            Metric.POINTS_REPEATED: counts.repeated,
            Metric.POINTS_OF_TOO_MANY_STREAMS: counts.quarantined,
            Metric.ALARMS_RAISED: counts.alarms["raised"],
            Metric.ALARMS_CLEARED: counts.alarms["cleared"],
        }
    )
    count(metrics)
    # By domain alone: each value of a dimension is a metric that costs money, and senders choose types.
    for (domain, _), number in counts.unconstrained.items():
        count_in(domain, Metric.POINTS_UNCONSTRAINED, number)
    for transport, seconds in counts.delays.items():
        observe(Metric.ACCEPTANCE_TO_KINESIS, seconds, transport=transport)


def _unconstrained(found: Counter[tuple[str, str | None]]) -> dict[str, Any]:
    """The field of a line about points without constraints, the most frequent types first; nothing without any."""
    if not found:
        return {}
    named = [
        {"domain": domain, "stream_type": stream_type, "points": number}
        for (domain, stream_type), number in found.most_common(NAMED_TYPES)
    ]
    return {"unconstrained": named, "unconstrained_points": found.total()}


def report_retried(errors: Mapping[str, Exception]) -> None:
    """Log and count packs that failed and are retried.

    Args:
        errors: by message group.
    """
    causes = {group: f"{type(error).__name__}: {error}" for group, error in errors.items()}
    for group, error in errors.items():
        if not isinstance(error, _EXPECTED):
            logger().error("pack failed", code=LogCode.RECORD_FAILED, group=group, cause=causes[group], exc_info=error)
    logger().warning("packs returned", code=LogCode.PACKS_RETURNED, packs=len(errors), causes=causes)
    count({Metric.PACKS_RETURNED: len(errors)})


def report_moved(failed: FailedPack) -> None:
    """Log a pack that failed too often, and is in the dead-letter queue now."""
    logger().error(
        "pack moved to the dead-letter queue",
        code=LogCode.PACK_MOVED,
        message_id=failed.pack.message_id,
        group=failed.pack.group,
        cause=f"{type(failed.error).__name__}: {failed.error}",
    )
    count({Metric.PACKS_MOVED: 1})
