"""A real Prometheus scrapes the metrics of a stack, and Grafana's panels find their series there."""

from pathlib import Path

import pytest

from tests.factories import a_point
from tests.prometheus import PATIENCE_SECONDS, running_prometheus, serving_metrics
from tests.stack import LocalStack
from tests.unit.cli.metrics.test_dashboard import expressions

pytestmark = pytest.mark.integration

POINTS = 25


def test_prometheus_scrapes_counts_percentiles_and_queues(local_stack: LocalStack, tmp_path: Path) -> None:
    state = local_stack.target.state
    with serving_metrics(state) as address, running_prometheus(address, tmp_path) as prometheus:
        classified = 'sum(afluente_points_classified_total{stage="local"})'
        local_stack.eventually(lambda: prometheus.query(classified), "the first scrape", within=PATIENCE_SECONDS)
        for second in range(5):
            local_stack.send([a_point(20, at=5 * second + step, source_id="scraped") for step in range(POINTS // 5)])

        local_stack.eventually(
            lambda: float(prometheus.query(classified)[0]["value"][1]) >= POINTS, "the points are counted"
        )
        for metric in ("request_to_answer", "acceptance_to_kinesis"):
            p95 = prometheus.values(f'afluente_{metric}_seconds{{quantile="0.95"}}', "transport")
            assert 0 < p95["http"] < PATIENCE_SECONDS
            assert prometheus.values(f"afluente_{metric}_seconds_count", "transport")["http"] >= 1
        waiting = prometheus.values('afluente_queue_messages{state="waiting"}', "queue")
        assert set(waiting) == {"datapoints", "mqtt", "csv-inbox", "csv-jobs"}
        for expression in expressions():
            prometheus.query(expression.replace("$stage", "local").replace("$__rate_interval", "10s"))
