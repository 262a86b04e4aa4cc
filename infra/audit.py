"""Audit of the lock: `python -m infra.audit` asks OSV for known vulnerabilities of each package.

Accepted ones are in `audit.toml`, each with a reason and the last day of its acceptance.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.layer_build import LayerBuildError, find_uv
from infra.paths import ROOT

ACCEPTED = ROOT / "audit.toml"

CLEAN, FOUND, NOT_AUDITED = 0, 1, 3
"""Exit codes: nothing is known, something is, or the service did not answer."""

_TIMEOUT_SECONDS = 180


class AuditError(RuntimeError):
    """The audit could not be made."""


class Accepted(BaseModel):
    """A vulnerability that is known and accepted.

    Attributes:
        id: of the advisory, or one of its other names (GHSA-…, PYSEC-…, CVE-…).
        reason: why it does no harm here.
        until: the last day on which it is accepted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    reason: str = Field(min_length=20)
    until: date


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accepted: list[Accepted] = []


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the problems; 0 if there are none, 1 if there are, 3 if the service did not answer."""
    parser = argparse.ArgumentParser(prog="python -m infra.audit", description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT, help="whose uv.lock; by default that of this project")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="the file of what is accepted")
    parser.add_argument("--service-url", help="another OSV service than https://api.osv.dev/")
    parser.add_argument(
        "--where-nobody-answers",
        choices=("fail", "warn"),
        default="fail",
        help="warn: end with 0 where the service cannot be reached, after saying loudly that nothing was audited",
    )
    chosen = parser.parse_args(arguments)
    try:
        report = _uv_audit(chosen.project, chosen.service_url)
        accepted = read_accepted(chosen.accepted)
    except AuditError as error:
        _warn_loudly(str(error))
        return CLEAN if chosen.where_nobody_answers == "warn" else NOT_AUDITED
    found = list(problems(report, accepted, date.today()))  # noqa: DTZ011 - a day of whoever audits
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    packages = report["summary"]["audited_packages"]
    accepted_now = len(accepted)
    sys.stdout.write(f"{packages} packages of uv.lock audited: {len(found)} problems, {accepted_now} accepted\n")
    return FOUND if found else CLEAN


def problems(report: dict[str, Any], accepted: Sequence[Accepted], today: date) -> Iterator[str]:
    """Vulnerabilities that are not accepted, or no longer, and acceptances of none."""
    unused = {one.id: one for one in accepted}
    for found in report["vulnerabilities"]:
        names = {found["id"], *found["aliases"]}
        acceptance = next((one for one in accepted if one.id in names), None)
        if acceptance is not None:
            unused.pop(acceptance.id, None)
        if acceptance is None or acceptance.until < today:
            expired = f" (accepted until {acceptance.until}, which is over)" if acceptance else ""
            yield _rendered(found) + expired
    for status in report.get("adverse_statuses", []):
        yield f"its index says of a package: {json.dumps(status)}"
    for one in unused.values():
        yield f"{one.id}: accepted in audit.toml, and no package of uv.lock has it: take it out"


def read_accepted(file: Path) -> list[Accepted]:
    """The accepted vulnerabilities; raises `AuditError` that names the fault of the file."""
    if not file.exists():
        return []
    try:
        return _Document.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).accepted
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise AuditError(f"{file}: {error}") from error


def _uv_audit(project: Path, service_url: str | None) -> dict[str, Any]:
    try:
        command = [*find_uv(), "audit", "--frozen", "--project", str(project), "--output-format", "json"]
    except LayerBuildError as error:
        raise AuditError(str(error)) from error
    command += ["--preview-features", "audit-command,json-output"]
    if service_url is not None:
        command += ["--service-url", service_url]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and what the command line says
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS, env=os.environ
        )
    except subprocess.TimeoutExpired as error:
        raise AuditError(f"no answer within {_TIMEOUT_SECONDS} s") from error
    # 0: nothing found, 1: something; anything else is an error, with its cause on stderr.
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise AuditError(done.stderr.strip() or f"uv audit ended with {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _rendered(found: dict[str, Any]) -> str:
    dependency = found["dependency"]
    fixed = ", ".join(found.get("fix_versions") or []) or "no version yet"
    names = ", ".join(sorted({found["id"], *found["aliases"]}))
    return f"{dependency['name']} {dependency['version']}: {names}: {found.get('summary') or ''} Mended in: {fixed}."


def _warn_loudly(cause: str) -> None:
    line = "!" * 100
    sys.stderr.write(
        f"{line}\nNOT AUDITED: the vulnerabilities of the packages in uv.lock are NOT KNOWN.\n{cause}\n"
        f"Run `make audit` where the service can be reached, before this is released.\n{line}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
