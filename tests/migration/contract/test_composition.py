"""The classifier of a stage that has legacy tables, made of the real adapters by its environment alone."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from afluente.domain.evaluation import Classification
from afluente.migration.adapters.dynamodb_trial import DynamoTrial
from afluente.migration.adapters.sql.engine import legacy_engine
from afluente.migration.application.canary import event_of
from afluente.migration.application.trial import EventKind, Phase, TrialCounts
from tests.contract.local_aws import LocalAws
from tests.contract.stage import batch_of, catalogue, event, invoke
from tests.contract.test_classified_streams import Kinesis
from tests.factories import a_config
from tests.migration.legacy_service import a_legacy_service, create_tables, fill

NUMBERS = count(1)


def test_points_of_a_legacy_service_wait_for_its_database_and_are_classified_by_its_thresholds(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service, secrets, secret = a_legacy_service(2), aws.client("secretsmanager"), f"old-sql-{next(NUMBERS)}"
    engine = legacy_engine(f"sqlite:///{tmp_path / 'legacy.db'}")
    create_tables(engine)
    fill(engine, service)
    secrets.create_secret(Name=secret, SecretString="sqlite:////no/such/folder/legacy.db")
    monkeypatch.setenv("AFLUENTE_USE_AGNOSTIC_CONSTRAINTS", "false")
    monkeypatch.setenv("AFLUENTE_OLD_SQL_SECRET", secret)
    key, alert = service.sensors[0].sensor.key, service.sensors[0].alert
    assert alert is not None
    assert alert.physical_max is not None
    point = {"stream_id": key.stream_id, "value": alert.physical_max + 1, "timestamp": 1_699_996_400}
    body = json.dumps({"domain": "iot", "source_id": key.source_id, "datapoints": [point]})
    assert invoke("http_ingest", event("http_api_ingest") | {"body": body})["statusCode"] == 202
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])

    assert len(invoke("classifier", batch)["batchItemFailures"]) == 1
    secrets.put_secret_value(SecretId=secret, SecretString=str(engine.url))
    assert invoke("classifier", batch) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        (found,) = Kinesis(aws.client("kinesis"), names, executor).points(Classification.ALERT)
    assert (found.reason, found.violated_constraints["max_value"]) == ("hard_limit", alert.physical_max)
    engine.dispose()


def test_points_on_trial_are_classified_by_constraints_too_and_differences_are_counted(
    aws: LocalAws, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service, secret = a_legacy_service(2), f"old-sql-{next(NUMBERS)}"
    engine = legacy_engine(f"sqlite:///{tmp_path / 'legacy.db'}")
    create_tables(engine)
    fill(engine, service)
    engine.dispose()
    aws.client("secretsmanager").create_secret(Name=secret, SecretString=str(engine.url))
    for name, value in {
        "USE_AGNOSTIC_CONSTRAINTS": "false",
        "OLD_SQL_SECRET": secret,
        "CONSTRAINTS_TTL_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"AFLUENTE_{name}", value)
    key, alert = service.sensors[0].sensor.key, service.sensors[0].alert
    assert alert is not None
    assert alert.physical_max is not None
    dynamodb = aws.client("dynamodb")
    catalogue(aws, environment).put(str(key), a_config(warning_max=0))
    trial = DynamoTrial(dynamodb, environment["AFLUENTE_MIGRATION_TABLE"])
    before = trial.settings()
    on = before.in_next_step(time.time(), phase=Phase.RUNNING, share=100)
    nothing = TrialCounts()
    assert trial.save(on, event_of(EventKind.STARTED, before, on, counts=nothing, now=time.time(), by="cli", why=""))
    point = {"stream_id": key.stream_id, "value": alert.physical_max + 1, "timestamp": 1_699_996_400}
    body = json.dumps({"domain": "iot", "source_id": key.source_id, "datapoints": [point]})

    invoke("http_ingest", event("http_api_ingest") | {"body": body})
    batch = batch_of(aws, environment["AFLUENTE_DATAPOINTS_QUEUE_URL"])
    assert invoke("classifier", batch) == {"batchItemFailures": []}

    with ThreadPoolExecutor(1) as executor:
        names = {name: environment[f"AFLUENTE_STREAM_{name.name}"] for name in Classification}
        (found,) = Kinesis(aws.client("kinesis"), names, executor).points(Classification.WARNING)
    assert (found.reason, found.config_version) == ("warning_zone", 1)
    (noted,) = trial.differences(1)
    assert (noted.example.cause, noted.example.legacy_class, noted.example.constraints_class) == (
        "thresholds_differ",
        "alert",
        "warning",
    )
    assert (trial.settings().phase, trial.settings().share) == ("rolled_back", 0)
    assert trial.counts(1).compared == 1
