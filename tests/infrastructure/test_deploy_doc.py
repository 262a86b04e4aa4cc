"""The guide to deployment names every value of a stage."""

import dataclasses
import re

from infra.paths import ROOT
from infra.stage import Stage

GUIDE = ROOT / "docs" / "how-to" / "deploy.md"
# Set by the preset, or for the local stack alone.
NOT_TO_BE_SET = {"name", "layer_target"}


def test_the_guide_lists_every_value_of_a_stage() -> None:
    section = GUIDE.read_text(encoding="utf-8").split("## Choose a stage")[1].split("### Flags")[0]
    listed = set(re.findall(r"^\* `([a-z_]+)` \(default", section, re.MULTILINE))

    assert listed == {field.name for field in dataclasses.fields(Stage)} - NOT_TO_BE_SET
