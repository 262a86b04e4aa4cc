"""The defects of the canary's fault tests are found in the code that they are put into."""

from pathlib import Path

import pytest

from tests.migration.faults.test_canary_rolls_back import CASES, Case

PACKAGE = Path(__file__).parents[3] / "layers" / "core" / "python" / "afluente"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_defect_replaces_one_place(case: Case) -> None:
    text = (PACKAGE / case.defect.file).read_text(encoding="utf-8")

    assert text.count(case.defect.right) == 1
