"""Connections to the old service's database: SQL Server, PostgreSQL or SQLite, by SQLAlchemy URL."""

import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from afluente.application.errors import UnavailableError
from afluente.migration.adapters.sql.errors import LegacySqlUrlError

TIMEOUT_SECONDS = 3.0
"""For a connection, and for each answer. A ping, a new connection and an answer fit into the shortest timeout that a
stage's classifier has (10 s), so that it is the database that is found away, not the function that is killed."""

# A frozen container's connection may be cut without a word: NAT gateways forget one after 350 s of silence.
_RECYCLE_SECONDS = 240

_EXAMPLE = "dialect://user:password@host/database, for example mssql://reader:…@db.example.org/iot"
_DRIVERS = {
    "mssql": "mssql+pymssql",
    "sqlserver": "mssql+pymssql",
    "postgresql": "postgresql+pg8000",
    "postgres": "postgresql+pg8000",
}
"""Those that the layer has, for a URL that names none."""


def legacy_engine(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, connections: int = 1) -> sa.Engine:
    """An engine for the old service's database; it connects when it is first used.

    Args:
        url: SQLAlchemy's, with or without a driver. Of PostgreSQL with `sslmode` and `sslrootcert` as libpq has them.
        timeout_seconds: for a connection, and for each answer.
        connections: kept open; twice as many at the most.

    Raises:
        LegacySqlUrlError: the URL is none, or there is no driver for it.
    """
    parsed = _parsed(url)
    pool: dict[str, Any] = {}
    if parsed.get_backend_name() != "sqlite":
        pool = {
            "pool_size": connections,
            "max_overflow": connections,
            "pool_timeout": timeout_seconds,
            "pool_recycle": _RECYCLE_SECONDS,
            "pool_pre_ping": True,
        }
    # Connections that are found broken are told of by the error that follows, not on a terminal as well.
    logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
    try:
        arguments, parsed = _connect_arguments(parsed, timeout_seconds)
        # Parameters are kept out of messages, and so out of logs.
        return sa.create_engine(parsed, connect_args=arguments, hide_parameters=True, **pool)
    except LegacySqlUrlError:
        raise
    except NoSuchModuleError:
        message = f"{parsed.drivername} is no database that SQLAlchemy knows here: write mssql, postgresql or sqlite"
        raise LegacySqlUrlError(message) from None
    except ModuleNotFoundError as error:
        known = ", ".join(sorted({*_DRIVERS.values()}))
        message = f"{parsed.drivername} needs {error.name}, which is not installed; there are {known} and sqlite"
        raise LegacySqlUrlError(message) from None
    except (SQLAlchemyError, TypeError, ValueError, OSError) as error:
        raise LegacySqlUrlError(f"this SQL URL cannot be connected by ({type(error).__name__}): {_EXAMPLE}") from None


def unavailable(error: SQLAlchemyError | OSError) -> UnavailableError:
    """What a failure of the database is to those who asked; without the statement, and without its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return UnavailableError(f"the old service's database: {type(cause).__name__}: {told_by(cause)}")


def told_by(cause: BaseException | None) -> str:
    """What a driver says: pg8000 in the fields of PostgreSQL's protocol, pymssql as a number and bytes."""
    match cause.args if cause else ():
        case ({"M": message, **fields},):
            return f"{message} ({fields.get('C')})"
        case (int() as number, bytes() as message):
            return f"{' '.join(message.decode(errors='replace').split())} ({number})"
    return str(cause)


def is_of_the_values(error: DBAPIError) -> bool:
    """Whether it is what was to be written that the database minds: another row may well be written."""
    match error.orig.args if error.orig else ():
        case ({"C": str(state)},):  # pg8000, to which nearly all errors are one
            return state[:2] in _OF_VALUES
        case (int(number), *_) if number in _OVERFLOWS:
            return True
    return isinstance(error, DataError | IntegrityError)


_OF_VALUES = frozenset({"22", "23"})
"""PostgreSQL's classes of SQLSTATE: data exceptions, integrity constraints."""

_OVERFLOWS = frozenset({220, 8114, 8115, 8152, 2628})
"""SQL Server's numbers of values that a column cannot hold, which pymssql takes for failures of operation."""


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    except (ArgumentError, ValueError):
        # Not as the cause either: it may hold the password.
        raise LegacySqlUrlError(f"this is no SQL URL: write {_EXAMPLE}") from None


def _connect_arguments(url: sa.URL, timeout: float) -> tuple[dict[str, Any], sa.URL]:
    make = _ARGUMENTS.get(url.get_driver_name())
    return make(url, timeout) if make else ({}, url)


def _of_pg8000(url: sa.URL, timeout: float) -> tuple[dict[str, Any], sa.URL]:
    options = dict(url.query)
    mode, roots = options.pop("sslmode", None), options.pop("sslrootcert", None)
    arguments: dict[str, Any] = {"timeout": timeout, "application_name": "afluente"}
    if mode is not None:
        if mode not in _TLS:
            raise LegacySqlUrlError(f"sslmode is none of {', '.join(_TLS)}")
        arguments["ssl_context"] = _TLS[str(mode)](None if roots is None else str(roots))
    return arguments, url.set(query=options)


def _verified(roots: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=roots)


def _verified_but_for_the_name(roots: str | None) -> ssl.SSLContext:
    context = _verified(roots)
    context.check_hostname = False
    return context


_TLS: Mapping[str, Callable[[str | None], object]] = {
    "disable": lambda _: False,
    # pg8000: encrypted if the server can, and encrypted without looking at the certificate.
    "prefer": lambda _: None,
    "require": lambda _: True,
    "verify-ca": _verified_but_for_the_name,
    "verify-full": _verified,
}


def _of_pymssql(url: sa.URL, timeout: float) -> tuple[dict[str, Any], sa.URL]:
    # Whole seconds, and 0 would be for ever.
    seconds = max(round(timeout), 1)
    # Left to itself it tries one version of the protocol after the other, each with the timeout of its own.
    version = url.query.get("tds_version", "7.4")
    return {"login_timeout": seconds, "timeout": seconds, "appname": "afluente", "tds_version": version}, url


def _of_sqlite(url: sa.URL, timeout: float) -> tuple[dict[str, Any], sa.URL]:
    return {"timeout": timeout}, url


_ARGUMENTS: Mapping[str, Callable[[sa.URL, float], tuple[dict[str, Any], sa.URL]]] = {
    "pg8000": _of_pg8000,
    "pymssql": _of_pymssql,
    "pysqlite": _of_sqlite,
}
