"""Findings of a verification, for people and for programs."""

from collections import Counter
from typing import Any

from rich.console import Console

from afluente.migration.application.verify import Finding, Verified
from cli.migration.rendering import SHOWN, print_named


class Findings:
    """Counts findings, and keeps the first sensors that are to be shown by name.

    Attributes:
        counts: sensors by finding.
        fields: differences by field.
    """

    def __init__(self) -> None:
        self.counts: Counter[Finding] = Counter()
        self.fields: Counter[str] = Counter()
        self._named: dict[Finding, list[Verified]] = {Finding.DIFFERENT: [], Finding.IMPOSSIBLE: []}

    def add(self, found: Verified) -> None:
        """Count a sensor."""
        self.counts[found.finding] += 1
        self.fields.update(difference.field for difference in found.differences)
        named = self._named.get(found.finding)
        if named is not None and len(named) < SHOWN:
            named.append(found)

    @property
    def movable(self) -> int:
        """The number of sensors that can be moved."""
        return self.counts[Finding.EQUAL] + self.counts[Finding.DIFFERENT]

    def as_document(self) -> dict[str, Any]:
        """The findings for a program."""
        return {
            "sensors": self.counts.total(),
            "findings": dict(self.counts),
            "differences": dict(self.fields),
            "first_different": self._named[Finding.DIFFERENT],
            "first_impossible": self._named[Finding.IMPOSSIBLE],
        }

    def show(self, console: Console) -> None:
        """Show the findings to people."""
        equal, movable, impossible = self.counts[Finding.EQUAL], self.movable, self.counts[Finding.IMPOSSIBLE]
        colour = "green" if equal == movable else "red"
        # 9,999 of 10,000 are not 100 %.
        share = int(1000 * equal / movable) / 10 if movable else 100
        console.print(f"[{colour}]{equal:,} of {movable:,} sensors that can be moved are equal ({share:g} %)[/]")
        for field, count in self.fields.most_common():
            console.print(f"  {count:,} differ in {field}")
        for finding, heading in (
            (Finding.DIFFERENT, "sensors that differ:"),
            (Finding.IMPOSSIBLE, f"{impossible:,} cannot be moved; the legacy rules stay in force for them:"),
        ):
            if self.counts[finding]:
                console.print(heading)
                named = [
                    (its.sensor_id, its.key, (*map(str, its.differences), *its.faults)) for its in self._named[finding]
                ]
                print_named(console, named, self.counts[finding])
