"""The stores of a migration: the legacy database, and the tables of a deployment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cli.core.errors import CommandError, ExitCode
from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.application.constraints.ports import ConstraintsCatalogue
    from afluente.migration.application.ports import LegacyTables, MigrationRecords
    from afluente.migration.application.sensors import WritableSensorDirectory

WRITERS = 16
"""Constraints that are written in parallel."""

_SQL_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stores:
    """The tables of a deployment.

    Attributes:
        constraints: of streams.
        records: of moved sensors.
        directory: of sensors.
    """

    constraints: "ConstraintsCatalogue"
    records: "MigrationRecords"
    directory: "WritableSensorDirectory"


def stores_of(target: Target, by: str = "migrate") -> Stores:
    """The tables of a deployment.

    Args:
        target: the deployment.
        by: the author for the history of constraints.
    """
    from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue  # noqa: PLC0415 - for who needs it
    from afluente.migration.adapters.dynamodb_records import DynamoMigrationRecords  # noqa: PLC0415
    from afluente.migration.adapters.dynamodb_sensors import DynamoSensors  # noqa: PLC0415

    client = target.client("dynamodb", max_pool_connections=WRITERS)
    return Stores(
        constraints=DynamoConstraintsCatalogue(
            client, target["ConstraintsTable"], target["ConstraintHistoryTable"], by=by
        ),
        records=DynamoMigrationRecords(client, target["MigrationTable"]),
        directory=DynamoSensors(client, target["MigrationTable"]),
    )


@contextmanager
def legacy_tables(sql_url: str | None, names_file: Path | None) -> "Iterator[LegacyTables]":
    """The legacy tables, for the block.

    Args:
        sql_url: of the database; never shown.
        names_file: JSON or YAML of the names that differ from the classic ones.

    Raises:
        CommandError: the URL is missing or unusable, or a name in the file is wrong.
    """
    if not sql_url:
        raise CommandError(
            "it is not said how the legacy service's database is reached",
            hint="set AFLUENTE_SQL_URL, such as postgresql://user:password@host/database; --sql-url does the same, "
            "but is seen by others on this machine",
            code=ExitCode.USAGE,
        )
    try:
        from afluente.migration.adapters.sql.engine import legacy_engine  # noqa: PLC0415 - only commands that need it
        from afluente.migration.adapters.sql.errors import LegacySqlUrlError  # noqa: PLC0415
        from afluente.migration.adapters.sql.legacy_tables import SqlLegacyTables  # noqa: PLC0415
        from afluente.migration.adapters.sql.names import TableNames, TableNamesError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CommandError(
            f"{error.name} is not installed, by which SQL databases are read",
            hint="install the dependency group old-sql: uv sync",
        ) from None
    try:
        names = TableNames.read(_document(names_file)) if names_file else TableNames()
        tables = SqlLegacyTables(legacy_engine(sql_url, timeout_seconds=_SQL_TIMEOUT_SECONDS), names)
    except LegacySqlUrlError as error:
        raise CommandError(f"--sql-url: {error}", code=ExitCode.USAGE) from None
    except TableNamesError as error:
        raise CommandError(f"{names_file}: {error}", code=ExitCode.USAGE) from None
    try:
        yield tables
    finally:
        tables.close()


def _document(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is neither JSON nor YAML: {error}", code=ExitCode.USAGE) from None
    if not isinstance(document, dict):
        # TOML, in which a stage has the same names, would be a text here.
        raise CommandError(
            f"{path} names no tables",
            hint="write JSON or YAML, such as 'sensors: {table: Sensors, id: SensorId}'",
            code=ExitCode.USAGE,
        )
    return document
