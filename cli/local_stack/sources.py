"""Sources of the stack, hashed by content."""

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from infra.paths import STAGES_VARIABLE, stages_directory

TEMPLATE_SOURCES = ("infra", "stages", "uv.lock", "docs/reference/openapi.json", "docs/reference/asyncapi.json")
"""Sources of the templates and built layers; the stages may be in a folder of their own."""

CODE_SOURCES = ("functions", "layers/core")
"""Sources of the functions; a change of these alone needs no new template."""

_IGNORED_FOLDERS = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_IGNORED_SUFFIXES = frozenset({".pyc", ".pyo"})


def template_hash(checkout: Path) -> str:
    """Hash that names the synthesis of the checkout on this machine with this Python."""
    machine = f"{sys.platform} {platform.machine()} {platform.python_version()}"
    return _digest(checkout, TEMPLATE_SOURCES, seed=machine)


def code_hash(checkout: Path) -> str:
    """Hash of the code of the functions and of their own layer."""
    return _digest(checkout, CODE_SOURCES, seed="")


def files_in(folder: Path) -> Iterator[Path]:
    """The files under `folder` that matter, in an order that is the same everywhere."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if _IGNORED_FOLDERS.isdisjoint(parts) and path.suffix not in _IGNORED_SUFFIXES and path.is_file():
            yield path


def _digest(checkout: Path, names: Iterable[str], *, seed: str) -> str:
    digest = hashlib.sha256(seed.encode())
    elsewhere = {"stages": stages_directory()} if os.environ.get(STAGES_VARIABLE) else {}
    for name in names:
        root = elsewhere.get(name, checkout / name)
        for path in files_in(root) if root.is_dir() else [root] if root.is_file() else []:
            content = path.read_bytes()
            # As if it were in the checkout, wherever it is.
            place = Path(name) / path.relative_to(root)
            digest.update(f"{place.as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]
