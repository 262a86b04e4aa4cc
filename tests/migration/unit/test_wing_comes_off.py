"""The migration wing can be taken off: a stage without a legacy service works without its folders."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LAYER = ROOT / "layers" / "core" / "python"
WING = ("afluente/migration", "afluente/runtime/migration")


def test_points_are_accepted_and_classified_in_a_layer_without_the_migration_wing(tmp_path: Path) -> None:
    layer = tmp_path / "python"
    shutil.copytree(LAYER, layer, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in WING:
        shutil.rmtree(layer / folder)
    path = os.pathsep.join(map(str, (layer, ROOT / "functions", ROOT)))

    done = subprocess.run(
        [sys.executable, "-m", "tests.migration.unit.without_the_wing"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "layer": str(layer / "afluente"),
        "status": 202,
        "returned": {"batchItemFailures": []},
        "classes": {"alert": [60], "warning": [45], "anomaly": [], "normal": [20]},
    }
