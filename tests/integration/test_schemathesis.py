"""Requests made of the OpenAPI document, valid and not: every answer is one that the document has, and none is 5xx.

schemathesis makes them. Here its campaign is short; docs/reference/bad-input.md says what a long one found, and how it
is run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stack import LocalStack

pytestmark = pytest.mark.integration

SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "16"))
"""The seconds of a campaign with a key; one without takes a quarter of it."""

_PATIENCE_SECONDS = 300.0

CHECKS = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    )
)


def campaign(local_stack: LocalStack, folder: Path, *options: str, seconds: int) -> dict[str, Any]:
    """Run a campaign; fail with its report if it found anything."""
    report = folder / "report.json"
    url = local_stack.target.api_url
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--url", url),
            *("--checks", CHECKS, "--max-time", str(seconds), "--seed", "1", "--generation-deterministic"),
            *("--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color"),
            *("--report", "json", "--report-json-path", str(report), "--suppress-health-check", "all"),
            *options,
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
        timeout=seconds + _PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def test_with_a_key_every_answer_is_one_of_the_document(local_stack: LocalStack, tmp_path: Path) -> None:
    campaign(local_stack, tmp_path, "--header", f"X-API-Key: {local_stack.api_key}", seconds=SECONDS)


def test_without_a_key_every_answer_is_one_of_the_document(local_stack: LocalStack, tmp_path: Path) -> None:
    campaign(local_stack, tmp_path, "--header", "X-API-Key: afl_nobody_knows-it", seconds=SECONDS // 4)
