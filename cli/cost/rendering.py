"""Bills, for people and for programs."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from cli.cost.bill import Bill
from cli.cost.prices import AS_OF, REGION

_BAR = 40


def show_bill(console: Console, bill: Bill) -> None:
    """Show the services with bars, and the lines of the bill."""
    console.print(_title(bill), soft_wrap=True, markup=False)
    services = bill.by_service()
    dearest = max(services.values(), default=0.0)
    shares = Table("service", "USD a month", "USD for 10⁹ points", "", box=None, padding=(0, 2, 0, 0))
    for service, dollars in services.items():
        bar = "█" * max(1, round(_BAR * dollars / dearest))
        shares.add_row(service, _money(dollars), _money(bill.per_billion(dollars)), bar)
    traffic = bill.traffic_dollars
    shares.add_row("traffic", _money(traffic), _money(bill.per_billion(traffic)), "")
    shares.add_row("idle stage", _money(bill.idle_dollars), "", "")
    shares.add_row("together", _money(traffic + bill.idle_dollars), "", "")
    console.print(shares)
    lines = Table("service", "what", "units a month", "USD a month", box=None, padding=(0, 2, 0, 0))
    for line in bill.lines:
        what = f"{line.what} (idle, too)" if line.is_idle else line.what
        lines.add_row(line.service, what, f"{line.units:,.0f}", _money(line.dollars))
    console.print(lines)
    for note in bill.notes:
        console.print(f"[yellow]too little:[/] {note}")
    console.print(f"[dim]list prices of {REGION}, {AS_OF}; without free tiers, alarms and what is stored[/]")


def bill_document(bill: Bill) -> dict[str, Any]:
    """The bill as one JSON object."""
    services = bill.by_service()
    return {
        "stage": bill.stage,
        "workload": bill.workload,
        "prices": {"region": REGION, "as_of": AS_OF},
        "points_a_month": bill.points,
        "dollars_a_month": {
            "traffic": round(bill.traffic_dollars, 2),
            "idle": round(bill.idle_dollars, 2),
            "by_service": {name: round(dollars, 4) for name, dollars in services.items()},
        },
        "dollars_per_billion_points": {
            "traffic": round(bill.per_billion(bill.traffic_dollars), 3),
            "by_service": {name: round(bill.per_billion(dollars), 3) for name, dollars in services.items()},
        },
        "lines": [msgspec.to_builtins(line) for line in bill.lines],
        "notes": bill.notes,
    }


def _title(bill: Bill) -> str:
    its = bill.workload
    return (
        f"{its.points_per_second:,g} points a second of {its.streams:,} streams and {its.sources:,} sources over "
        f"{its.transport}, {its.points_per_request:,} at a time, in the stage {bill.stage}"
    )


def _money(dollars: float) -> str:
    return f"{dollars:,.2f}"
