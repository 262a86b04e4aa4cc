"""Moving a legacy service's sensors: what each command takes, with a run that is killed half-way and goes on.

    .venv/bin/python benchmarks/migrate.py

Starts a PostgreSQL server and a local stack of its own. The commands are processes of their own, as people start them.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from afluente.migration.adapters.dynamodb_records import DynamoMigrationRecords
from cli.core.state import CHECKOUT, StateDir
from tests.migration.legacy_service import ALERT_THRESHOLDS, a_legacy_service, create_tables, fill
from tests.migration.postgres import running_postgres
from tests.stack import LocalStack, running_stack

_POLL_SECONDS = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=10_000, help="in the legacy tables (default 10,000)")
    parser.add_argument("--changes", type=int, default=100, help="thresholds that change (default 100)")
    arguments = parser.parse_args()
    with (
        running_postgres() as server,
        tempfile.TemporaryDirectory(prefix="afluente-bench-") as folder,
        running_stack(StateDir.of(Path(folder))) as stack,
    ):
        url = server.new_database()
        seed(url, arguments.sensors)
        commands = Commands(url, Path(folder))
        print("| what | seconds | came of it |\n|---|---|---|")
        commands.report("plan", "plan")
        commands.report_killed(stack, arguments.sensors // 2)
        commands.report("run, continued", "run")
        commands.report("verify", "verify")
        commands.report("second run", "run")
        commands.report("dual write on", "dual-write", "on", as_json=False)
        commands.report("pass without a change", "dual-write", "sync")
        change(url, arguments.changes)
        commands.report(f"pass with {arguments.changes} changes", "dual-write", "sync")
        commands.report("verify", "verify")
        commands.report("rollback", "rollback", "--yes")


def seed(url: str, sensors: int) -> None:
    engine = sa.create_engine(url)
    create_tables(engine)
    fill(engine, a_legacy_service(sensors, seed=1))
    engine.dispose()


def change(url: str, changes: int) -> None:
    """Other bounds for some sensors, as the legacy service's people would set them."""
    engine = sa.create_engine(url)
    table = ALERT_THRESHOLDS
    with engine.begin() as connection:
        chosen = (
            sa.select(table.c.id)
            .where(table.c.active, table.c.physical_max > table.c.warning_max)
            .order_by(table.c.id)
            .limit(changes)
        )
        connection.execute(
            sa.update(table)
            .where(table.c.id.in_(chosen))
            .values(physical_max=table.c.physical_max + 1, updated_at=sa.func.now())
        )
    engine.dispose()


class Commands:
    """`afluente migrate`, on the benchmark's own database and stack."""

    def __init__(self, url: str, state: Path) -> None:
        self._environment = {**os.environ, "AFLUENTE_SQL_URL": url, "AFLUENTE_STATE_DIR": str(state)}

    def report(self, what: str, *arguments: str, as_json: bool = True) -> None:
        began = time.monotonic()
        done = subprocess.run(
            self._command(*arguments, *(["--json"] if as_json else [])),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        told = self._told(json.loads(done.stdout)) if as_json and done.stdout else done.stdout.strip()
        print(f"| {what} | {seconds:.1f} | {told or done.stderr.strip()} (exit code {done.returncode}) |", flush=True)

    def report_killed(self, stack: LocalStack, sensors: int) -> None:
        """A run that is killed once it has so many sensors done."""
        records = DynamoMigrationRecords(stack.client("dynamodb"), stack.target["MigrationTable"])
        began = time.monotonic()
        process = subprocess.Popen(
            self._command("run"), env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while (progress := records.find_run()) is None or progress.sensors < sensors:
            if process.poll() is not None:
                raise RuntimeError(f"the run ended by itself with {process.returncode}")
            time.sleep(_POLL_SECONDS)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seconds = time.monotonic() - began
        print(f"| run, killed half-way | {seconds:.1f} | {progress.sensors:,} sensors done |", flush=True)

    def _command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("afluente")), "migrate", *arguments]

    def _told(self, document: dict[str, Any]) -> str:
        for counts in ("prospects", "counts", "findings", "outcomes"):
            if counts in document:
                return ", ".join(f"{count:,} {name}" for name, count in sorted(document[counts].items()))
        return ", ".join(f"{value:,} {name}" for name, value in document.items() if value and isinstance(value, int))


if __name__ == "__main__":
    os.chdir(CHECKOUT)
    main()
