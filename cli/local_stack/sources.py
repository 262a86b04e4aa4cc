"""What the stack is made of, named by its content."""

import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

TEMPLATE_SOURCES = ("infra", "stages", "uv.lock")
"""What decides the templates and the layer of third-party packages."""

CODE_SOURCES = ("functions", "layers/core")
"""What the functions run; a change of it alone needs no new template."""

_IGNORED_FOLDERS = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_IGNORED_SUFFIXES = frozenset({".pyc", ".pyo"})


def template_hash(checkout: Path) -> str:
    """Names what a synthesis of the checkout gives on this machine with this Python."""
    machine = f"{sys.platform} {platform.machine()} {platform.python_version()}"
    return _digest(checkout, TEMPLATE_SOURCES, seed=machine)


def code_hash(checkout: Path) -> str:
    """Names the code of the functions and of their own layer."""
    return _digest(checkout, CODE_SOURCES, seed="")


def files_in(folder: Path) -> Iterator[Path]:
    """The files under `folder` that matter, in an order that is the same everywhere."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if _IGNORED_FOLDERS.isdisjoint(parts) and path.suffix not in _IGNORED_SUFFIXES and path.is_file():
            yield path


def _digest(checkout: Path, names: Iterable[str], *, seed: str) -> str:
    digest = hashlib.sha256(seed.encode())
    for name in names:
        root = checkout / name
        for path in files_in(root) if root.is_dir() else [root] if root.is_file() else []:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(checkout).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]
