"""Log and metrics of classified packs."""

from collections import Counter
from collections.abc import Mapping

from afluente.application.classification.classify_pack import PackCounts
from afluente.application.classification.classify_packs import FailedPack
from afluente.runtime.core.observability import LogCode, Metric, count, logger, observe


def report(counts: PackCounts) -> None:
    """Log and count the points and alarms of a batch."""
    logger().info("packs classified", code=LogCode.PACKS_CLASSIFIED, classes=dict(counts.classes))
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
    for transport, seconds in counts.delays.items():
        observe(Metric.ACCEPTANCE_TO_KINESIS, seconds, transport=transport)


def report_retried(errors: Mapping[str, Exception]) -> None:
    """Log and count packs that failed and are retried.

    Args:
        errors: by message group.
    """
    causes = {group: f"{type(error).__name__}: {error}" for group, error in errors.items()}
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
