"""Cost of importing each function's handler in a fresh interpreter, beside `import boto3` in the same run.

    .venv/bin/python benchmarks/cold_imports.py
    .venv/bin/python benchmarks/cold_imports.py --tree ../another-checkout

Own modules are those of `afluente` and of the function's package, packages included; lines are theirs. CPU is the
median of some rounds, in each of which every import has a process of its own. Bytecode is compiled before the first.
botocore finds no awscrt, which the development environment has and the Lambda runtime lacks.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

FUNCTIONS = (
    "http_authorizer",
    "http_ingest",
    "http_admin",
    "iot_rule_handler",
    "ws_ingest",
    "classifier",
    "csv_trigger",
)
PEER = "boto3"

_PROGRAM = """
import json, sys, time
from importlib import import_module
sys.modules["awscrt"] = None
begun = time.process_time()
import_module(sys.argv[1])
seconds = time.process_time() - begun
roots = {"afluente", sys.argv[1].partition(".")[0]}
own = [its.__file__ for name, its in sys.modules.items() if name.partition(".")[0] in roots]
print(json.dumps({"seconds": seconds, "files": own}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="imports of each module (default 10)")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1], help="checkout to measure")
    arguments = parser.parse_args()
    modules = [*(f"{function}.handler" for function in FUNCTIONS), PEER]
    files = {module: imported(module, arguments.tree)["files"] for module in modules}
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(arguments.rounds):
        for module in modules:
            seconds[module].append(imported(module, arguments.tree)["seconds"])
    print("| import | own modules | lines | CPU |\n|---|---|---|---|")
    for module in modules:
        cpu = f"{1000 * statistics.median(seconds[module]):.0f} ms"
        own, lines = ("", "") if module == PEER else (f"{len(files[module])}", f"{lines_of(files[module]):,}")
        print(f"| `{module}` | {own} | {lines} | {cpu} |")


def imported(module: str, tree: Path) -> dict[str, Any]:
    """Import a module in a process of its own."""
    path = os.pathsep.join(str(tree / folder) for folder in ("layers/core/python", "functions"))
    command = [sys.executable, "-c", _PROGRAM, module]
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lines_of(files: list[str]) -> int:
    return sum(len(Path(file).read_text(encoding="utf-8").splitlines()) for file in files)


if __name__ == "__main__":
    main()
