import dataclasses
from collections.abc import Callable
from functools import cache

import pytest

from infra.layer_build import LayerFolders
from infra.node import use_node
from infra.stage import PRESETS
from tests.infrastructure.deployment import Deployment

# Before a test module imports aws_cdk, which starts Node.js.
use_node()


@pytest.fixture(scope="session")
def stand_in_layers(tmp_path_factory: pytest.TempPathFactory) -> LayerFolders:
    """Folders in place of third-party layers: what is in them makes no difference to a template but a hash."""
    names = ("third-party", "loader", "documentation")
    third_party, loader, documentation = (tmp_path_factory.mktemp(name) for name in names)
    for layer in (third_party, loader, documentation):
        (layer / "python").mkdir()
        (layer / "python" / f"{layer.name}.py").write_text("")
    return LayerFolders(third_party=third_party, loader=loader, documentation=documentation)


@pytest.fixture(scope="session")
def deployment_of(tmp_path_factory: pytest.TempPathFactory, stand_in_layers: LayerFolders) -> Callable[..., Deployment]:
    """The templates of a preset, with other values if any are given, synthesised once a session."""

    @cache
    def of(preset: str, **values: object) -> Deployment:
        from infra.assembly import add_stacks, new_app, write  # noqa: PLC0415 - starts Node.js

        stage = dataclasses.replace(PRESETS[preset](), **values)  # type: ignore[arg-type]
        app = new_app(tmp_path_factory.mktemp(preset))
        add_stacks(app, stage, stand_in_layers)
        return Deployment.read(stage, write(app))

    return of


@pytest.fixture(scope="session")
def prod(deployment_of: Callable[[str], Deployment]) -> Deployment:
    return deployment_of("prod")


@pytest.fixture(scope="session")
def local(deployment_of: Callable[[str], Deployment]) -> Deployment:
    return deployment_of("local")
