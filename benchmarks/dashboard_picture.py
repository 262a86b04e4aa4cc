"""Picture of the panels of Grafana's dashboard, drawn from what a Prometheus has.

uv run --with matplotlib python -m benchmarks.dashboard_picture http://127.0.0.1:9090 docs/dashboard.png --minutes 10
"""

import argparse
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

DASHBOARD = Path(__file__).parents[1] / "dashboards" / "grafana.json"
_COLUMNS, _ROW_HEIGHT = 24, 8
_UNITS = {"s": "s", "short": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("prometheus", help="where Prometheus answers")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--stage", default="local")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long a time is drawn")
    parser.add_argument("--ago", type=float, default=0.0, help="so many minutes ago it ends")
    arguments = parser.parse_args()
    draw(json.loads(DASHBOARD.read_text(encoding="utf-8")), arguments)


def draw(dashboard: dict[str, Any], arguments: argparse.Namespace) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - given by `uv run --with`

    mpl.use("agg")
    from matplotlib import dates  # noqa: PLC0415 - after the choice of what draws
    from matplotlib import pyplot as plt  # noqa: PLC0415

    panels = dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) // _ROW_HEIGHT
    figure = plt.figure(figsize=(15, 3.2 * rows))
    grid = figure.add_gridspec(rows, _COLUMNS)
    for panel in panels:
        place = panel["gridPos"]
        axes = figure.add_subplot(
            grid[place["y"] // _ROW_HEIGHT, place["x"] : place["x"] + place["w"]], title=panel["title"]
        )
        defaults = panel["fieldConfig"]["defaults"]
        stacked = defaults["custom"]["stacking"]["mode"] == "normal"
        drawn = [series for target in panel["targets"] for series in series_of(target, arguments)]
        if stacked and drawn:
            axes.stackplot(drawn[0][1], *(values for _, _, values in drawn), labels=[name for name, _, _ in drawn])
        else:
            for name, times, values in drawn:
                axes.plot(times, values, label=name, linewidth=1.2)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(_UNITS[defaults["unit"]])
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))
        axes.tick_params(labelsize="x-small")
        axes.grid(alpha=0.3)
        if drawn:
            axes.legend(fontsize="x-small", ncols=2, loc="upper left")
        else:
            axes.text(0.5, 0.5, "no data", ha="center", va="center", transform=axes.transAxes, color="gray")
    figure.suptitle(f"{dashboard['title']}, stage {arguments.stage}")
    figure.subplots_adjust(left=0.05, right=0.98, top=0.93, bottom=0.04, hspace=0.35, wspace=5.0)
    figure.savefig(arguments.picture, dpi=80)


def series_of(target: dict[str, Any], arguments: argparse.Namespace) -> list[tuple[str, list[datetime], list[float]]]:
    """Name, times and values of each series of a target, as Grafana asks for them."""
    end = time.time() - 60 * arguments.ago
    query = target["expr"].replace("$stage", arguments.stage).replace("$__rate_interval", "1m")
    parameters: dict[str, str | float] = {
        "query": query,
        "start": end - 60 * arguments.minutes,
        "end": end,
        "step": max(1.0, arguments.minutes * 60 / 240),
    }
    answer = httpx.get(f"{arguments.prometheus}/api/v1/query_range", params=parameters).raise_for_status().json()
    found = []
    for series in answer["data"]["result"]:
        name = target["legendFormat"]
        for label, value in series["metric"].items():
            name = name.replace(f"{{{{{label}}}}}", value)
        pairs = [(float(at), float(value)) for at, value in series["values"]]
        whole = [(at, value) for at, value in pairs if math.isfinite(value)]
        found.append((name, [datetime.fromtimestamp(at, UTC) for at, _ in whole], [value for _, value in whole]))
    return found


if __name__ == "__main__":
    main()
