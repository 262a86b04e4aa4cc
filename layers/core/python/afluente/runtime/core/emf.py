"""CloudWatch's embedded metric format: metrics as lines of a log."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from threading import Lock
from typing import Any

MAX_VALUES = 100
"""CloudWatch, "Specification: Embedded metric format": numeric array metric targets have at most 100 members."""

_MILLISECOND_DIGITS = 3

Dimensions = frozenset[tuple[str, str]]
"""Names and values of dimensions beside those that each metric has."""


class Unit(StrEnum):
    """Units of CloudWatch."""

    COUNT = "Count"
    SECONDS = "Seconds"


class EmbeddedMetrics:
    """Metrics that are gathered, from several threads too, and written as few lines.

    Args:
        namespace: of all metrics.
        common: dimensions of all metrics.
    """

    def __init__(self, namespace: str, common: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._common = dict(common)
        self._counts: dict[Dimensions, dict[str, int]] = defaultdict(dict)
        self._values: dict[Dimensions, dict[str, list[float]]] = defaultdict(dict)
        self._lock = Lock()

    def count(self, name: str, number: int, **dimensions: str) -> None:
        """Add to a count; zeros are left out."""
        if number:
            with self._lock:
                counts = self._counts[frozenset(dimensions.items())]
                counts[name] = counts.get(name, 0) + number

    def observe(self, name: str, seconds: Iterable[float], **dimensions: str) -> None:
        """Add to the values of a duration."""
        if values := [round(max(value, 0.0), _MILLISECOND_DIGITS) for value in seconds]:
            with self._lock:
                self._values[frozenset(dimensions.items())].setdefault(name, []).extend(values)

    def lines(self, timestamp_ms: int, fields: Mapping[str, object] | None = None) -> list[str]:
        """The lines: one, and one more for each further value of a dimension.

        A line has one value of each dimension, since CloudWatch reads it where it reads the metrics.

        Args:
            timestamp_ms: of all metrics, in Unix milliseconds.
            fields: of the first line beside its metrics.
        """
        lines: list[_Line] = []
        # Metrics without a dimension of their own first, so that the others share their line.
        for dimensions in sorted({*self._counts, *self._values}, key=sorted):
            targets: dict[str, tuple[Unit, object]] = {
                name: (Unit.COUNT, number) for name, number in self._counts.get(dimensions, {}).items()
            }
            for name, values in self._values.get(dimensions, {}).items():
                targets[name] = (Unit.SECONDS, sampled(values))
            line = next((line for line in lines if line.has_place_for(dimensions, targets)), None)
            if line is None:
                line = _Line(self._namespace, self._common)
                lines.append(line)
            line.add(dimensions, targets)
        return [line.encode(timestamp_ms, {} if place else fields or {}) for place, line in enumerate(lines)]


class _Line:
    def __init__(self, namespace: str, common: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._common = list(common)
        self._members: dict[str, object] = dict(common)
        self._directives: list[dict[str, Any]] = []

    def has_place_for(self, dimensions: Dimensions, targets: Mapping[str, object]) -> bool:
        return self._members.keys().isdisjoint({*dict(dimensions), *targets})

    def add(self, dimensions: Dimensions, targets: Mapping[str, tuple[Unit, object]]) -> None:
        self._directives.append(
            {
                "Namespace": self._namespace,
                "Dimensions": [[*self._common, *sorted(dict(dimensions))]],
                "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in targets.items()],
            }
        )
        self._members |= dict(dimensions)
        self._members |= {name: value for name, (_, value) in targets.items()}

    def encode(self, timestamp_ms: int, fields: Mapping[str, object]) -> str:
        about = {"Timestamp": timestamp_ms, "CloudWatchMetrics": self._directives}
        return json.dumps({"_aws": about, **fields, **self._members}, separators=(",", ":"))


def sampled(values: Sequence[float]) -> Sequence[float]:
    """The values, or as many evenly spaced ranks of them as a line may have: their quantiles stay the same."""
    if len(values) <= MAX_VALUES:
        return values
    ordered = sorted(values)
    return [ordered[(2 * rank + 1) * len(ordered) // (2 * MAX_VALUES)] for rank in range(MAX_VALUES)]
