"""Files of rejected rows, with cells marked against CSV injection, and unmarked when such a file is sent again.

People open these files in programs that run cells as formulas, and the cells come from others. So a cell that such a
program might run gets an apostrophe put before it, as OWASP advises ("CSV Injection"). Files of rejected rows are
recognised by their first columns, and the apostrophes are removed when one is read.
"""

import csv
import io
import re
from collections.abc import Sequence

from afluente.adapters.codecs.csv.text import rows_of
from afluente.application.csv.faults import RejectedRow

REJECTED = "rejected_"
"""Prefix of the columns with the reasons of a rejection; they are no streams."""

COLUMNS = (f"{REJECTED}line", f"{REJECTED}code", f"{REJECTED}reason")
"""The first columns of a file of rejected rows."""

_MAX_REASON_LENGTH = 500
_MARK = "'"
# Full-width signs count as the narrow ones in some countries.
_SIGNS = "=+\\-@\t\r\uff1d\uff0b\uff0d\uff20"
_RUN = re.compile(f"{_MARK}* *[{_SIGNS}]")
_NUMBER = re.compile(r" *[+-](\d[\d.,'\u00a0\u202f ]*|\.\d+)([eE][+-]?\d+)? *|--?")


def is_of_rejected_rows(header: Sequence[str]) -> bool:
    """Tell whether a file with this header is one of rejected rows, in which cells are marked."""
    return tuple(header[: len(COLUMNS)]) == COLUMNS


def header(columns: Sequence[str], delimiter: str) -> str:
    """The first line of a file of rejected rows.

    Args:
        columns: of the file whose rows were rejected.
        delimiter: between its cells.
    """
    return _line([*COLUMNS, *map(marked, columns)], delimiter)


def line_of(row: RejectedRow, delimiter: str, *, is_marked: bool = False) -> str:
    """The line of a rejected row, with its end.

    Args:
        row: the rejected row.
        delimiter: between its cells.
        is_marked: whether it comes from a file of rejected rows itself.
    """
    codes = " ".join(dict.fromkeys(fault.code for fault in row.faults))
    messages = (f"{fault.column}: {fault.message}" if fault.column else fault.message for fault in row.faults)
    reasons = marked("; ".join(messages)[:_MAX_REASON_LENGTH])
    return f"{_line([str(row.line), codes, reasons], delimiter)}{delimiter}{_row(row.row, delimiter, is_marked)}\n"


def marked(cell: str) -> str:
    """A cell that no program runs as a formula; most cells, negative numbers included, stay as they are."""
    return _MARK + cell if _RUN.match(cell) and not _NUMBER.fullmatch(cell) else cell


def unmarked(cell: str) -> str:
    """The cell before `marked`."""
    return cell.removeprefix(_MARK) if _RUN.match(cell) else cell


def _row(row: str, delimiter: str, is_marked: bool) -> str:
    read = list(rows_of([f"{line}\n" for line in row.split("\n")], delimiter))
    if len(read) != 1 or read[0].cells is None:
        return _in_pieces(row, delimiter)
    cells = read[0].cells
    safe = [cell if is_marked and cell.startswith(_MARK) else marked(cell) for cell in cells]
    return row if safe == cells else _line(safe, delimiter)


def _in_pieces(row: str, delimiter: str) -> str:
    """A row whose cells cannot be told apart, marked wherever one may begin."""
    return re.sub(rf'((?:^|[{re.escape(delimiter)}\n\r])["\s]*)(?=[{_SIGNS}])', rf"\1{_MARK}", row)


def _line(cells: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    # The writer quotes a cell that holds its own kind of end of line.
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")
