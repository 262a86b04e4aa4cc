"""Dashboards: one for each open domain, with widgets of the transports that the stage has."""

import json
from collections.abc import Callable
from typing import Any

from tests.infrastructure.deployment import Deployment


def test_each_open_domain_has_its_dashboard(prod: Deployment) -> None:
    assert set(dashboards(prod)) == {f"afluente-prod-{domain}" for domain in prod.stage.domains}


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

    titles = {widget["properties"].get("title", "") for widget in dashboards(deployment)["afluente-dev-energy"]}

    assert {title.split(":")[0] for title in titles} & {"HTTP", "MQTT", "WebSocket", "CSV"} == {"HTTP"}


def dashboards(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """The widgets of each dashboard, by its name."""
    return {
        dashboard["DashboardName"]: json.loads(deployment.plain(dashboard["DashboardBody"]))["widgets"]
        for dashboard in deployment.resources("AWS::CloudWatch::Dashboard").values()
    }
