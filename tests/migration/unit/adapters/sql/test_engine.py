"""Connections to the legacy database, and its failures."""

import gc
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from afluente.application.errors import UnavailableError
from afluente.domain.stream_keys import StreamKey
from afluente.migration.adapters.sql.engine import is_of_the_values, legacy_engine, unavailable_error
from afluente.migration.adapters.sql.errors import LegacySqlUrlError, WrongTablesError
from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables
from afluente.migration.adapters.sql.names import TableNames
from afluente.migration.application.ports import RowRejectedError
from tests.migration.legacy_service import a_legacy_service, create_tables, fill
from tests.migration.thresholds import thresholds

PASSWORD = "s3cret-of-the-test"

STREAM = StreamKey("iot", "_", "1001")


# --- URLs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("mssql://reader:p@db/iot", "mssql+pymssql"),
        ("sqlserver://reader:p@db/iot", "mssql+pymssql"),
        ("postgresql://reader:p@db/iot", "postgresql+pg8000"),
        ("postgres://reader:p@db:5433/iot", "postgresql+pg8000"),
        ("postgresql+pg8000://reader:p@db/iot", "postgresql+pg8000"),
        ("sqlite:////tmp/legacy.db", "sqlite+pysqlite"),
    ],
)
def test_a_url_needs_no_driver(url: str, driver: str) -> None:
    engine = legacy_engine(url)

    assert f"{engine.dialect.name}+{engine.driver}" == driver


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (PASSWORD, "no SQL URL"),
        (f"postgresql://reader:{PASSWORD}@db:port/iot", "no SQL URL"),
        (f"oracledb://reader:{PASSWORD}@db/iot", "write mssql, postgresql or sqlite"),
        (f"postgresql+psycopg2://reader:{PASSWORD}@db/iot", "needs psycopg2, which is not installed"),
        (
            f"postgresql://reader:{PASSWORD}@db/iot?sslmode=yes",
            "none of disable, prefer, require, verify-ca, verify-full",
        ),
        (f"postgresql://reader:{PASSWORD}@db/iot?sslmode=verify-full&sslrootcert=/no/such/file", "FileNotFoundError"),
    ],
)
def test_an_unusable_url_is_refused_with_a_hint_and_not_shown(url: str, message: str) -> None:
    with pytest.raises(LegacySqlUrlError, match=message) as caught:
        legacy_engine(url)

    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("", "nothing said"), ("?sslmode=disable", False), ("?sslmode=prefer", None), ("?sslmode=require", True)],
)
def test_postgresql_is_reached_over_tls_as_the_url_says(mode: str, expected: object) -> None:
    given = arguments_of(f"postgresql://reader:p@db/iot{mode}")

    assert given.get("ssl_context", "nothing said") is expected or expected == "nothing said"
    assert ("ssl_context" in given) == bool(mode)
    assert "sslmode" not in given


@pytest.mark.parametrize(("mode", "looks_at_name"), [("verify-full", True), ("verify-ca", False)])
def test_a_certificate_is_verified_if_the_url_says_so(mode: str, looks_at_name: bool) -> None:
    context = arguments_of(f"postgresql://reader:p@db/iot?sslmode={mode}")["ssl_context"]

    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, looks_at_name)


@pytest.mark.parametrize(
    ("url", "timeouts"),
    [
        ("postgresql://db/iot", {"timeout": 2.6}),
        # Whole seconds, rounded.
        ("mssql://db/iot", {"timeout": 3, "login_timeout": 3}),
    ],
)
def test_every_connection_and_every_answer_has_its_timeout(url: str, timeouts: dict[str, float]) -> None:
    given = arguments_of(url, timeout_seconds=2.6)

    assert {name: given[name] for name in timeouts} == timeouts


