"""Columns of numbers as integer steps in byte planes: exact, small, and extended without unpacking.

Numbers of a stream mostly have a few decimals and lie close together. Times the power of ten that makes them whole they
are integers, and what is kept is the last of them and the steps between them, counted from a usual step: none at all
for a clock that ticks evenly, one or two bytes for most values. The bytes are kept by plane (all lowest ones, then all
second ones), which compress better than steps one after the other. Where a number is not whole in any of the scales,
the column holds doubles.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise

import msgspec

_DOUBLES = -1
_INTEGERS = -2
_MAX_SCALE = 9
_FACTORS = tuple(10**scale for scale in range(_MAX_SCALE + 1))
# Beyond it not every integer is a double.
_EXACT = 2**53
_FORMS = {1: "b", 2: "h", 4: "i", 8: "q"}
_WIDE = 8

_DOUBLE = struct.Struct("<d")
_INTEGER = struct.Struct("<q")


class Column(msgspec.Struct, array_like=True, frozen=True):
    """Packed numbers; their count is kept beside it.

    Attributes:
        scale: the power of ten that makes the numbers whole; negative for numbers as they are.
        last: the last number, scaled.
        step: the usual step.
        planes: steps less the usual one, oldest first, as integers of 0, 1, 2, 4 or 8 bytes, by plane; with a negative
            scale the numbers themselves, of 8 bytes.
    """

    scale: int
    last: int
    step: int
    planes: bytes


def pack_floats(numbers: Sequence[float], scales: Sequence[int]) -> Column:
    """Pack numbers; `scales` are tried in order."""
    for scale in scales:
        whole = _scaled(numbers, scale)
        if whole is not None:
            column = _pack_whole(whole, scale)
            if column:
                return column
    return Column(_DOUBLES, 0, 0, _planes(struct.pack(f"<{len(numbers)}d", *numbers), _WIDE))


def pack_integers(numbers: Sequence[int]) -> Column:
    """Pack integers of 64 bits."""
    column = _pack_whole(numbers, 0)
    return column or Column(_INTEGERS, 0, 0, _planes(struct.pack(f"<{len(numbers)}q", *numbers), _WIDE))


def extend(column: Column, length: int, dropped: int, numbers: Sequence[float]) -> Column | None:
    """Drop numbers at the front of a column, and add some at its end.

    Args:
        column: to be extended.
        length: how many numbers it has.
        dropped: how many to drop; fewer than it has.
        numbers: those to add, at least one.

    Returns:
        The new column; None if it has to be packed anew, for the numbers are of another kind.
    """
    if column.scale < 0:
        return _extend_unscaled(column, length, dropped, numbers)
    if not column.planes and not column.step and numbers.count(column.last / _FACTORS[column.scale]) == len(numbers):
        # The column is constant, and stays so.
        return column
    whole = _scaled(numbers, column.scale)
    if whole is None:
        return None
    usual = column.step
    steps = [later - earlier - usual for earlier, later in pairwise([column.last, *whole])]
    width = _width(column, length)
    if width == 0:
        return None if any(steps) else Column(column.scale, whole[-1], usual, b"")
    try:
        packed = struct.pack(f"<{len(steps)}{_FORMS[width]}", *steps)
    except struct.error:
        return None
    return Column(column.scale, whole[-1], column.step, _extended(column.planes, width, length - 1, dropped, packed))


def floats_of(column: Column, length: int) -> list[float]:
    """The numbers of a column of `pack_floats`."""
    if column.scale == _DOUBLES:
        return list(struct.unpack(f"<{length}d", _rows(column.planes, _WIDE)))
    factor = _FACTORS[column.scale]
    return [whole / factor for whole in _unpack_whole(column, length)]


def integers_of(column: Column, length: int) -> list[int]:
    """The numbers of a column of `pack_integers`."""
    if column.scale == _INTEGERS:
        return list(struct.unpack(f"<{length}q", _rows(column.planes, _WIDE)))
    return _unpack_whole(column, length)


def last_float(column: Column, length: int) -> float:
    """The last number of a column of `pack_floats` that has one."""
    if column.scale == _DOUBLES:
        last: float = _DOUBLE.unpack(column.planes[length - 1 :: length])[0]
        return last
    return float(column.last / _FACTORS[column.scale])


def last_integer(column: Column, length: int) -> int:
    """The last number of a column of `pack_integers` that has one."""
    if column.scale == _INTEGERS:
        last: int = _INTEGER.unpack(column.planes[length - 1 :: length])[0]
        return last
    return column.last


def check(column: Column, length: int, *, integers: bool) -> None:
    """Refuse a column that does not hold so many numbers.

    Raises:
        ValueError: it does not.
    """
    scales = {_INTEGERS, 0} if integers else {_DOUBLES, *range(_MAX_SCALE + 1)}
    if column.scale not in scales:
        raise ValueError(f"a column of the unknown scale {column.scale}")
    size = len(column.planes)
    if column.scale < 0:
        if size != _WIDE * length:
            raise ValueError(f"{size} bytes of {length} numbers")
    elif size and (length < 2 or size % (length - 1) or size // (length - 1) not in _FORMS):  # noqa: PLR2004
        raise ValueError(f"{size} bytes of the steps of {length} numbers")


def _scaled(numbers: Sequence[float], scale: int) -> list[int] | None:
    """Numbers times a power of ten, if that makes all of them whole."""
    factor = _FACTORS[scale]
    # Most scales that fail do so at any of the numbers.
    if len(numbers) > 1 and not _is_whole(numbers[-1], factor):
        return None
    try:
        whole = [round(number * factor) for number in numbers]
    except OverflowError:
        return None
    is_exact = not whole or -_EXACT < whole[-1] < _EXACT
    return whole if is_exact and [scaled / factor for scaled in whole] == list(numbers) else None


def _is_whole(number: float, factor: int) -> bool:
    scaled = number * factor
    return bool(-_EXACT < scaled < _EXACT and round(scaled) / factor == number)


def _pack_whole(whole: Sequence[int], scale: int) -> Column | None:
    if len(whole) < 2:  # noqa: PLR2004
        return Column(scale, whole[0] if whole else 0, 0, b"")
    steps = [later - earlier for earlier, later in pairwise(whole)]
    usual = sorted(steps)[len(steps) // 2]
    if not -(2**63) <= usual < 2**63:
        return None
    steps = [step - usual for step in steps]
    low, high = min(steps), max(steps)
    if low == high == 0:
        return Column(scale, whole[-1], usual, b"")
    for width, form in _FORMS.items():
        limit = 1 << (8 * width - 1)
        if -limit <= low and high < limit:
            return Column(scale, whole[-1], usual, _planes(struct.pack(f"<{len(steps)}{form}", *steps), width))
    return None


def _unpack_whole(column: Column, length: int) -> list[int]:
    if not length:
        return []
    width = _width(column, length)
    steps: Sequence[int] = [0] * (length - 1)
    if width:
        steps = struct.unpack(f"<{length - 1}{_FORMS[width]}", _rows(column.planes, width))
    number = column.last
    whole = [number]
    for step in reversed(steps):
        number -= step + column.step
        whole.append(number)
    whole.reverse()
    return whole


def _extend_unscaled(column: Column, length: int, dropped: int, numbers: Sequence[float]) -> Column | None:
    form = "d" if column.scale == _DOUBLES else "q"
    if form == "q" or _is_whole(numbers[-1], _FACTORS[6]):
        # The number that was of another kind may have left the column.
        return None
    packed = struct.pack(f"<{len(numbers)}{form}", *numbers)
    return Column(column.scale, 0, 0, _extended(column.planes, _WIDE, length, dropped, packed))


def _extended(planes: bytes, width: int, count: int, dropped: int, packed: bytes) -> bytes:
    return b"".join(
        [planes[plane * count + dropped : (plane + 1) * count] + packed[plane::width] for plane in range(width)]
    )


def _width(column: Column, length: int) -> int:
    return len(column.planes) // (length - 1) if length > 1 else 0


def _planes(rows: bytes, width: int) -> bytes:
    return b"".join([rows[plane::width] for plane in range(width)])


def _rows(planes: bytes, width: int) -> bytes:
    count = len(planes) // width
    rows = bytearray(len(planes))
    for plane in range(width):
        rows[plane::width] = planes[plane * count : (plane + 1) * count]
    return bytes(rows)
