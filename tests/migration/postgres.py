"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, at a free port of the loopback.

It runs the programs of the machine's `postgresql` package and touches nothing of a server that may run there.
"""

import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.processes import children_of

LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 60.0

_POLL_SECONDS = 0.05
_USER = "afluente"
_FOLDERS = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")
# Nothing that these tests look at outlives them.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "unix_socket_directories": ""}


class PostgresServer:
    """A server, which may be stopped and started again.

    Attributes:
        port: where it listens, the same after each start.
    """

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._folder = folder
        self._programs = _programs()
        self._password = secrets.token_urlsafe(12)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._make_cluster()

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of a database."""
        url = sa.URL.create("postgresql+pg8000", _USER, self._password, LOOPBACK, self.port, database)
        return url.render_as_string(hide_password=False)

    def new_database(self) -> str:
        """The URL of a new database, which is empty."""
        name = f"test_{next(self._numbers)}"
        with self._connection() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-h", LOOPBACK, "-p", str(self.port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                **_unprivileged(),
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL does not answer; its log ends with\n{self._log()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Break transactions off and stop; what was committed is kept."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stopped for the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """For the block, connections come about and stay open, and nothing is answered."""
        assert self._process is not None
        # The first no longer starts others, then the others stop.
        self._process.send_signal(signal.SIGSTOP)
        servers = [self._process.pid, *children_of(self._process.pid)]
        for pid in servers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in servers:
                os.kill(pid, signal.SIGCONT)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _make_cluster(self) -> None:
        password = self._folder / "password"
        password.write_text(self._password)
        password.chmod(0o644)  # read by another user, in a folder that only that one may enter
        _give_away(self._folder)
        done = subprocess.run(
            [self._programs / "initdb", "-D", self._data, "-U", _USER, f"--pwfile={password}", *_CLUSTER],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            **_unprivileged(),
        )
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        try:
            with self._connection() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.DBAPIError:
            return False
        return True

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine(self.url(), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2_000:]


_CLUSTER = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server for the block; where the machine has no PostgreSQL, the test is skipped, or fails in CI."""
    # Not in pytest's own folder, which other users may not enter: PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="afluente-postgres-"))
    try:
        server = PostgresServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of the newest `initdb` and `postgres`."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = [path.parent for folder in _FOLDERS for path in Path(folder).glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: path.parent.name)
    message = "no initdb: install PostgreSQL (Debian: apt-get install postgresql), see docs/development.md"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _unprivileged() -> Mapping[str, Any]:
    if os.geteuid() != 0:
        return {}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        account = _account()
        os.chown(folder, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
