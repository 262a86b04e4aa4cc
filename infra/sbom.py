"""The bill of materials of a deployment: `python -m infra.sbom --stage prod` writes it as CycloneDX JSON.

It lists the packages that are in the built layers, whatever was asked for when they were built.
"""

import argparse
import json
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import Any

import afluente
from infra.layer_build import LayerBuildError, LayerFolders, build_layers, target_of
from infra.paths import BUILD, LOCK
from infra.presets import StageError, load_stage

Component = dict[str, Any]

SWAGGER_UI = "flask-swagger-ui"
"""The package whose files are in the layer of the documentation."""

_SPECIFICATION = "1.6"
# Fixed, so that the same layers give the same document.
_NAMESPACE = uuid.UUID("6c0a5f2e-5d0b-4d5c-9d7e-1b0f5a6a7c11")
_LICENSE = "License :: "


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the bill of materials of a stage, and print its path."""
    parser = argparse.ArgumentParser(prog="python -m infra.sbom", description=__doc__)
    parser.add_argument("--stage", required=True, help="whose layers: dev, prod, or one of your own")
    parser.add_argument("--out", type=Path, help="where to; by default build/sbom/afluente-STAGE.cdx.json")
    chosen = parser.parse_args(arguments)
    try:
        stage = load_stage(chosen.stage)
        folders = build_layers(target_of(stage), legacy_sql=stage.reads_legacy_tables)
    except (StageError, LayerBuildError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    out: Path = chosen.out or BUILD / "sbom" / f"{stage.prefix}.cdx.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    document = bill_of(folders)
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{out}: {len(document['components'])} components\n")
    return 0


def bill_of(folders: LayerFolders, lock: Path = LOCK) -> dict[str, Any]:
    """The document: each package of each layer, its version, its licence, and the hashes that the lock has of it."""
    hashes = dict(_hashes(lock))
    components: dict[str, Component] = {}
    for layer, folder in _layers(folders):
        for package in distributions(path=[str(folder / "python")]):
            _add(components, package, layer, hashes)
    # The page of the documentation holds the files of this package, and no metadata of it.
    _add(components, distribution(SWAGGER_UI), "documentation", hashes)
    listed = [components[ref] for ref in sorted(components)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{_SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(listed))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"afluente@{afluente.__version__}",
                "name": "afluente",
                "version": afluente.__version__,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": listed,
        "dependencies": [
            {"ref": f"afluente@{afluente.__version__}", "dependsOn": [one["bom-ref"] for one in listed]},
        ],
    }


def _add(
    components: dict[str, Component], package: Distribution, layer: str, hashes: dict[tuple[str, str], list[str]]
) -> None:
    component = _component(package, hashes)
    known = components.setdefault(component["bom-ref"], component)
    known["properties"].append({"name": "afluente:layer", "value": layer})


def _layers(folders: LayerFolders) -> Iterator[tuple[str, Path]]:
    yield "third-party", folders.third_party
    yield "loader", folders.loader
    if folders.legacy_sql is not None:
        yield "old-sql", folders.legacy_sql


def _component(package: Distribution, hashes: dict[tuple[str, str], list[str]]) -> Component:
    name, version = _normalised(package.name), package.version
    purl = f"pkg:pypi/{name}@{version}"
    component: Component = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": [],
    }
    licence = _licence(package)
    if licence is not None:
        component["licenses"] = [licence]
    archives = hashes.get((name, version), [])
    if archives:
        component["externalReferences"] = [
            {
                "type": "distribution",
                "url": url,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for url, digest in (archive.split(" ") for archive in archives)
        ]
    return component


def _licence(package: Distribution) -> dict[str, Any] | None:
    """The licence as the package states it: by an SPDX expression, a text, or classifiers."""
    expression = _field(package, "License-Expression")
    if expression:
        return {"expression": expression}
    stated = _field(package, "License")
    if stated and "\n" not in stated:
        return {"license": {"name": stated}}
    classified = [
        classifier.rsplit(" :: ", 1)[1]
        for classifier in package.metadata.get_all("Classifier") or []
        if classifier.startswith(_LICENSE)
    ]
    if classified:
        return {"license": {"name": " AND ".join(classified)}}
    return {"license": {"name": stated.splitlines()[0]}} if stated else None


def _field(package: Distribution, name: str) -> str:
    return str((package.metadata.get_all(name) or [""])[0]).strip()


def _hashes(lock: Path) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """The archives of each package of the lock, each with its SHA-256."""
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        found = [package["sdist"]] if "sdist" in package else []
        archives = [archive for archive in [*found, *package.get("wheels", [])] if "hash" in archive]
        if archives:
            yield (
                (package["name"], package["version"]),
                [f"{archive['url']} {archive['hash'].removeprefix('sha256:')}" for archive in archives],
            )


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    sys.exit(main())