def arguments_of(url: str, **options: Any) -> dict[str, Any]:
    """The arguments of the driver's connection."""
    given: dict[str, Any] = {}
    engine = legacy_engine(url, **options)

    def connect(dialect: Any, record: Any, positional: Any, arguments: dict[str, Any]) -> None:
        given.update(arguments)
        raise ConnectionRefusedError

    sa.event.listen(engine, "do_connect", connect)
    with pytest.raises(ConnectionRefusedError):
        engine.connect()
    return given


# --- failures --------------------------------------------------------------------------------------------------------


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def calls(tables: SqlLegacyTables) -> list[Any]:
    return [
        lambda: tables.find([STREAM]),
        tables.count,
        tables.sensors,
        tables.orphans,
        lambda: tables.write(thresholds(physical_max=1)),
    ]


@pytest.mark.parametrize("call", range(5))
def test_a_database_that_nobody_serves_is_unavailable(call: int) -> None:
    with silent_server() as port:
        pass  # nobody listens there any more
    tables = SqlLegacyTables(legacy_engine(f"postgresql://reader:{PASSWORD}@127.0.0.1:{port}/iot"))

    with pytest.raises(UnavailableError, match="the legacy service's database: InterfaceError") as caught:
        calls(tables)[call]()
    assert PASSWORD not in str(caught.value)


# pg8000 leaves the socket of a connection that did not come about to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("dialect", ["postgresql", "mssql"])
def test_a_database_that_accepts_connections_and_never_answers_is_unavailable(dialect: str) -> None:
    with silent_server() as port:
        tables = SqlLegacyTables(
            legacy_engine(f"{dialect}://reader:{PASSWORD}@127.0.0.1:{port}/iot", timeout_seconds=0.2)
        )

        with pytest.raises(UnavailableError) as caught:
            tables.count()
    assert PASSWORD not in str(caught.value)
    del caught
    gc.collect()


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ({"S": "FATAL", "C": "28P01", "M": "password authentication failed"}, "password authentication failed (28P01)"),
        ((18456, b"Login failed for user 'x'.DB-Lib\nerror"), "Login failed for user 'x'.DB-Lib error (18456)"),
        ("as it is", "as it is"),
    ],
)
def test_the_message_of_a_driver_is_shown_without_its_wrapping(raised: object, message: str) -> None:
    class DriverError(Exception):
        pass

    cause = DriverError(*(raised if isinstance(raised, tuple) else (raised,)))

    error = unavailable_error(sa.exc.DBAPIError("SELECT 1", {}, cause))

    assert str(error) == f"the legacy service's database: DriverError: {message}"


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="OperationalError"):
        SqlLegacyTables(legacy_engine(f"sqlite:///{tmp_path}/no/such/folder/legacy.db")).count()


