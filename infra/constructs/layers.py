"""Layers of the functions: third-party packages, afluente itself, and further packages of single functions."""

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
        self._legacy_sql = (
            [self._layer("OldSql", stage, "old-sql", folders.legacy_sql, "What uv.lock says of the group old-sql")]
            if folders.legacy_sql
            else []
        )

    @property
    def common(self) -> list[LayerVersion]:
        """Those of every function."""
        return [self.third_party, self.core]

    @property
    def csv_loader(self) -> list[LayerVersion]:
        """Those of the CSV loader: pandas would make the others start later for nothing."""
        return [*self.common, self.loader]

    @property
    def http_admin(self) -> list[LayerVersion]:
        """Those of the function that shows the documents of the API."""
        return [*self.common, self.documentation]

    @property
    def classifier(self) -> list[LayerVersion]:
        """Those of the classifier: the drivers of databases only where it reads the legacy tables."""
        return [*self.common, *self._legacy_sql]

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
