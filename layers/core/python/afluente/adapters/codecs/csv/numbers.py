"""Numbers in the notations that people use in tables."""

import re
from collections.abc import Iterable, Sequence
from math import isfinite

import msgspec

from afluente.application.csv.faults import JobFault, NotReadableError, RowFaultCode

_INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


class Notation(msgspec.Struct, frozen=True):
    """A notation of numbers.

    Attributes:
        decimal: the sign before the fraction.
        thousands: the sign between groups of three digits; empty for none.
    """

    decimal: str = "."
    thousands: str = ""

    def reader(self) -> "NumberReader":
        """A reader of numbers in this notation."""
        return NumberReader(self)


class NumberReader:
    """Reads numbers of one notation, strictly: `1,2,3` is no number, though its commas stand between digits."""

    def __init__(self, notation: Notation) -> None:
        self._decimal = notation.decimal
        self._thousands = notation.thousands
        self.pattern = _pattern(notation)
        self._is_number = re.compile(self.pattern).fullmatch

    def read(self, cell: str) -> float | RowFaultCode:
        """The number of a cell, or the code of its fault."""
        text = cell.strip()
        if not self._is_number(text):
            return RowFaultCode.NOT_FINITE if _INFINITY.fullmatch(text) else RowFaultCode.NOT_A_NUMBER
        number = float(self.plain(text))
        return number if isfinite(number) else RowFaultCode.NOT_FINITE

    def plain(self, number: str) -> str:
        """A number in Python's notation."""
        if self._thousands:
            number = number.replace(self._thousands, "")
        return number if self._decimal == "." else number.replace(self._decimal, ".")

    def is_number(self, cell: str) -> bool:
        """Tell whether a cell holds a number."""
        return isinstance(self.read(cell), float)


# The plainest first: of several that read as many cells, the first is chosen.
_NOTATIONS = (
    Notation(),
    Notation(".", ","),
    Notation(",", ""),
    Notation(",", "."),
    Notation(".", " "),
    Notation(",", " "),
    Notation(".", "'"),
    Notation(",", "\u00a0"),
    Notation(".", "\u00a0"),
    Notation(",", "\u202f"),
)


def notation_of(
    cells: Sequence[str], *, decimal: str | None, thousands: str | None, has_commas: bool = False
) -> Notation:
    """The notation in which most of the cells are numbers.

    Args:
        cells: of all columns together: a file has one notation.
        decimal: as given; None to infer it.
        thousands: as given; None to infer it.
        has_commas: whether cells may hold commas, since they are no delimiters: then a dot may be between thousands.

    Raises:
        NotReadableError: the cells do not decide whether a comma, or a dot, is a decimal sign.
    """
    if decimal is not None and thousands is not None:
        return Notation(decimal, thousands)
    possible = [
        notation
        for notation in _NOTATIONS
        if (decimal is None or notation.decimal == decimal) and (thousands is None or notation.thousands == thousands)
    ]
    counts = {notation: _count(cells, notation) for notation in possible}
    best = max(counts.values(), default=0)
    chosen = next((notation for notation, count in counts.items() if count == best), None)
    if chosen is None:
        return Notation(decimal or ".", thousands or "")
    if chosen == Notation(".", ",") and counts.get(Notation(",", "")) == best:
        _refuse(next(cell for cell in cells if "," in cell and chosen.reader().is_number(cell)), ",", ".")
    if chosen == Notation() and has_commas and counts.get(Notation(",", ".")) == best:
        dotted = [cell for cell in cells if "." in cell and chosen.reader().is_number(cell)]
        if dotted:
            _refuse(dotted[0], ".", ",")
    return chosen


def _count(cells: Iterable[str], notation: Notation) -> int:
    is_number = notation.reader().is_number
    return sum(1 for cell in cells if is_number(cell))


def _refuse(cell: str, sign: str, other: str) -> None:
    name = {",": "comma", ".": "dot"}[sign]
    whole, broken = cell.strip().replace(sign, ""), cell.strip().replace(sign, ".")
    thousands, decimal = f'{{"decimal": "{other}", "thousands": "{sign}"}}', f'{{"decimal": "{sign}", "thousands": ""}}'
    message = (
        f"{cell.strip()!a} can be {whole} (a {name} between thousands) or {broken} (a decimal {name}), and no number "
        f"of the first rows decides it; say {thousands} or {decimal}"
    )
    raise NotReadableError(JobFault.AMBIGUOUS_NUMBERS, message)


def _pattern(notation: Notation) -> str:
    decimal, thousands = re.escape(notation.decimal), re.escape(notation.thousands)
    whole = rf"(?:[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+|\d+)" if notation.thousands else r"\d+"
    return rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?"
