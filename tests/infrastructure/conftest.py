from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from infra.node import use_node
from infra.stage import PRESETS
from tests.infrastructure.deployment import Deployment

# Before a test module imports aws_cdk, which starts Node.js.
use_node()


@pytest.fixture(scope="session")
def stand_in_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in place of the third-party layer: what is in it makes no difference to a template but a hash."""
    layer = tmp_path_factory.mktemp("layer")
    (layer / "python").mkdir()
    (layer / "python" / "third_party.py").write_text("")
    return layer


@pytest.fixture(scope="session")
def deployment_of(tmp_path_factory: pytest.TempPathFactory, stand_in_layer: Path) -> Callable[[str], Deployment]:
    """The templates of a preset, synthesised once a session."""

    @cache
    def of(preset: str) -> Deployment:
        from infra.assembly import add_stacks, new_app, write  # noqa: PLC0415 - starts Node.js

        stage = PRESETS[preset]()
        app = new_app(tmp_path_factory.mktemp(preset))
        add_stacks(app, stage, stand_in_layer)
        return Deployment.read(stage, write(app))

    return of


@pytest.fixture(scope="session")
def prod(deployment_of: Callable[[str], Deployment]) -> Deployment:
    return deployment_of("prod")


@pytest.fixture(scope="session")
def local(deployment_of: Callable[[str], Deployment]) -> Deployment:
    return deployment_of("local")
