"""Docstrings are noun phrases or imperatives: none opens with a question word, or only refers to another."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("layers/core/python", "functions", "cli", "infra", "apidoc", "tests", "benchmarks")
NOT_PLAIN = re.compile(r"(What|How|Which|Of|Whether|Also|Where|Who|Whose|When|That)\b|See `[^`]+`\.?$")


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_are_noun_phrases_or_imperatives(folder: str) -> None:
    offenders = [
        f"{file.relative_to(ROOT)}:{line}: {' '.join(text.split()[:5])}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line, text in docstrings_of(file)
        if NOT_PLAIN.match(text)
    ]

    assert not offenders, "\n".join(offenders)


def docstrings_of(file: Path) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, its classes, functions and attributes, with their lines."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.strip()
