"""The shadow classifier, for the function `classifier` of a stage that has legacy tables."""

import time

from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.constraints.ports import ConstraintsStore
from afluente.migration.adapters.sql.constraints import MigratedFirst, SqlConstraintsManager
from afluente.migration.application.ports import LegacyTables
from afluente.migration.application.shadow_classifier import ShadowClassifier, TrialObserver
from afluente.migration.application.thresholds_lookup import ThresholdsLookup
from afluente.migration.application.trial import TrialCounts
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.migration.legacy_tables import ContradictionLog
from afluente.runtime.migration.trial import trial_monitor

SETTLING_TTLS = 3
"""The time for a change to reach thresholds and constraints, in `constraints_ttl_seconds`: one for each cache, and one
for dual write between them."""


def shadow_classifier(
    table: ConstraintsStore, tables: LegacyTables, *, trial_table: str, ttl_seconds: float
) -> ShadowClassifier:
    """Build the classifier by thresholds and constraints."""
    contradictions = ContradictionLog()
    thresholds = ThresholdsLookup(tables, ttl_seconds=ttl_seconds, clock=time.monotonic)
    store = MigratedFirst(table, SqlConstraintsManager(thresholds.find, on_contradiction=contradictions))
    return ShadowClassifier(
        thresholds=thresholds,
        constraints=ConstraintsLookup(store, ttl_seconds=ttl_seconds, clock=time.monotonic),
        monitor=trial_monitor(trial_table),
        observer=TrialObserver(contradiction=contradictions, error=log_error, compared=count_compared),
        timer=time.perf_counter,
        settling_seconds=SETTLING_TTLS * ttl_seconds,
    )


def log_error(error: Exception) -> None:
    """Log a failure of the constraints on trial; the points by thresholds were delivered."""
    logger().error("shadow classifier failed", code=LogCode.SHADOW_CLASSIFIER_FAILED, cause=repr(error), exc_info=error)


def count_compared(counts: TrialCounts) -> None:
    """Count differences and errors in metrics."""
    count({Metric.SHADOW_DIFFERENCES: counts.differences, Metric.CANARY_ERRORS: counts.errors})
