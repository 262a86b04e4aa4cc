"""Write the documents of the interfaces, check that those in the checkout are current, or release them."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from apidoc.asyncapi import asyncapi_document
from apidoc.changes import breaking_changes
from apidoc.openapi import openapi_document
from apidoc.schemas import Schema

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

DOCUMENTS: Mapping[str, Callable[[], Schema]] = {"openapi": openapi_document, "asyncapi": asyncapi_document}
"""Makers of the documents, by their names."""


def current(name: str) -> Path:
    """The file of a document."""
    return REFERENCE / f"{name}.json"


def released(name: str) -> Path:
    """The file of the document that clients were written for."""
    return REFERENCE / f"{name}.released.json"


def text_of(document: Schema) -> str:
    """A document as its file has it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """The command; its exit code is 1 where a check fails."""
    parser = argparse.ArgumentParser(prog="python -m apidoc", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="fail where a file is not current, or clients would break")
    what.add_argument("--release", action="store_true", help="compare later changes with today's documents")
    chosen = parser.parse_args()
    if chosen.check:
        faults = [fault for name in DOCUMENTS for fault in _faults(name)]
        print(*faults, sep="\n", file=sys.stderr)  # noqa: T201 - a command
        return 1 if faults else 0
    for name, make in DOCUMENTS.items():
        written = [current(name), *([released(name)] if chosen.release else [])]
        for path in written:
            path.write_text(text_of(make()), encoding="utf-8")
    return 0


def _faults(name: str) -> list[str]:
    path, document = current(name), DOCUMENTS[name]()
    faults = []
    if not path.exists() or path.read_text(encoding="utf-8") != text_of(document):
        faults.append(f"{path.name} is not current: run `make openapi`, and look at what has changed")
    baseline = json.loads(released(name).read_text(encoding="utf-8"))
    return faults + [f"{name}: {change}" for change in breaking_changes(baseline, document)]


if __name__ == "__main__":
    sys.exit(main())
