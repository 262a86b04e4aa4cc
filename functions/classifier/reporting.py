"""Log and metrics of classified packs."""

from collections import Counter

from afluente.application.classification.classify_packs import BatchResult
from afluente.runtime.core.observability import LogCode, Metric, count, logger


def report(result: BatchResult) -> None:
    """Log and count the points and alarms of a batch."""
    logger().info("packs classified", code=LogCode.PACKS_CLASSIFIED, classes=dict(result.classes))
    counts: Counter[Metric] = Counter({Metric(f"Points{name.title()}"): n for name, n in result.classes.items()})
    counts += Counter(
        {
            Metric.POINTS_LATE: result.late,
            Metric.POINTS_DUPLICATE: result.duplicates,
            Metric.POINTS_REPEATED: result.repeated,
            Metric.ALARMS_RAISED: result.alarms["raised"],
            Metric.ALARMS_CLEARED: result.alarms["cleared"],
        }
    )
    count(counts)
