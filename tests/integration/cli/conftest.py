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
from cli.local_stack.sources import CODE_SOURCES, TEMPLATE_SOURCES
from tests.stack import use_templates_of_the_checkout

USERS_VARIABLES = {"AWS_PROFILE": "precious", "HTTP_PROXY": "http://127.0.0.1:1", "SOME_SECRET": "precious"}
"""Variables that a user may have set and a local stack must not use."""

_PARTS = (*TEMPLATE_SOURCES, *CODE_SOURCES)
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
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(part, copy / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.local_stack.stack.CHECKOUT", copy)
        patch.setattr("cli.local_stack.assembly.CHECKOUT", copy)
        yield copy


@pytest.fixture(scope="session")
def state(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateDir]:
    """The state directory of a stack that is up."""
    state = StateDir.of(tmp_path_factory.mktemp("state"))
    use_templates_of_the_checkout(state)
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
