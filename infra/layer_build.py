"""The layers of third-party packages, built from the lock file for the machine that is to run them."""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.atomic_dir import atomic_dir
from infra.documentation_build import build_documentation
from infra.paths import BUILD, LOCK, ROOT
from infra.stage import Architecture, Stage

# The runtime python3.13 of Lambda is Amazon Linux 2023 with glibc 2.34: wheels for glibc 2.28 run there.
LAMBDA_PYTHON = "3.13"
_LAMBDA_PLATFORMS: dict[Architecture, str] = {
    "arm64": "aarch64-manylinux_2_28",
    "x86_64": "x86_64-manylinux_2_28",
}
# Part of the cache key: another recipe makes another layer of the same lock.
_RECIPE = "2"


class LayerBuildError(RuntimeError):
    """A layer could not be built."""


@dataclass(frozen=True, slots=True)
class Target:
    """The machine a layer is for: a platform by uv's name and a Python version; without a platform it is this one."""

    platform: str | None
    python: str

    @property
    def key(self) -> str:
        # Without dots: the CDK would take what follows one for the extension of a file.
        machine = self.platform or f"{sys.platform}-{platform.machine()}"
        return f"{machine}-python{self.python.replace('.', '')}"


@dataclass(frozen=True, slots=True)
class Packages:
    """The content of a layer: its name, and packages of the lock, as options of `uv export`."""

    name: str
    selection: tuple[str, ...]


THIRD_PARTY = Packages("third-party", ("--no-default-groups",))
"""Packages of every function: the project's own dependencies, none of its groups."""

LOADER = Packages("loader", ("--only-group", "csv"))
"""Further packages of the CSV loader."""

LEGACY_SQL = Packages("old-sql", ("--only-group", "old-sql"))
"""Further packages of a classifier that reads legacy tables."""


@dataclass(frozen=True, slots=True)
class LayerFolders:
    """The built layers of a stage (`python/...` is in each); None for one that the stage does without."""

    third_party: Path
    loader: Path
    documentation: Path
    legacy_sql: Path | None = None


def target_of(stage: Stage) -> Target:
    """The machine that runs the functions of the stage."""
    if stage.layer_target == "host":
        return Target(platform=None, python=f"{sys.version_info.major}.{sys.version_info.minor}")
    return Target(platform=_LAMBDA_PLATFORMS[stage.architecture], python=LAMBDA_PYTHON)


def build_layers(target: Target, *, legacy_sql: bool = False) -> LayerFolders:
    """The layers of a stage, with or without the one for legacy tables; raises `LayerBuildError`."""
    return LayerFolders(
        third_party=build_layer(THIRD_PARTY, target),
        loader=build_layer(LOADER, target),
        documentation=build_documentation(),
        legacy_sql=build_layer(LEGACY_SQL, target) if legacy_sql else None,
    )


def stand_in_layers(folder: Path, *, legacy_sql: bool = False) -> LayerFolders:
    """Folders in place of built layers: their content makes no difference to a template but a hash."""
    return LayerFolders(
        third_party=_stand_in(folder / "third-party"),
        loader=_stand_in(folder / "loader"),
        documentation=_stand_in(folder / "documentation"),
        legacy_sql=_stand_in(folder / "old-sql") if legacy_sql else None,
    )


def build_layer(packages: Packages, target: Target, *, lock: Path = LOCK, cache: Path = BUILD / "layers") -> Path:
    """The folder of a layer (`python/...` is in it); built only if the lock or the target is new.

    Raises `LayerBuildError`; a build that did not finish leaves nothing under the returned name.
    """
    layer = cache / f"{packages.name}-{target.key}-{_digest(lock)}"
    if layer.exists():
        return layer
    uv = find_uv()
    with atomic_dir(layer) as unfinished, tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        _export(uv, packages, lock.parent, requirements)
        _install(uv, target, requirements, unfinished / "python")
        _drop_machine_specifics(unfinished / "python")
        _drop_tests(unfinished / "python")
    return layer


def find_uv(checkout: Path = ROOT) -> list[str]:
    """The command of uv: named in `UV` (as `uv run` does), on the PATH, of `make setup`, or installed in this Python.

    Raises `LayerBuildError`; it names the places.
    """
    named = os.environ.get("UV")
    if named:
        return [named]
    # The Makefile puts it there (UV_TOOLS) where the machine has none.
    installed = checkout / ".venv-uv" / "bin" / "uv"
    found = shutil.which("uv") or shutil.which(str(installed))
    if found:
        return [found]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise LayerBuildError(
        f"uv is not found: it is not on the PATH, not at {installed} and not in the Python of {sys.prefix}; run "
        "`make setup`, which installs it there, put it on the PATH, name it in UV, or install it with `pip install uv`"
    )


def _stand_in(layer: Path) -> Path:
    (layer / "python").mkdir(parents=True, exist_ok=True)
    # Layers with the same content would be one asset.
    (layer / "python" / f"{layer.name}.py").touch()
    return layer


def _digest(lock: Path) -> str:
    return hashlib.sha256(_RECIPE.encode() + lock.read_bytes()).hexdigest()[:16]


def _export(uv: list[str], packages: Packages, project: Path, requirements: Path) -> None:
    export = ["export", "--frozen", *packages.selection, "--no-emit-project", "--quiet"]
    _run([*uv, *export, "--project", str(project), "--output-file", str(requirements)])


def _install(uv: list[str], target: Target, requirements: Path, into: Path) -> None:
    into.mkdir(parents=True)
    install = ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    # Copies: a link into uv's cache would let a change of the layer reach other environments.
    install += ["--link-mode", "copy", "--target", str(into), "--requirement", str(requirements)]
    if target.platform is not None:
        install += ["--python-platform", target.platform, "--python-version", target.python]
    _run([*uv, *install, "--python", sys.executable])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode != 0:
        raise LayerBuildError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr.strip()}")


def _drop_machine_specifics(python: Path) -> None:
    # Scripts name the interpreter that installed them; a function never runs them.
    shutil.rmtree(python / "bin", ignore_errors=True)
    (python / ".lock").unlink(missing_ok=True)


def _drop_tests(python: Path) -> None:
    # Those of pandas and numpy are half of what they have in files, and a function's layers together may be 250 MB
    # (Lambda, "Deployment package (.zip file archive) size", unzipped).
    for folder in list(python.rglob("tests")):
        shutil.rmtree(folder, ignore_errors=True)
