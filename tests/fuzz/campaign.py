"""Campaigns of all targets: `make fuzz`, or `make fuzz FUZZ_SECONDS=600 FUZZ_TARGETS='csv_file ws_message'`.

Each target has a process of its own, as many side by side as there are processors. Prints a line a target: how many
inputs in how many seconds, and what was found. Ends with 1 if anything was.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.fuzz.seeds import seeds_of
from tests.fuzz.targets import TARGETS

MAX_INPUT_BYTES = 8192
"""Of an input; what is larger is tested as abuse of the running service."""

SLOWEST_SECONDS = 10
"""An input that takes longer is a finding. Far above what any takes, so that a busy machine finds nothing by itself."""

_MEMORY_MEGABYTES = 2048
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_CRASH = re.compile(r"Test unit written to (\S+)")
_SHOWN_LINES = 25


class Outcome(msgspec.Struct, frozen=True):
    """What a campaign of a target came to."""

    target: str
    inputs: int
    seconds: float
    found: str | None


def main() -> None:
    """Run the campaigns that the environment asks for."""
    seconds = int(os.environ.get("FUZZ_SECONDS", "2"))
    findings = Path(os.environ.get("FUZZ_FINDINGS", "build/fuzz"))
    names = os.environ.get("FUZZ_TARGETS", "").split() or list(TARGETS)
    findings.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as executor:
        outcomes = list(executor.map(lambda name: _campaign(name, seconds, findings), names))
    print(f"{'target':<18}{'inputs':>12}{'seconds':>10}  finding")
    for outcome in outcomes:
        print(f"{outcome.target:<18}{outcome.inputs:>12,}{outcome.seconds:>10.1f}  {outcome.found or 'none'}")
    print(f"{'all':<18}{sum(one.inputs for one in outcomes):>12,}{sum(one.seconds for one in outcomes):>10.1f}")
    if any(outcome.found for outcome in outcomes):
        raise SystemExit(1)


def _campaign(name: str, seconds: int, findings: Path) -> Outcome:
    with TemporaryDirectory() as folder:
        grown, seeds = Path(folder, "grown"), Path(folder, "seeds")
        grown.mkdir()
        seeds.mkdir()
        for place, seed in enumerate(seeds_of(name)):
            (seeds / f"{place:03d}").write_bytes(seed)
        begun = time.monotonic()
        # The first directory is the one that grows.
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.run", name),
                f"-max_total_time={seconds}",
                f"-max_len={MAX_INPUT_BYTES}",
                f"-timeout={SLOWEST_SECONDS}",
                f"-rss_limit_mb={_MEMORY_MEGABYTES}",
                f"-dict={Path(__file__).with_name('json.dict')}",
                f"-artifact_prefix={findings}/{name}-",
                "-print_final_stats=1",
                *(str(grown), str(seeds)),
            ],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        taken = time.monotonic() - begun
    executed = _EXECUTED.search(done.stderr)
    found = None
    if done.returncode:
        written = _CRASH.search(done.stderr)
        found = written[1] if written else f"ended with {done.returncode}"
        print(f"--- {name}", *_told(done.stderr), sep="\n", file=sys.stderr)
    return Outcome(name, int(executed[1]) if executed else 0, taken, found)


def _told(log: str) -> list[str]:
    """The lines that say what was found."""
    lines = log.splitlines()
    start = next((place for place, line in enumerate(lines) if "exception" in line or line.startswith("==")), 0)
    return lines[start : start + _SHOWN_LINES]


if __name__ == "__main__":
    main()
