"""Fingerprint of the migration wing and of all that it imports.

The wing's tests through the local stack are dear, and the wing changes seldom: `make test` runs them when the
fingerprint is another than the one beside this file, `make test-all` always, and then writes it.

    python -m tests.migration.fingerprint [--write]
"""

import sys
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

import grimp

RECORD = Path(__file__).with_suffix(".txt")
"""The fingerprint with which the tests of the wing passed last."""

_ROOT = Path(__file__).parents[2]
_WING = ("afluente.migration", "afluente.runtime.migration", "cli.migration")
_FOLDERS = (_ROOT / "layers/core/python", _ROOT / "functions", _ROOT)


def is_known() -> bool:
    """True if the wing's tests passed with its current content."""
    return RECORD.exists() and RECORD.read_text(encoding="utf-8").strip() == fingerprint()


@cache
def fingerprint() -> str:
    """A hash of the wing, of every module that it imports at any remove, and of its tests."""
    digest = blake2b(digest_size=16)
    for file in sorted({*_sources(), *Path(__file__).parent.rglob("*.py"), *Path(__file__).parent.rglob("*.json")}):
        digest.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    graph = grimp.build_graph("afluente", "cli", cache_dir=None)
    for name in _WING:
        wing = graph.find_descendants(name) | {name}
        for module in wing | graph.find_upstream_modules(name, as_package=True):
            yield _file_of(module)


def _file_of(module: str) -> Path:
    place = module.replace(".", "/")
    candidates = [folder / f"{place}{end}" for folder in _FOLDERS for end in (".py", "/__init__.py")]
    return next(file for file in candidates if file.exists())


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        RECORD.write_text(f"{fingerprint()}\n", encoding="utf-8")
    print(fingerprint())
