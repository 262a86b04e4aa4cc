"""The third-party layers: each built once for a lock and a machine, and complete or absent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.layer_build import (
    LEGACY_SQL,
    LOADER,
    THIRD_PARTY,
    LayerBuildError,
    Packages,
    Target,
    build_layer,
    build_layers,
    find_uv,
    target_of,
)
from infra.presets import dev, local

LAMBDA = Target(platform="aarch64-manylinux_2_28", python="3.13")

# Stands in for uv: writes down its calls, and does what they ask for as far as a test can see it.
UV = """#!{python}
import json, os, pathlib, sys

arguments = sys.argv[1:]
with open(os.environ["UV_CALLS"], "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if arguments[0] == "export":
    pathlib.Path(arguments[arguments.index("--output-file") + 1]).write_text("package==1")
else:
    target = pathlib.Path(arguments[arguments.index("--target") + 1])
    (target / "package" / "tests").mkdir(parents=True)
    (target / "package" / "inner" / "tests").mkdir(parents=True)
    (target / "package" / "inner" / "tests" / "test_package.py").touch()
    (target / "bin").mkdir()
    (target / ".lock").touch()
    if "UV_FAILS" in os.environ:
        sys.exit("no wheel of package==1 for this platform")
    if "UV_IS_OVERTAKEN_BY" in os.environ:
        pathlib.Path(os.environ["UV_IS_OVERTAKEN_BY"], "python", "package").mkdir(parents=True)
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    uv = tmp_path / "uv"
    uv.write_text(UV.format(python=sys.executable))
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    monkeypatch.setenv("UV_CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    lock = tmp_path / "uv.lock"
    lock.write_text("package 1")
    return lock


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_layer_is_built_once_for_a_lock_and_a_target(calls: Path, lock: Path, cache: Path) -> None:
    first = build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache)
    again = build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache)

    assert first == again
    assert len(calls_of(calls)) == 2  # one export, one install
    assert sorted(path.name for path in (first / "python").iterdir()) == ["package"]


def test_another_lock_or_another_target_is_another_layer(calls: Path, lock: Path, cache: Path) -> None:
    first = build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache)
    elsewhere = build_layer(
        THIRD_PARTY, Target(platform="x86_64-manylinux_2_28", python="3.13"), lock=lock, cache=cache
    )
    lock.write_text("package 2")
    later = build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache)

    assert len({first, elsewhere, later}) == 3
    # What follows a dot would be the extension of a file to the CDK.
    assert not any("." in layer.name for layer in (first, elsewhere, later))


def test_a_layer_for_lambda_holds_the_locked_wheels_for_its_platform_alone(
    calls: Path, lock: Path, cache: Path
) -> None:
    build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache)

    export, install = calls_of(calls)
    assert {"--frozen", "--no-default-groups", "--no-emit-project"} <= set(export)
    assert {"--require-hashes", "--no-deps"} <= set(install)
    assert option(install, "--only-binary") == ":all:"
    assert option(install, "--python-platform") == "aarch64-manylinux_2_28"
    assert option(install, "--python-version") == "3.13"


def test_what_single_functions_need_are_layers_of_their_own_groups_alone(calls: Path, lock: Path, cache: Path) -> None:
    layers = {build_layer(packages, LAMBDA, lock=lock, cache=cache) for packages in (THIRD_PARTY, LOADER, LEGACY_SQL)}

    assert len(layers) == 3
    exports = [call for call in calls_of(calls) if call[0] == "export"]
    assert [option(call, "--only-group") for call in exports if "--only-group" in call] == ["csv", "old-sql"]
    assert ["--no-default-groups" in call for call in exports] == [True, False, False]


def test_a_layer_holds_no_tests_of_its_packages(calls: Path, lock: Path, cache: Path) -> None:
    layer = build_layer(LOADER, LAMBDA, lock=lock, cache=cache)

    assert sorted(path.name for path in layer.rglob("*")) == ["inner", "package", "python"]


