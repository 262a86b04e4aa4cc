"""Connections to the legacy database: SQL Server, PostgreSQL or SQLite, by SQLAlchemy URL."""

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
"""For a connection, and for each answer. A ping, a new connection and an answer fit into the shortest timeout of a
classifier (10 s), so that an unavailable database is reported before the function is killed."""

# The connection of a frozen container may be dropped silently: NAT gateways do so after 350 s without traffic.
_RECYCLE_SECONDS = 240

_EXAMPLE = "dialect://user:password@host/database, for example mssql://reader:…@db.example.org/iot"
_DRIVERS = {
    "mssql": "mssql+pymssql",
    "sqlserver": "mssql+pymssql",
    "postgresql": "postgresql+pg8000",
    "postgres": "postgresql+pg8000",
}
"""The drivers of the layer, for a URL without one."""


def legacy_engine(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, connections: int = 1) -> sa.Engine:
    """An engine for the legacy database; it connects when it is first used.

    Args:
        url: SQLAlchemy's, with or without a driver; for PostgreSQL with libpq's `sslmode` and `sslrootcert`.
        timeout_seconds: for a connection, and for each answer.
        connections: kept open; at most twice as many are used.

    Raises:
        LegacySqlUrlError: the text is no URL, or there is no driver for it.
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
    # A broken connection is reported by the error that follows, not on the terminal as well.
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


def unavailable_error(error: SQLAlchemyError | OSError) -> UnavailableError:
    """A failure of the database as the port's error, without the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return UnavailableError(f"the legacy service's database: {type(cause).__name__}: {message_of(cause)}")


def message_of(cause: BaseException | None) -> str:
    """The message of a driver's error: pg8000 has the fields of PostgreSQL's protocol, pymssql a number and bytes."""
    match cause.args if cause else ():
        case ({"M": message, **fields},):
            return f"{message} ({fields.get('C')})"
        case (int() as number, bytes() as message):
            return f"{' '.join(message.decode(errors='replace').split())} ({number})"
    return str(cause)


def is_of_the_values(error: DBAPIError) -> bool:
    """True if the database rejects the values of this row; another row may be accepted."""
    match error.orig.args if error.orig else ():
        case ({"C": str(state)},):  # pg8000, which raises one class for nearly all errors
            return state[:2] in _OF_VALUES
        case (int(number), *_) if number in _OVERFLOWS:
            return True
    return isinstance(error, DataError | IntegrityError)


_OF_VALUES = frozenset({"22", "23"})
"""PostgreSQL's classes of SQLSTATE: data exceptions, integrity constraints."""

_OVERFLOWS = frozenset({220, 8114, 8115, 8152, 2628})
"""SQL Server's error numbers of values that a column cannot hold; pymssql raises them as operational errors."""


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    except (ArgumentError, ValueError):
        # Without a cause: it may contain the password.
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
    # pg8000: None encrypts if the server can, True encrypts without a check of the certificate.
    "prefer": lambda _: None,
    "require": lambda _: True,
    "verify-ca": _verified_but_for_the_name,
    "verify-full": _verified,
}


def _of_pymssql(url: sa.URL, timeout: float) -> tuple[dict[str, Any], sa.URL]:
    # Whole seconds; 0 would mean no timeout.
    seconds = max(round(timeout), 1)
    # Without a version pymssql tries one after the other, each with the whole timeout.
    version = url.query.get("tds_version", "7.4")
    return {"login_timeout": seconds, "timeout": seconds, "appname": "afluente", "tds_version": version}, url


def _of_sqlite(url: sa.URL, timeout: float) -> tuple[dict[str, Any], sa.URL]:
    return {"timeout": timeout}, url


_ARGUMENTS: Mapping[str, Callable[[sa.URL, float], tuple[dict[str, Any], sa.URL]]] = {
    "pg8000": _of_pg8000,
    "pymssql": _of_pymssql,
    "pysqlite": _of_sqlite,
}
