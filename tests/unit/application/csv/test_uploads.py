"""Uploads in parts: few enough for one answer, large enough for S3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.application.csv.uploads import MAX_FILE_BYTES, MAX_PARTS, part_bytes_of

MIB = 1024**2


@given(st.integers(1, MAX_FILE_BYTES))
def test_any_file_has_parts_of_whole_mebibytes_that_are_not_too_many(size: int) -> None:
    part = part_bytes_of(size)

    assert part % MIB == 0
    assert -(-size // part) <= MAX_PARTS
    # S3, "Part size": 5 MB to 5 GB.
    assert 64 * MIB <= part <= 6 * 1024 * MIB


@pytest.mark.parametrize(
    ("size", "part"), [(1, 64), (64_000 * MIB, 64), (64_000 * MIB + 1, 65), (MAX_FILE_BYTES, 5_243)]
)
def test_parts_grow_with_the_file(size: int, part: int) -> None:
    assert part_bytes_of(size) == part * MIB