def test_a_build_that_fails_says_why_and_leaves_nothing(
    calls: Path, lock: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_FAILS", "1")
    with pytest.raises(LayerBuildError, match="no wheel of package==1 for this platform"):
        build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache)
    assert list(cache.iterdir()) == []

    monkeypatch.delenv("UV_FAILS")
    assert build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache).is_dir()


def test_a_build_that_was_overtaken_by_another_returns_the_layer_of_that_one(
    calls: Path, lock: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=tmp_path / "elsewhere")
    monkeypatch.setenv("UV_IS_OVERTAKEN_BY", str(cache / layer.name))

    assert build_layer(THIRD_PARTY, LAMBDA, lock=lock, cache=cache) == cache / layer.name
    assert [path.name for path in cache.iterdir()] == [layer.name]


def test_the_cloud_gets_wheels_for_lambda_and_the_local_stage_those_of_this_machine() -> None:
    assert target_of(dev()) == LAMBDA
    assert target_of(local()) == Target(platform=None, python=f"{sys.version_info.major}.{sys.version_info.minor}")


def test_uv_is_the_named_one_or_on_the_path_or_of_make_setup_or_in_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path, of_setup = tmp_path / "bin" / "uv", tmp_path / "checkout" / ".venv-uv" / "bin" / "uv"
    for uv in (on_path, of_setup):
        uv.parent.mkdir(parents=True)
        uv.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv("UV", "/somewhere/uv")
    assert find_uv(tmp_path / "checkout") == ["/somewhere/uv"]

    monkeypatch.delenv("UV")
    assert find_uv(tmp_path / "checkout") == [str(on_path)]

    on_path.unlink()
    assert find_uv(tmp_path / "checkout") == [str(of_setup)]

    of_setup.unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert find_uv(tmp_path / "checkout") == [sys.executable, "-m", "uv"]

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LayerBuildError, match="put it on the PATH, name it in UV") as caught:
        find_uv(tmp_path / "checkout")
    assert str(of_setup) in str(caught.value)
    assert "make setup" in str(caught.value)


@pytest.mark.parametrize(
    ("packages", "program", "module"),
    [
        (THIRD_PARTY, "import msgspec, multipart, pydantic, tzdata, aws_lambda_powertools", "msgspec"),
        (LOADER, "from backports import zstd; import pandas; pandas.DataFrame({'a': [1]})", "pandas"),
        (LEGACY_SQL, "import sqlalchemy as s; s.create_engine('postgresql+pg8000://'); import pymssql", "s"),
    ],
)
def test_a_layer_of_the_local_stage_works_in_this_python(packages: Packages, program: str, module: str) -> None:
    layer = build_layer(packages, target_of(local()))

    # Isolated and without site-packages: what is imported can only be of the layer.
    program = f"import sys; sys.path.insert(0, {str(layer / 'python')!r}); {program}; print({module}.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.startswith(str(layer))
    assert not (layer / "python" / "boto3").exists()


def test_the_layers_of_the_loader_leave_room_for_its_code() -> None:
    layers = build_layers(target_of(dev()))

    # Lambda, "Deployment package (.zip file archive) size", unzipped, including all layers: 250 MB.
    assert size_of(layers.third_party) + size_of(layers.loader) < 150 * 1024 * 1024


def test_a_stage_without_legacy_tables_builds_no_layer_for_them() -> None:
    assert build_layers(target_of(dev())).legacy_sql is None


def test_the_layers_of_the_classifier_leave_room_for_its_code() -> None:
    layers = build_layers(target_of(dev()), legacy_sql=True)

    assert layers.legacy_sql is not None
    # Built for Lambda's processor on any machine: there are wheels of all of it.
    assert list((layers.legacy_sql / "python").glob("pymssql/*aarch64*.so"))
    assert size_of(layers.third_party) + size_of(layers.legacy_sql) < 100 * 1024 * 1024


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def calls_of(calls: Path) -> list[list[str]]:
    return [json.loads(line) for line in calls.read_text().splitlines()]


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]
