"""Paths of the project that the infrastructure is made of."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"
CORE_LAYER = ROOT / "layers" / "core"
LOCK = ROOT / "uv.lock"
STAGES = ROOT / "stages"
BUILD = ROOT / "build"

STAGES_VARIABLE = "AFLUENTE_STAGES_DIR"


def stages_directory() -> Path:
    """The folder of the stages' files: in the checkout, unless the environment names another."""
    return Path(os.environ.get(STAGES_VARIABLE) or STAGES).absolute()
