"""Shares of a sample's cells that decide what a column is."""

from collections.abc import Callable, Sequence

LOOKED_AT_ROWS = 200
"""Rows, or cells of a column, that are looked at where a few tell as much as all."""

MOST = 0.5
"""The share above which rows or cells count as most."""

ENOUGH = 0.9
"""The share from which on they count as all but some odd ones."""


def share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    """The share of the first cells that satisfy a condition, from 0 to 1."""
    tried = cells[:LOOKED_AT_ROWS]
    return sum(map(holds, tried)) / len(tried) if tried else 0.0
