"""Contents of a cloud assembly: stacks in order of dependency, and the files they need in S3."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.core.state import CHECKOUT
from cli.local_stack.archives import archive

# An asset that holds one of these files is a copy of that folder of the checkout. What is deployed is the folder as it
# is now, so a change of code needs no synthesis.
_LIVE_FOLDERS = {
    "functions": "http_ingest/__init__.py",
    "layers/core": "python/afluente/__init__.py",
}


@dataclass(frozen=True)
class Asset:
    """A file for the asset bucket.

    Attributes:
        source: a folder that is archived, or a file that is copied as it is.
        bucket: may hold the placeholders of CloudFormation (`${AWS::AccountId}`).
        key: the object's key, which templates name.
        is_live: whether `source` is a folder of the checkout.
    """

    source: Path
    bucket: str
    key: str
    is_live: bool

    @cached_property
    def content(self) -> bytes:
        """Body of the object."""
        return archive(self.source) if self.source.is_dir() else self.source.read_bytes()


@dataclass(frozen=True, slots=True)
class StackTemplate:
    """A stack to deploy."""

    name: str
    template: Mapping[str, Any]

    def resources(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The logical ids and properties of its resources of a type."""
        for logical_id, resource in self.template["Resources"].items():
            if resource["Type"] == kind:
                yield logical_id, resource.get("Properties", {})


@dataclass(frozen=True, slots=True)
class Assembly:
    """The local stage, ready to be deployed.

    Attributes:
        stacks: each after those it depends on.
        assets: by object key.
    """

    stacks: tuple[StackTemplate, ...]
    assets: Mapping[str, Asset]


def read(folder: Path) -> Assembly:
    """Read the assembly that a synthesis wrote into `folder`."""
    artifacts: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())["artifacts"]
    stacks = [_stack(folder, name, artifacts[name]) for name in _ordered(artifacts)]
    assets = [
        asset
        for artifact in artifacts.values()
        if artifact["type"] == "cdk:asset-manifest"
        for asset in _assets(folder, folder / artifact["properties"]["file"])
    ]
    return Assembly(tuple(stacks), {asset.key: asset for asset in assets})


def _ordered(artifacts: Mapping[str, Any]) -> list[str]:
    """The ids of the stacks, each after those it depends on."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done or artifacts[name]["type"] != "aws:cloudformation:stack":
            return
        for dependency in artifacts[name].get("dependencies", ()):
            visit(dependency)
        done.append(name)

    for name in artifacts:
        visit(name)
    return done


def _stack(folder: Path, artifact_id: str, artifact: Mapping[str, Any]) -> StackTemplate:
    properties = artifact["properties"]
    template = json.loads((folder / properties["templateFile"]).read_bytes())
    return StackTemplate(properties.get("stackName", artifact_id), template)


def _assets(folder: Path, manifest: Path) -> Iterator[Asset]:
    for file in json.loads(manifest.read_bytes()).get("files", {}).values():
        copy = folder / file["source"]["path"]
        live = _live_folder(copy)
        for destination in file["destinations"].values():
            yield Asset(live or copy, destination["bucketName"], destination["objectKey"], is_live=live is not None)


def _live_folder(copy: Path) -> Path | None:
    for name, sign in _LIVE_FOLDERS.items():
        if (copy / sign).is_file():
            return CHECKOUT / name
    return None
