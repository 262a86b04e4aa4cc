"""The bill of materials lists what the layers hold: each package, no other, with version, licence and hashes."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from infra.layer_build import LayerFolders, build_layers, target_of
from infra.paths import LOCK
from infra.presets import local
from infra.sbom import bill_of, main

Bill = dict[str, Any]


@pytest.fixture(scope="module")
def folders() -> LayerFolders:
    return build_layers(target_of(local()), legacy_sql=True)


@pytest.fixture(scope="module")
def bill(folders: LayerFolders) -> Bill:
    return bill_of(folders)


def as_written(name: str) -> str:
    """A name without the differences that make none."""
    return re.sub(r"[-_.]", "-", name).lower()


def layers_of(component: dict[str, Any]) -> list[str]:
    return [one["value"] for one in component["properties"] if one["name"] == "afluente:layer"]


def test_it_lists_exactly_the_packages_that_the_layers_hold(folders: LayerFolders, bill: Bill) -> None:
    assert folders.legacy_sql is not None
    for layer, folder in (
        ("third-party", folders.third_party),
        ("loader", folders.loader),
        ("old-sql", folders.legacy_sql),
    ):
        held = {as_written(info.name.removesuffix(".dist-info")) for info in (folder / "python").glob("*.dist-info")}
        listed = {
            as_written(f"{component['name']}-{component['version']}")
            for component in bill["components"]
            if layer in layers_of(component)
        }
        assert listed == held
        assert held
    assert {"pandas", "msgspec", "sqlalchemy", "flask-swagger-ui"} <= {one["name"] for one in bill["components"]}


def test_every_version_is_the_one_of_the_lock_with_its_hashes(bill: Bill) -> None:
    locked = {
        (package["name"], package["version"]): package
        for package in tomllib.loads(LOCK.read_text())["package"]
        if "version" in package
    }

    for component in bill["components"]:
        package = locked[component["name"], component["version"]]
        hashes = {reference["hashes"][0]["content"] for reference in component["externalReferences"]}
        assert hashes == {
            archive["hash"].removeprefix("sha256:")
            for archive in [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", [])]
        }


def test_every_licence_is_known(bill: Bill) -> None:
    without = [component["name"] for component in bill["components"] if "licenses" not in component]

    assert without == []


def test_it_is_cyclonedx_and_the_same_for_the_same_layers(folders: LayerFolders, bill: Bill) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
    assert bill["dependencies"][0]["dependsOn"] == references
    assert all(component["purl"].startswith("pkg:pypi/") for component in bill["components"])
    assert bill_of(folders) == bill


def test_a_stage_that_does_not_exist_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stage", "nowhere", "--out", str(tmp_path / "bill.json")]) == 1
    assert "'nowhere' is unknown" in capsys.readouterr().err


def test_the_command_writes_it_for_a_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sbom" / "bill.json"

    assert main(["--stage", "local", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["components"]
    assert f"{out}: " in capsys.readouterr().out
