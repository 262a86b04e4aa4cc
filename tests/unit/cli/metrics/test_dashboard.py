"""The dashboard of Grafana shows metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.metrics.exposition import exposition
from tests.unit.cli.metrics.test_exposition import a_snapshot

DASHBOARDS = Path(__file__).parents[4] / "dashboards"

_WORDS = re.compile(r"\bafluente_\w+")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DASHBOARDS / "grafana.json").read_text(encoding="utf-8"))
    return found


def expressions() -> list[str]:
    """The expressions of all panels."""
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def served() -> set[str]:
    """The names of all series that are served."""
    families = text_string_to_metric_families(exposition(a_snapshot()))
    return {sample.name for family in families for sample in family.samples}


def test_every_metric_of_a_panel_is_one_that_is_served() -> None:
    shown = {name for expression in expressions() for name in _WORDS.findall(expression)}

    assert shown <= served()
    assert len(shown) > 10


def test_every_metric_of_a_rule_is_one_that_is_served() -> None:
    rules = (DASHBOARDS / "alerts.yml").read_text(encoding="utf-8")

    assert set(_WORDS.findall(rules)) <= served()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's package prometheus")
def test_promtool_finds_no_fault_in_configuration_and_rules() -> None:
    command = ["promtool", "check", "config", str(DASHBOARDS / "prometheus.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert "6 rules found" in checked.stdout


def test_panels_show_one_stage_of_the_data_source_that_is_chosen() -> None:
    variables = {its["name"]: its for its in dashboard()["templating"]["list"]}

    assert variables["datasource"]["type"] == "datasource"
    assert all('stage="$stage"' in expression for expression in expressions())
    assert {panel["datasource"]["uid"] for panel in dashboard()["panels"]} == {"${datasource}"}


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(places)
