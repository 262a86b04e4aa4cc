"""Memory cost of a bomb of 256 MiB unpacked: the peak of the reading process grows by a fraction of that."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.bombs import MIB, STATUS, UNPACKED_BYTES, Cost

pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="the peak of a process is told by Linux alone")

ROOT = Path(__file__).parents[3]


def cost_of(name: str) -> Cost:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(("layers/core/python", "."))}
    told = subprocess.run(
        [sys.executable, "-m", "tests.bombs", name], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    return msgspec.json.decode(told.stdout, type=Cost)


@pytest.mark.parametrize(
    ("name", "most_mib", "outcome"),
    [
        ("body", 32, "body_too_large"),
        ("pack", 48, "it is cut off, or has more than 16777216 bytes"),
        ("look_gz", 16, "not_csv"),
        ("look_zst", 16, "not_csv"),
        ("row_gz", 64, "row_too_long"),
        ("row_zst", 64, "row_too_long"),
    ],
)
def test_a_bomb_is_refused_for_a_part_of_the_memory_that_it_would_fill(name: str, most_mib: int, outcome: str) -> None:
    cost = cost_of(name)

    assert cost.outcome == outcome
    assert cost.packed < MIB
    assert cost.grown < most_mib * MIB <= UNPACKED_BYTES / 4


def test_a_bomb_that_is_read_without_a_bound_would_be_told() -> None:
    cost = cost_of("unbounded")

    assert cost.outcome == str(UNPACKED_BYTES)
    assert cost.grown >= UNPACKED_BYTES
