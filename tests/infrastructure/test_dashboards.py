"""Dashboards: one of the stage and one for each open domain, with widgets of the transports that the stage has."""

import json
from collections.abc import Callable
from typing import Any

from afluente.runtime.core.observability import Metric
from tests.infrastructure.deployment import Deployment


def test_the_stage_and_each_open_domain_have_a_dashboard(prod: Deployment) -> None:
    assert set(dashboards(prod)) == {"afluente-prod", *(f"afluente-prod-{domain}" for domain in prod.stage.domains)}


def test_the_dashboard_of_the_stage_shows_percentiles_of_each_transport(prod: Deployment) -> None:
    assert percentiles(dashboards(prod)["afluente-prod"], "AcceptanceToKinesis") == {
        (transport, statistic) for transport in ("http", "mqtt", "ws", "csv") for statistic in ("p50", "p95", "p99")
    }


def test_every_dashboard_shows_metrics_of_its_stage_alone(prod: Deployment) -> None:
    own = [metric for widgets in dashboards(prod).values() for metric in metrics_in(widgets) if metric[0] == "afluente"]

    assert own
    assert {metric[metric.index("stage") + 1] for metric in own} == {"prod"}
    assert {metric[1] for metric in own} <= set(Metric)


def test_the_dashboard_of_the_stage_shows_the_depth_and_the_age_of_each_queue(prod: Deployment) -> None:
    metrics = metrics_in(dashboards(prod)["afluente-prod"])
    shown = {(metric[1], metric[3]) for metric in metrics if metric[0] == "AWS/SQS"}
    queues = [f"afluente-prod-{name}" for name in ("datapoints.fifo", "mqtt-inbox", "csv-inbox", "csv-jobs.fifo")]
    dead = [f"afluente-prod-{name}-dlq" for name in ("mqtt-inbox", "csv-inbox")]
    dead += [f"afluente-prod-{name}-dlq.fifo" for name in ("datapoints", "csv-jobs")]

    assert shown == {
        *(("ApproximateNumberOfMessagesVisible", queue) for queue in [*queues, *dead]),
        *(("ApproximateAgeOfOldestMessage", queue) for queue in queues),
    }


def test_a_dashboard_counts_what_is_of_its_domain_alone(prod: Deployment) -> None:
    widgets = dashboards(prod)["afluente-prod-finance"]
    queries = [widget["properties"]["query"] for widget in widgets if widget["type"] == "log"]

    assert queries
    assert all('domain = "finance"' in query or '"inbox/finance/"' in query for query in queries)
    [rule] = [widget for widget in widgets if widget["properties"].get("title") == "MQTT: messages"]
    assert all("afluente_prod_finance" in json.dumps(metric) for metric in rule["properties"]["metrics"])


def test_a_dashboard_reads_the_logs_of_its_stage(prod: Deployment) -> None:
    widgets = dashboards(prod)["afluente-prod-iot"]
    queries = [widget["properties"]["query"] for widget in widgets if widget["type"] == "log"]

    assert {query.split("'")[1] for query in queries} == {
        "/aws/lambda/afluente-prod-http-ingest",
        "/aws/lambda/afluente-prod-ws-ingest",
        "/aws/lambda/afluente-prod-csv-trigger",
        "/afluente/prod/alarms",
    }


def test_a_dashboard_has_no_widget_of_a_transport_that_the_stage_has_not(
    deployment_of: Callable[..., Deployment],
) -> None:
    deployment = deployment_of(
        "dev",
        domains=("energy",),
        enable_mqtt_multi_domain=False,
        enable_websocket_ingest=False,
        enable_csv_ingest=False,
    )

    found = dashboards(deployment)
    assert {transport for transport, _ in percentiles(found["afluente-dev"], "AcceptanceToKinesis")} == {"http"}
    titles = {widget["properties"].get("title", "") for widget in found["afluente-dev-energy"]}

    assert {title.split(":")[0] for title in titles} & {"HTTP", "MQTT", "WebSocket", "CSV"} == {"HTTP"}


def metrics_in(widgets: list[dict[str, Any]]) -> list[list[Any]]:
    """The metrics of widgets as CloudWatch writes them: namespace, name, names and values of dimensions, options."""
    return [metric for widget in widgets for metric in widget["properties"].get("metrics", []) if len(metric) > 1]


def percentiles(widgets: list[dict[str, Any]], name: str) -> set[tuple[str, str]]:
    """Transport and percentile of each metric with a name."""
    its = [metric for metric in metrics_in(widgets) if metric[1] == name]
    return {(metric[metric.index("transport") + 1], metric[-1]["stat"]) for metric in its}


def dashboards(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """The widgets of each dashboard, by its name."""
    return {
        dashboard["DashboardName"]: json.loads(deployment.plain(dashboard["DashboardBody"]))["widgets"]
        for dashboard in deployment.resources("AWS::CloudWatch::Dashboard").values()
    }
