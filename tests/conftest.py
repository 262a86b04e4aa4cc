"""Profiles of property-based tests: the same examples each time, unless HYPOTHESIS_PROFILE=search asks for new ones.

The fixtures that several folders share are here, too: the local stack is started once, for the first test that uses it.
"""

import faulthandler
import os
import re
import secrets
import signal
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.loaders
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.migration.postgres import PostgresServer
    from tests.outbox import AlarmTap, Outbox
    from tests.stack import LocalStack

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brief", settings.get_profile("ci"), max_examples=20)
settings.register_profile(
    "search", deadline=None, max_examples=2_000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A job in the background ignores Ctrl-C, and hands that on to its children: tests that press it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_TESTS = Path(__file__).parent
_LONGEST_ID = 80
_GZIP = b"\x1f\x8b"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by its argument where the value is no name: too long to read, or packed, which has the time in it."""
    is_too_long = isinstance(val, bytes | str) and len(val) > _LONGEST_ID
    is_packed = isinstance(val, bytes) and val.startswith(_GZIP)
    return argname if is_too_long or is_packed else None


@pytest.hookimpl(tryfirst=True)  # xdist looks for the groups in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that one worker runs: `make integration` has several, each with a stack of its own."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Bound the teardown, too: pytest-timeout does not of a test that has timed out, nor pytest of one that failed."""
    seconds, stderr = float(item.config.getini("faulthandler_timeout")), item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _group(item: pytest.Item) -> str:
    """A file, as its fixtures are dear; those that choose ports as users do, in turn; the longest ones, alone."""
    path = item.path.relative_to(_TESTS)
    if path.parts[:2] == ("integration", "cli") or path.name == "test_cli.py":
        return "cli"
    return item.nodeid if path.parts[0] == "e2e" else str(path)


@pytest.fixture(scope="session", autouse=True)
def _service_models_are_read_once() -> Iterator[None]:
    """Every new session of botocore would parse the models of its services anew: a fifth of a second for a client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LocalStack]":
    """A stack of the tests' own, which ends with them."""
    from cli.core.state import StateDir  # noqa: PLC0415 - unit tests need none of it
    from tests.stack import running_stack  # noqa: PLC0415

    with running_stack(StateDir.of(tmp_path_factory.mktemp("stack"))) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> "Iterator[PostgresServer]":
    """A PostgreSQL server of the tests' own; each test makes a database for itself."""
    from tests.migration.postgres import running_postgres  # noqa: PLC0415

    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def alarms(local_stack: "LocalStack") -> "AlarmTap":
    """All alarms of the session."""
    from tests.outbox import AlarmTap  # noqa: PLC0415

    return AlarmTap(local_stack)


@pytest.fixture
def outbox(local_stack: "LocalStack") -> "Outbox":
    """The output of the stack from now on."""
    from tests.outbox import Outbox  # noqa: PLC0415

    return Outbox(local_stack)


@pytest.fixture
def source_id(request: pytest.FixtureRequest) -> str:
    """A source that no other test has, nor an earlier run of this one."""
    name = re.sub(r"[^a-z0-9]+", "-", str(request.node.name)).strip("-")
    return f"{name[:80]}-{secrets.token_hex(3)}"
