"""The figures of docs/reference/cost.md are those of the model, with the files that it shows."""

import re
from pathlib import Path

import pytest

from cli.cost.bill import bill_of
from cli.cost.calls import read_calls
from cli.cost.workload import Workload, options_of
from infra.paths import ROOT
from infra.presets import load_stage

PAGE = (ROOT / "docs" / "reference" / "cost.md").read_text(encoding="utf-8")
TURNED, FEW_WRITERS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
FILES = {"prod": "", "turned": TURNED, "few-writers": FEW_WRITERS + TURNED}

TRAFFIC = {
    "HTTP, 1,000 a request, 5 streams": Workload("http", 1_000, 1_000, 200, 1_000),
    "HTTP, 100 a request, 10 streams": Workload("http", 1_000, 1_000, 100, 100),
    "HTTP, 10 a request, 10 streams": Workload("http", 1_000, 1_000, 100, 10),
    "MQTT, 1 a message, 1,000 devices": Workload("mqtt", 1_000, 1_000, 1_000, 1),
    "MQTT, arrays of 10, 1,000 devices": Workload("mqtt", 1_000, 1_000, 1_000, 10),
    "CSV, a million a file": Workload("csv", 1_000, 1_000, 200, 1_000_000),
    "WebSocket, 100 a message, 10 streams": Workload("ws", 1_000, 1_000, 100, 100),
}


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize(("column", "name"), list(enumerate(FILES, start=2)))
def test_the_page_has_the_figures_of_the_model(tmp_path: Path, traffic: str, column: int, name: str) -> None:
    (tmp_path / f"{name}.toml").write_text(f'preset = "prod"\n{FILES[name]}', encoding="utf-8")
    options = options_of(load_stage(name, tmp_path))

    bill = bill_of(TRAFFIC[traffic], options, read_calls())

    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {traffic} |"))
    shown = float(row.split("|")[1 + column].replace(",", ""))
    assert bill.per_billion(bill.traffic_dollars) == pytest.approx(shown, rel=0.02)
