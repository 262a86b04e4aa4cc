"""Picture of a bill: bars of its services, as SVG."""

from html import escape

from cli.cost.bill import Bill
from cli.cost.prices import AS_OF, REGION

_WIDTH, _ROW, _LEFT, _RIGHT = 720, 28, 150, 110
_TOP = 56


def draw(bill: Bill) -> str:
    """Draw the dollars for 10⁹ points by service."""
    services = {name: bill.per_billion(dollars) for name, dollars in bill.by_service().items()}
    dearest = max(services.values(), default=1.0)
    its = bill.workload
    title = f"10⁹ points over {its.transport}, {its.points_per_request:,} at a time: {sum(services.values()):,.2f} USD"
    about = f"stage {bill.stage}, {its.points_per_second:,g} points a second; list prices of {REGION}, {AS_OF}"
    rows = [
        _row(place, name, dollars, (_WIDTH - _LEFT - _RIGHT) * dollars / dearest)
        for place, (name, dollars) in enumerate(services.items())
    ]
    height = _TOP + _ROW * len(rows) + 12
    size = f'width="{_WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
            f'<rect {size} fill="#ffffff"/>',
            f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
            f'<text x="12" y="42" fill="#57606a">{escape(about)}</text>',
            *rows,
            "</svg>",
            "",
        ]
    )


def _row(place: int, name: str, dollars: float, width: float) -> str:
    top = _TOP + _ROW * place
    return (
        f'<text x="{_LEFT - 8}" y="{top + 17}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{top + 4}" width="{max(1.0, width):.1f}" height="{_ROW - 10}" fill="#0969da"/>'
        f'<text x="{_LEFT + max(1.0, width) + 6:.1f}" y="{top + 17}">{dollars:,.2f}</text>'
    )
