import dataclasses
import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.app import synthesise
from infra.atomic_dir import atomic_dir
from infra.layer_build import LayerFolders, stand_in_layers
from infra.node import use_node
from infra.paths import FUNCTIONS
from infra.presets import PRESETS
from infra.presets import local as local_stage
from infra.stage import Stage
from tests.infrastructure.deployment import Deployment

# Before a test module imports aws_cdk, which starts Node.js.
use_node()

_LONGEST = "test_permissions_suffice.py"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the file first that takes longest, so that the other worker runs all others meanwhile."""
    items.sort(key=lambda item: item.path.name != _LONGEST)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this run, the same in each worker."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> LayerFolders:
    """Folders in place of the layers of a stage without legacy tables."""
    return stand_in_layers(tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="session")
def deployed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Stage], Deployment]:
    """The templates of a stage, synthesised once a run: by the worker that first needs them."""
    read: dict[str, Deployment] = {}

    def of(stage: Stage) -> Deployment:
        digest = hashlib.sha256(repr(stage).encode()).hexdigest()[:16]
        if digest not in read:
            assembly = shared / f"{stage.name}-{digest}"
            with _locked(assembly.with_suffix(".lock")):
                if not assembly.exists():
                    layers = stand_in_layers(tmp_path_factory.mktemp("layers"), legacy_sql=stage.reads_legacy_tables)
                    _assemble(stage, layers, assembly)
            read[digest] = Deployment.read(stage, assembly)
        return read[digest]

    return of


@pytest.fixture(scope="session")
def deployment_of(deployed: Callable[[Stage], Deployment]) -> Callable[..., Deployment]:
    """The templates of a preset, with other values if any are given."""

    def of(preset: str, **values: object) -> Deployment:
        return deployed(dataclasses.replace(PRESETS[preset](), **values))  # type: ignore[arg-type]

    return of


@pytest.fixture(scope="session")
def prod(deployment_of: Callable[[str], Deployment]) -> Deployment:
    return deployment_of("prod")


@pytest.fixture(scope="session")
def local(deployment_of: Callable[[str], Deployment]) -> Deployment:
    return deployment_of("local")


@pytest.fixture(scope="session")
def local_assembly(shared: Path) -> Path:
    """The assembly that is deployed to the emulator, with built layers, from sources with bytecode beside them."""
    assembly = shared / "local-assembly"
    with _locked(assembly.with_suffix(".lock")):
        if not assembly.exists():
            with _bytecode(), atomic_dir(assembly) as unfinished:
                synthesise(local_stage(), unfinished)
    return assembly


@contextmanager
def _bytecode() -> Iterator[None]:
    folder = FUNCTIONS / "classifier" / "__pycache__"
    folder.mkdir(exist_ok=True)
    stale = folder / "stale.cpython-311.pyc"
    stale.touch()
    yield
    stale.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _assemble(stage: Stage, layers: LayerFolders, assembly: Path) -> None:
    from infra.assembly import assemble  # noqa: PLC0415 - starts Node.js

    with atomic_dir(assembly) as unfinished:
        assemble(stage, layers, unfinished)
