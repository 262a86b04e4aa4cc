"""A local stack of the tests' own, deployed from a copy of the code that they may change."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli import main as command_line
from cli.core.state import CHECKOUT, StateDir
from cli.local_stack import stack

USERS_VARIABLES = {"AWS_PROFILE": "precious", "HTTP_PROXY": "http://127.0.0.1:1", "SOME_SECRET": "precious"}
"""Variables that a user may have set and a local stack must not use."""

_PARTS = ("functions", "infra", "layers", "stages", "uv.lock")
_WITHOUT_CACHES = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    code: int
    out: str
    err: str


Afluente = Callable[..., Done]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of everything that is deployed."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in _PARTS:
        part = CHECKOUT / name
        if part.is_dir():
            shutil.copytree(part, copy / name, ignore=_WITHOUT_CACHES)
        elif part.exists():
            shutil.copy(part, copy / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.local_stack.stack.CHECKOUT", copy)
        patch.setattr("cli.local_stack.assembly.CHECKOUT", copy)
        yield copy


@pytest.fixture(scope="session")
def state(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateDir]:
    """The state directory of a stack that is up; an assembly that the checkout has already is taken from there."""
    state = StateDir.of(tmp_path_factory.mktemp("state"))
    made = StateDir.of(None).assemblies
    if made.exists():
        shutil.copytree(made, state.assemblies, ignore=shutil.ignore_patterns("unfinished-*"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in USERS_VARIABLES.items():
            patch.setenv(name, value)
        stack.up(state, None)
    yield state
    stack.down(state)


@pytest.fixture
def afluente(state: StateDir, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Afluente:
    """Runs a command against the stack."""
    monkeypatch.setenv("AFLUENTE_STATE_DIR", str(state.path))

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["afluente", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        written = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, written.out, written.err)

    return run
