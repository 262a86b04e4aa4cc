"""The layers of functions: the third-party packages and afluente itself, and what single functions need beside them."""

from pathlib import Path

from aws_cdk import RemovalPolicy
from aws_cdk.aws_lambda import Architecture, Code, LayerVersion, Runtime
from constructs import Construct

from infra.layer_build import LayerFolders
from infra.paths import CORE_LAYER
from infra.stage import Stage

RUNTIME = Runtime.PYTHON_3_13
# Bytecode depends on who ran the code last; an asset that holds it would change without a change of the code.
WITHOUT_BYTECODE = ["**/__pycache__", "**/*.pyc"]


def architecture(stage: Stage) -> Architecture:
    """The processor that the stage's functions run on."""
    return Architecture.ARM_64 if stage.architecture == "arm64" else Architecture.X86_64


class Layers(Construct):
    """The layers, in the order in which a function lists them."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, folders: LayerFolders) -> None:
        super().__init__(scope, id_)
        self.third_party = self._layer("ThirdParty", stage, "third-party", folders.third_party, "What uv.lock says")
        self.core = self._layer("Core", stage, "core", CORE_LAYER, "The package afluente")
        self.loader = self._layer("Loader", stage, "loader", folders.loader, "What uv.lock says of the group csv")
        self.documentation = self._layer(
            "Documentation", stage, "documentation", folders.documentation, "Documents of the API, and their page"
        )
        self._old_sql = (
            [self._layer("OldSql", stage, "old-sql", folders.old_sql, "What uv.lock says of the group old-sql")]
            if folders.old_sql
            else []
        )

    @property
    def of_all(self) -> list[LayerVersion]:
        """What every function has."""
        return [self.third_party, self.core]

    @property
    def of_the_loader(self) -> list[LayerVersion]:
        """What the loader of CSV files has: pandas would make the others start later for nothing."""
        return [*self.of_all, self.loader]

    @property
    def of_the_admin(self) -> list[LayerVersion]:
        """What the function has that shows the documents of the API."""
        return [*self.of_all, self.documentation]

    @property
    def of_the_classifier(self) -> list[LayerVersion]:
        """What the classifier has: the drivers of databases only where it reads the old service's tables."""
        return [*self.of_all, *self._old_sql]

    def _layer(self, id_: str, stage: Stage, name: str, folder: Path, description: str) -> LayerVersion:
        return LayerVersion(
            self,
            id_,
            layer_version_name=f"{stage.prefix}-{name}",
            description=description,
            code=Code.from_asset(str(folder), exclude=WITHOUT_BYTECODE),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[architecture(stage)],
            removal_policy=RemovalPolicy.DESTROY,
        )
