"""Where the parts of the project lie that the infrastructure is made of."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"
CORE_LAYER = ROOT / "layers" / "core"
LOCK = ROOT / "uv.lock"
STAGES = ROOT / "stages"
BUILD = ROOT / "build"
