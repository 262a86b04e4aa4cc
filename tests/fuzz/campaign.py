"""Campaigns of all targets: `make fuzz`, or `make fuzz FUZZ_SECONDS=600 FUZZ_TARGETS='csv_file ws_message'`.

Without a time, each target gets the same inputs at each run: what `make test` says depends on the code alone. With one
it gets new ones.

Each target has a process of its own, as many side by side as there are processors; what they import is instrumented
once, before they part. Prints a line a target: how many inputs in how many seconds, and what was found. An input for
which the target raises, takes too long or takes too much memory is a finding: it is left in a file, and the command
ends with 1.
"""

import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import atheris
import msgspec

REPEATABLE_INPUTS = 5_000
"""Inputs of each target where no time is given, and the seed from which they are made."""
SEED = 1

MAX_INPUT_BYTES = 8192
"""Largest input; larger ones are tested as abuse of the running service."""

SLOWEST_SECONDS = 10
"""An input that takes longer is a finding. Far above what any takes, so that a busy machine finds nothing by itself."""

MEMORY_BYTES = 2 * 1024**3
"""Memory limit of a process, libraries included: an input that needs more is a finding."""

_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_FOUND = re.compile(r"Test unit written to (\S+)")
_SHOWN_LINES = 25


class Campaign(msgspec.Struct, frozen=True):
    """A campaign of a target that is under way.

    Attributes:
        target: its name.
        folder: where its seeds and its log are.
        begun: on a monotonic clock.
    """

    target: str
    folder: Path
    begun: float


class CampaignResult(msgspec.Struct, frozen=True):
    """The result of a campaign of a target."""

    target: str
    inputs: int
    seconds: float
    found: str | None


def main() -> None:
    """Run the campaigns that the environment asks for."""
    with atheris.instrument_imports(include=["afluente", "cli.constraints.files", "cli.core.output", "multipart"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - it is instrumented as it is imported

    seconds = os.environ.get("FUZZ_SECONDS", "")
    extent = {"max_total_time": seconds} if seconds else {"runs": REPEATABLE_INPUTS, "seed": SEED}
    findings = Path(os.environ.get("FUZZ_FINDINGS", "build/fuzz"))
    names = os.environ.get("FUZZ_TARGETS", "").split() or list(TARGETS)
    findings.mkdir(parents=True, exist_ok=True)
    with _folder() as folder:
        results = _all(names, extent, findings, folder)
    print(f"{'target':<18}{'inputs':>12}{'seconds':>10}  finding")
    for result in results:
        print(f"{result.target:<18}{result.inputs:>12,}{result.seconds:>10.1f}  {result.found or 'none'}")
    print(f"{'all':<18}{sum(one.inputs for one in results):>12,}{sum(one.seconds for one in results):>10.1f}")
    if any(result.found for result in results):
        raise SystemExit(1)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for the block, which the processes that part from this one leave alone when they end."""
    owner, folder = os.getpid(), Path(mkdtemp())
    try:
        yield folder
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder)


def _all(names: Sequence[str], extent: Mapping[str, object], findings: Path, folder: Path) -> list[CampaignResult]:
    waiting, running = list(names), dict[int, Campaign]()
    results: dict[str, CampaignResult] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            campaign = Campaign(name, folder / name, time.monotonic())
            running[_started(campaign, extent, findings)] = campaign
        pid, status = os.wait()
        ended = running.pop(pid)
        results[ended.target] = _outcome(ended, os.waitstatus_to_exitcode(status))
    return [results[name] for name in names]


def _started(campaign: Campaign, extent: Mapping[str, object], findings: Path) -> int:
    """The process of a campaign."""
    from tests.fuzz.seeds import seeds_of  # noqa: PLC0415 - after what it imports is instrumented

    grown, seeds = campaign.folder / "grown", campaign.folder / "seeds"
    grown.mkdir(parents=True)
    seeds.mkdir()
    for place, seed in enumerate(seeds_of(campaign.target)):
        (seeds / f"{place:03d}").write_bytes(seed)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        # The first directory is the one that grows.
        options = {**extent, "max_len": MAX_INPUT_BYTES, "timeout": SLOWEST_SECONDS}
        _fuzz(campaign, {**options, "artifact_prefix": f"{findings}/{campaign.target}-"}, [grown, seeds])
    return pid


def _fuzz(campaign: Campaign, options: Mapping[str, object], corpus: Sequence[Path]) -> None:
    """Fuzz a target; the process ends with it."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - imported and instrumented already

    log = os.open(campaign.folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    arguments = [f"-{name}={value}" for name, value in options.items()]
    dictionary = f"-dict={Path(__file__).with_name('json.dict')}"
    limit = f"-rss_limit_mb={MEMORY_BYTES // 1024**2}"
    atheris.Setup(
        ["fuzz", *arguments, limit, dictionary, "-print_final_stats=1", *map(str, corpus)], TARGETS[campaign.target]
    )
    atheris.Fuzz()


def _outcome(campaign: Campaign, exit_code: int) -> CampaignResult:
    log = (campaign.folder / "log").read_text(encoding="utf-8", errors="replace")
    executed, found = _EXECUTED.search(log), None
    if exit_code:
        written = _FOUND.search(log)
        found = written[1] if written else f"ended with {exit_code}"
        print(f"--- {campaign.target}", *_findings(log), sep="\n", file=sys.stderr)
    inputs = int(executed[1]) if executed else 0
    return CampaignResult(campaign.target, inputs, time.monotonic() - campaign.begun, found)


def _findings(log: str) -> list[str]:
    """The lines that say what was found."""
    lines = log.splitlines()
    start = next((place for place, line in enumerate(lines) if "exception" in line or line.startswith("==")), 0)
    return lines[start : start + _SHOWN_LINES]


if __name__ == "__main__":
    main()
