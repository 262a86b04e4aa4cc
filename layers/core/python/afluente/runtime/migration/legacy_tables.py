"""The legacy tables, for the function `classifier` of a stage that has them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from afluente.adapters.aws.secrets_manager import SecretsManagerSecret
from afluente.application.errors import UnavailableError
from afluente.domain.faults import Fault
from afluente.domain.stream_keys import StreamKey
from afluente.migration.application.ports import LegacyTables, Orphan
from afluente.migration.domain.thresholds import SensorThresholds
from afluente.runtime.core.clients import client
from afluente.runtime.core.observability import LogCode, logger

if TYPE_CHECKING:
    from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables

_LOGGED_STREAMS = 10_000

_Answer = TypeVar("_Answer")


def legacy_tables(secret_name: str, table_names: str) -> LegacyTables:
    """The legacy tables of a stage; nothing is read or connected before the first question.

    Args:
        secret_name: name or ARN of the secret with the URL of the database.
        table_names: the setting `old_sql_tables`; empty for the names that the legacy service has by default.
    """
    secret = SecretsManagerSecret(client("secretsmanager"), secret_name)
    return ConnectedTables(lambda: _connect(secret, table_names))


class ConnectedTables:
    """Legacy tables that connect at the first call, and again after a failed one.

    A failure is logged with a code that has an alarm. The secret is read again then: its password may have changed.

    Args:
        connect: connects the tables.
    """

    def __init__(self, connect: "Callable[[], SqlLegacyTables]") -> None:
        self._connect = connect
        self._tables: SqlLegacyTables | None = None

    def find(self, streams: Iterable[StreamKey]) -> Mapping[StreamKey, SensorThresholds]:
        return self._call(lambda tables: tables.find(streams))

    def count(self) -> int:
        return self._call(lambda tables: tables.count())

    def sensors(self, *, after: int | None = None, limit: int = 500) -> Sequence[SensorThresholds]:
        return self._call(lambda tables: tables.sensors(after=after, limit=limit))

    def orphans(self) -> Sequence[Orphan]:
        return self._call(lambda tables: tables.orphans())

    def write(self, thresholds: SensorThresholds, *, expected: SensorThresholds | None = None) -> bool:
        return self._call(lambda tables: tables.write(thresholds, expected=expected))

    def _call(self, method: "Callable[[SqlLegacyTables], _Answer]") -> _Answer:
        try:
            if self._tables is None:
                self._tables = self._connect()
            return method(self._tables)
        except UnavailableError as error:
            logger().error("legacy database unavailable", code=LogCode.LEGACY_TABLES_UNAVAILABLE, cause=str(error))
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._tables is not None:
            self._tables.close()
            self._tables = None


class ContradictionLog:
    """Logs once for each stream that its thresholds contradict each other."""

    def __init__(self) -> None:
        self._logged: set[StreamKey] = set()

    def __call__(self, key: StreamKey, faults: Sequence[Fault]) -> None:
        if key not in self._logged and len(self._logged) < _LOGGED_STREAMS:
            self._logged.add(key)
            logger().warning(
                "thresholds contradict each other",
                code=LogCode.THRESHOLDS_CONTRADICT,
                stream=str(key),
                columns=[fault.field for fault in faults],
            )


def _connect(secret: SecretsManagerSecret, names: str) -> "SqlLegacyTables":
    # SQLAlchemy takes a quarter of a second to import, and is in a layer of its own.
    from afluente.migration.adapters.sql.engine import legacy_engine  # noqa: PLC0415
    from afluente.migration.adapters.sql.errors import LegacySqlUrlError  # noqa: PLC0415
    from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables  # noqa: PLC0415
    from afluente.migration.adapters.sql.names import TableNames, TableNamesError  # noqa: PLC0415
    from afluente.migration.adapters.sql.secret import url_of  # noqa: PLC0415

    try:
        return SqlLegacyTables(legacy_engine(url_of(secret.read())), TableNames.read(names) if names else None)
    except (LegacySqlUrlError, TableNamesError) as error:
        # As if the database were away: packs wait until somebody has mended it, and there is an alarm.
        raise UnavailableError(f"the legacy service's database: {error}") from None
