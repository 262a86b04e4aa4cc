"""A real Prometheus scrapes the metrics of a stack, and Grafana's panels find their series there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.core.state import CHECKOUT
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


def test_the_command_writes_what_the_functions_logged(local_stack: LocalStack) -> None:
    local_stack.send([a_point(20, at=step, source_id="counted") for step in range(POINTS)])
    local_stack.drained()
    environment = os.environ | {"AFLUENTE_STATE_DIR": str(local_stack.target.state.path)}
    command = [sys.executable, "-c", "from cli.main import main; main()", "metrics"]

    def written(*options: str) -> str:
        return subprocess.run(
            [*command, *options], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    found = json.loads(written("--json"))
    accepted = [count["total"] for count in found["counts"] if count["metric"] == "PointsAccepted"]
    assert found["stage"] == "local"
    assert sum(accepted) >= POINTS
    assert {"http"} <= {its["transport"] for its in found["durations"] if its["metric"] == "AcceptanceToKinesis"}
    assert "AcceptanceToKinesis" in written()
    assert 'afluente_acceptance_to_kinesis_seconds{quantile="0.95"' in written("--prometheus")
