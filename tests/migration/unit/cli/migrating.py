"""`afluente migrate` in a test: over a legacy service in SQLite, and the tables of a deployment in moto."""

import io
import json
import sys
import threading
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
import sqlalchemy as sa
from botocore.client import BaseClient
from moto import mock_aws

from afluente.adapters.aws.dynamodb_constraints import DynamoConstraintsCatalogue
from afluente.domain.constraints import StreamConfig
from afluente.migration.adapters.dynamodb_records import DynamoMigrationRecords
from afluente.migration.adapters.dynamodb_sensors import DynamoSensors
from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.domain.thresholds import SensorThresholds
from cli import main as command_line
from tests.migration.legacy_service import LegacyService, create_tables, fill

CONSTRAINTS, HISTORY, MIGRATION, CLASSIFIER = "constraints", "constraint-history", "migration", "classifier"
SHADOW = {"AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": "false", "AFLUENTE_OLD_SQL_SECRET": "old-service/sql"}
"""The environment of a shadow classifier."""

_REGION = "eu-west-1"


class Done(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Migrating:
    """A deployment, a legacy service, and the commands over both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.url = f"sqlite:///{folder / 'legacy.db'}"
        self.engine = sa.create_engine(self.url)
        create_tables(self.engine)
        client = boto3.client("dynamodb", _REGION)
        self.constraints = DynamoConstraintsCatalogue(client, CONSTRAINTS, HISTORY, by="tests")
        self.records = DynamoMigrationRecords(client, MIGRATION)
        self.directory = DynamoSensors(client, MIGRATION)
        self.trial = DynamoTrial(client, MIGRATION)

    def seed(self, service: LegacyService) -> None:
        fill(self.engine, service)

    def sql(self, statement: str, **parameters: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), parameters)

    def configure_classifier(self, **variables: str) -> None:
        boto3.client("lambda", _REGION).update_function_configuration(
            FunctionName=CLASSIFIER, Environment={"Variables": variables}
        )

    def config_of(self, its: SensorThresholds) -> StreamConfig | None:
        scope = str(its.sensor.key)
        found = self.constraints.fetch([scope]).get(scope)
        return found.config if found else None

    def constrain(self, its: SensorThresholds, config: StreamConfig) -> None:
        self.constraints.put(str(its.sensor.key), config)

    def __call__(self, *arguments: str | Path, answer: str | None = None) -> Done:
        """Run `afluente migrate` with the arguments, and perhaps an answer to what it asks."""
        words = ["afluente", "migrate", *map(str, arguments), "--stage", "dev", "--region", _REGION]
        self._monkeypatch.setattr(sys, "argv", words)
        self._monkeypatch.setattr(sys, "stdin", _Answering(answer))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        shown = self._capsys.readouterr()
        return Done(int(ended.value.code or 0), shown.out, shown.err)


class _Answering:
    def __init__(self, answer: str | None) -> None:
        self._answer = answer

    def readline(self) -> str:
        return f"{self._answer}\n" if self._answer is not None else ""

    def isatty(self) -> bool:
        return self._answer is not None


@contextmanager
def migrating(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> Iterator[Migrating]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    outputs = {
        "ConstraintsTable": CONSTRAINTS,
        "ConstraintHistoryTable": HISTORY,
        "MigrationTable": MIGRATION,
        "ClassifierFunction": CLASSIFIER,
    }
    monkeypatch.setattr("cli.core.aws.outputs_of", lambda *_: {"HttpApiUrl": "http://none", **outputs})
    _one_call_at_a_time(monkeypatch)
    with mock_aws():
        client = boto3.client("dynamodb", _REGION)
        _make_table(client, CONSTRAINTS, [("key", "HASH")])
        _make_table(client, HISTORY, [("key", "HASH"), ("version", "RANGE")], numbers={"version"})
        _make_table(client, MIGRATION, [("id", "HASH"), ("entry", "RANGE")])
        _make_classifier()
        moving = Migrating(monkeypatch, capsys, folder)
        monkeypatch.setenv("AFLUENTE_SQL_URL", moving.url)
        yield moving
        moving.engine.dispose()


def _one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction of moto copies its tables, and fails where another thread writes to them meanwhile."""
    clients: Any = BaseClient
    call, lock = clients._make_api_call, threading.RLock()

    def call_alone(client: Any, operation: str, parameters: Any) -> Any:
        with lock:
            return call(client, operation, parameters)

    monkeypatch.setattr(clients, "_make_api_call", call_alone)


def _make_table(client: Any, name: str, keys: list[tuple[str, str]], numbers: Collection[str] = ()) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": role} for key, role in keys],
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "N" if key in numbers else "S"} for key, _ in keys
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def _make_classifier() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", "")
    role = boto3.client("iam", _REGION).create_role(RoleName="classifier", AssumeRolePolicyDocument="{}")
    boto3.client("lambda", _REGION).create_function(
        FunctionName=CLASSIFIER,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="handler.lambda_handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": SHADOW},
    )


def calling_first(method: Callable[..., Any], act: Callable[[int], None]) -> Callable[..., Any]:
    """The method, which does something else before each of its calls, by their number from 1."""
    calls = [0]

    def call(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        act(calls[0])
        return method(*arguments, **named)

    return call
