"""The secret with the connection URL of the legacy database."""

import msgspec
import sqlalchemy as sa

from afluente.migration.adapters.sql.errors import LegacySqlUrlError

_HOW = "write an SQL URL, or an object with engine, host, username, password, dbname and, if need be, port"


class _Login(msgspec.Struct):
    """The fields of a secret that RDS writes and rotates."""

    engine: str
    host: str
    username: str
    password: str
    dbname: str
    port: int | str | None = None


def url_of(secret: str) -> str:
    """The SQLAlchemy URL of a secret that is the URL itself, or has the fields of RDS.

    Raises:
        LegacySqlUrlError: it is neither; the message contains nothing of it.
    """
    if not secret.strip():
        raise LegacySqlUrlError(f"the secret is empty: {_HOW}")
    if not secret.lstrip().startswith("{"):
        return secret.strip()
    try:
        login = msgspec.json.decode(secret, type=_Login)
        port = None if login.port is None else int(login.port)
    except (msgspec.DecodeError, ValueError):
        # Without a cause: it may contain the password.
        raise LegacySqlUrlError(f"the secret lacks a field or has a wrong one: {_HOW}") from None
    # RDS names editions of SQL Server: sqlserver-se, sqlserver-ee.
    engine = login.engine.partition("-")[0]
    url = sa.URL.create(engine, login.username, login.password, login.host, port, login.dbname)
    return url.render_as_string(hide_password=False)