def test_when_all_connections_are_in_use_the_database_is_unavailable(tmp_path: Path) -> None:
    is_asked = threading.Event()

    class Full(sa.pool.QueuePool):
        def _do_get(self) -> Any:
            is_asked.set()
            raise sa.exc.TimeoutError("QueuePool limit reached")

    full = sa.create_engine(f"sqlite:///{tmp_path / 'legacy.db'}", poolclass=Full)
    with pytest.raises(UnavailableError, match="TimeoutError"):
        SqlLegacyTables(full).count()
    assert is_asked.is_set()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with the classic tables."""
    engine = legacy_engine(f"sqlite:///{tmp_path / 'legacy.db'}")
    create_tables(engine)
    fill(engine, a_legacy_service(20))
    yield engine
    engine.dispose()


def test_a_missing_table_is_named_with_a_hint(engine: sa.Engine) -> None:
    names = TableNames.read({"alert_thresholds": {"table": "AlertThresholds"}, "devices": {"table": "gateways"}})

    with pytest.raises(WrongTablesError) as caught:
        SqlLegacyTables(engine, names).find([STREAM])
    assert str(caught.value).split("; ") == [
        "there is no table AlertThresholds in the user's schema: name it as alert_thresholds.table",
        "there is no table gateways in the user's schema: name it as devices.table",
    ]


def test_missing_columns_are_named_with_a_hint(engine: sa.Engine) -> None:
    names = TableNames.read({"sensors": {"uuid": "guid"}, "delta_thresholds": {"abs_slope": "slope"}})

    with pytest.raises(WrongTablesError) as caught:
        SqlLegacyTables(engine, names).sensors()
    assert str(caught.value).split("; ") == [
        "table delta_thresholds has no column slope: name it as delta_thresholds.abs_slope",
        "table sensors has no column guid: name it as sensors.uuid",
    ]


def test_a_table_that_is_not_there_is_named_where_it_is_written(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE delta_thresholds"))

    with pytest.raises(WrongTablesError, match="there is no table delta_thresholds"):
        SqlLegacyTables(engine).write(thresholds(abs_delta=1))


def test_a_schema_that_is_not_there_is_named(engine: sa.Engine) -> None:
    with pytest.raises(WrongTablesError, match="there is no table sensors in schema iot: name it as sensors"):
        SqlLegacyTables(engine, TableNames.read({"schema": "iot"})).count()


def test_a_failure_that_names_explain_nothing_of_is_unavailable_without_the_statement(engine: sa.Engine) -> None:
    read_only = legacy_engine(f"sqlite:///file:{engine.url.database}?mode=ro&uri=true")
    tables = SqlLegacyTables(read_only)
    (first, *_) = tables.sensors()

    with pytest.raises(UnavailableError, match="OperationalError: attempt to write a readonly database") as caught:
        tables.write(first)
    assert "UPDATE" not in str(caught.value)
    assert not isinstance(caught.value, WrongTablesError)
    tables.close()


def test_rejected_values_are_no_unavailable_database(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TRIGGER no BEFORE UPDATE ON alert_thresholds BEGIN SELECT RAISE(ABORT, 'too hot'); END")
        )
    tables = SqlLegacyTables(engine)
    before = tables.sensors()

    with pytest.raises(RowRejectedError, match=r"^too hot$"):
        tables.write(before[0])
    assert tables.sensors() == before


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (({"C": "22003", "M": "numeric field overflow"},), True),
        (({"C": "23514", "M": "violates check constraint"},), True),
        (({"C": "42501", "M": "permission denied"},), False),
        ((8115, b"Arithmetic overflow error"), True),
        ((18456, b"Login failed"), False),
        (("nothing that says so",), False),
    ],
)
def test_rejected_values_are_known_by_the_codes_of_a_driver(raised: tuple[object, ...], expected: bool) -> None:
    assert is_of_the_values(sa.exc.ProgrammingError("UPDATE", {}, Exception(*raised))) is expected


def test_a_sensor_whose_uuid_is_written_without_dashes_is_found_by_it(engine: sa.Engine) -> None:
    (first, *_) = SqlLegacyTables(engine).sensors()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE sensors SET uuid = replace(uuid, '-', '')"))
        connection.execute(sa.text("UPDATE devices SET uuid = replace(uuid, '-', '')"))
    stream = StreamKey("iot", first.sensor.device_uuid or "_", first.sensor.uuid or "")

    assert SqlLegacyTables(engine).find([stream]) == {stream: first}


def test_a_sensor_that_is_there_twice_is_named(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE devices RENAME TO keyed"))
        connection.execute(sa.text("CREATE TABLE devices AS SELECT * FROM keyed UNION ALL SELECT * FROM keyed"))

    with pytest.raises(WrongTablesError, match="sensor 1001 is there more than once: table sensors has its id twice"):
        SqlLegacyTables(engine).sensors()


def test_a_value_that_is_none_is_named(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alert_thresholds SET threshold_max = 'high' WHERE sensor_id = 1001"))

    with pytest.raises(WrongTablesError, match="table alert_thresholds has 'high' as threshold_max in row 1"):
        SqlLegacyTables(engine).find([STREAM])
