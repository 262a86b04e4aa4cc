"""Deployed code: named by its content, and the same as in the checkout now."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from cli.core.state import CHECKOUT, StateDir
from cli.local_stack import assembly, sources, synthesis
from cli.local_stack.archives import archive, lambda_sha256


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("infra/app.py", "stages/local.toml", "functions/f/handler.py", "layers/core/python/p.py", "uv.lock"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.mark.parametrize("changed", ["infra/app.py", "infra/new.py", "stages/local.toml", "uv.lock"])
def test_a_change_of_the_infrastructure_is_another_template(checkout: Path, changed: str) -> None:
    before = sources.template_hash(checkout), sources.code_hash(checkout)
    (checkout / changed).write_text("changed")
    assert sources.template_hash(checkout) != before[0]
    assert sources.code_hash(checkout) == before[1]


@pytest.mark.parametrize("changed", ["functions/f/handler.py", "functions/g.py", "layers/core/python/p.py"])
def test_a_change_of_code_is_no_other_template(checkout: Path, changed: str) -> None:
    before = sources.template_hash(checkout), sources.code_hash(checkout)
    (checkout / changed).write_text("changed")
    assert sources.template_hash(checkout) == before[0]
    assert sources.code_hash(checkout) != before[1]


@pytest.mark.parametrize("made", ["functions/__pycache__/x.py", "functions/x.pyc", "README.md", "infra/.mypy_cache/x"])
def test_what_tools_leave_changes_nothing(checkout: Path, made: str) -> None:
    before = sources.template_hash(checkout), sources.code_hash(checkout)
    (checkout / made).parent.mkdir(exist_ok=True)
    (checkout / made).write_text("made")
    assert (sources.template_hash(checkout), sources.code_hash(checkout)) == before


def test_a_renamed_file_is_a_change(checkout: Path) -> None:
    before = sources.code_hash(checkout)
    (checkout / "functions/f/handler.py").rename(checkout / "functions/f/other.py")
    assert sources.code_hash(checkout) != before


def test_equal_folders_have_equal_archives(checkout: Path) -> None:
    folder = checkout / "functions"
    before = archive(folder)
    os.utime(folder / "f/handler.py", (1, 1))
    (folder / "f/__pycache__").mkdir()
    (folder / "f/__pycache__/handler.pyc").write_text("x")
    assert archive(folder) == before
    assert zipfile.ZipFile(io.BytesIO(before)).namelist() == ["f/handler.py"]


def test_the_hash_of_an_archive_is_lambdas() -> None:
    assert lambda_sha256(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.fixture
def cloud_assembly(tmp_path: Path) -> Path:
    """Two stacks, the first of which needs the second; an asset of each kind."""
    folder = tmp_path / "assembly"
    for name in ("asset.f/http_ingest/__init__.py", "asset.c/python/afluente/__init__.py", "asset.t/python/x.py"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("")
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": "f.zip"}}}
    (folder / "a.json").write_text(json.dumps({"Resources": {"F": function, "Q": {"Type": "AWS::SQS::Queue"}}}))
    (folder / "b.json").write_text(json.dumps({"Resources": {}}))
    files = {
        name: {
            "source": {"path": path, "packaging": "zip"},
            "destinations": {"here": {"bucketName": "assets-${AWS::AccountId}", "objectKey": f"{name}.zip"}},
        }
        for name, path in {"f": "asset.f", "c": "asset.c", "t": "asset.t", "template": "a.json"}.items()
    }
    (folder / "assets.json").write_text(json.dumps({"files": files}))
    stack = {"type": "aws:cloudformation:stack"}
    artifacts = {
        "service": stack | {"properties": {"templateFile": "a.json"}, "dependencies": ["data", "assets"]},
        "data": stack | {"properties": {"templateFile": "b.json", "stackName": "the-data"}},
        "assets": {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}},
        "tree": {"type": "cdk:tree"},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def test_stacks_come_after_those_they_depend_on(cloud_assembly: Path) -> None:
    assert [stack.name for stack in assembly.read(cloud_assembly).stacks] == ["the-data", "service"]


def test_resources_are_found_by_type(cloud_assembly: Path) -> None:
    _, service = assembly.read(cloud_assembly).stacks
    assert list(service.resources("AWS::Lambda::Function")) == [("F", {"Code": {"S3Key": "f.zip"}})]
    assert list(service.resources("AWS::SQS::Queue")) == [("Q", {})]


def test_code_is_taken_from_the_checkout_and_the_rest_from_the_assembly(cloud_assembly: Path) -> None:
    assets = assembly.read(cloud_assembly).assets
    assert {key: asset.source for key, asset in assets.items() if asset.is_live} == {
        "f.zip": CHECKOUT / "functions",
        "c.zip": CHECKOUT / "layers/core",
    }
    assert assets["t.zip"].source == cloud_assembly / "asset.t"
    assert assets["t.zip"].content == archive(cloud_assembly / "asset.t")
    assert assets["template.zip"].content == (cloud_assembly / "a.json").read_bytes()


def test_an_assembly_without_a_manifest_was_never_finished(tmp_path: Path) -> None:
    state = StateDir.of(tmp_path)
    (state.assemblies / "abc").mkdir(parents=True)
    assert synthesis.cached(state, "abc") is None
    assert synthesis.cached(state, "none") is None
    (state.assemblies / "abc" / "manifest.json").write_text("{}")
    assert synthesis.cached(state, "abc") == state.assemblies / "abc"


def test_stages_in_a_folder_of_their_own_are_as_those_of_the_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sources.template_hash(checkout)
    elsewhere = tmp_path / "elsewhere"
    (checkout / "stages").rename(elsewhere)
    without = sources.template_hash(checkout)

    monkeypatch.setenv("AFLUENTE_STAGES_DIR", str(elsewhere))

    assert sources.template_hash(checkout) == before != without
