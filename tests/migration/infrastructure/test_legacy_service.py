"""A stage whose streams are classified by the legacy tables until they have moved."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.presets import PRESETS, StageError, load_stage
from infra.stage import Stage
from tests.infrastructure.deployment import Deployment

SECRET = "legacy-service/sql"
TABLES = {"schema": "dbo", "sensors": {"table": "Sensors"}}
SUBNETS, GROUPS = ("subnet-0a1b2c3d", "subnet-0123456789abcdef0"), ("sg-0a1b2c3d",)


def migrating(**values: object) -> Stage:
    return dataclasses.replace(PRESETS["migration"](), old_sql_secret=SECRET, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def legacy(deployed: Callable[[Stage], Deployment]) -> Deployment:
    return deployed(
        migrating(
            old_sql_tables=TABLES, old_sql_subnet_ids=SUBNETS, old_sql_security_group_ids=GROUPS, enable_csv_ingest=True
        )
    )


def test_the_classifier_alone_has_the_drivers(legacy: Deployment) -> None:
    functions = legacy.resources("AWS::Lambda::Function").values()
    layers = {function["Handler"]: legacy.plain(function["Layers"]) for function in functions if "Layers" in function}

    having = [handler for handler, names in layers.items() if "afluente-migration-old-sql" in names]
    assert having == ["classifier.handler.lambda_handler"]


def test_the_classifier_has_the_secret_and_the_names_of_the_tables(legacy: Deployment) -> None:
    variables = legacy.function("classifier")["Environment"]["Variables"]

    assert variables["AFLUENTE_OLD_SQL_SECRET"] == SECRET
    assert json.loads(variables["AFLUENTE_OLD_SQL_TABLES"]) == TABLES
    assert legacy.plain(variables["AFLUENTE_MIGRATION_TABLE"]) == "afluente-migration-migration"


def test_the_classifier_may_read_and_write_the_trial(legacy: Deployment) -> None:
    granted = {action for action, resource in legacy.grants("classifier") if resource == "afluente-migration-migration"}

    assert granted == {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"}


def test_it_may_read_that_secret_and_be_in_that_network(legacy: Deployment) -> None:
    grants = legacy.grants("classifier")

    name = f"arn:aws:secretsmanager:us-east-1:<AWS::AccountId>:secret:{SECRET}-??????"
    assert {resource for action, resource in grants if action.startswith("secretsmanager:")} == {name}
    assert ("secretsmanager:GetSecretValue", name) in grants
    assert {resource for action, resource in grants if action.startswith("ec2:")} == {"*"}
    assert legacy.function("classifier")["VpcConfig"] == {
        "SubnetIds": list(SUBNETS),
        "SecurityGroupIds": list(GROUPS),
    }
    template = next(
        resource
        for resource in legacy.service["Resources"].values()
        if resource.get("Properties", {}).get("Handler") == "classifier.handler.lambda_handler"
    )
    assert any("DefaultPolicy" in id_ for id_ in template["DependsOn"])


def test_nothing_else_is_in_a_network(legacy: Deployment) -> None:
    functions = legacy.resources("AWS::Lambda::Function").values()

    assert [function["Handler"] for function in functions if "VpcConfig" in function] == [
        "classifier.handler.lambda_handler"
    ]


@pytest.mark.parametrize(
    ("name", "code"),
    [("old-tables-unavailable", "LEGACY_TABLES_UNAVAILABLE"), ("canary-rolled-back", "CANARY_ROLLED_BACK")],
)
def test_an_alarm_is_counted_from_the_log_of_this_stage(legacy: Deployment, name: str, code: str) -> None:
    counted = legacy.one("AWS::Logs::MetricFilter", FilterPattern=f'{{ $.code = "{code}" }}')
    alarm = legacy.plain(legacy.one("AWS::CloudWatch::Alarm", AlarmName=f"afluente-migration-{name}"))

    assert legacy.plain(counted["LogGroupName"]) == "/aws/lambda/afluente-migration-classifier"
    (transformation,) = counted["MetricTransformations"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )
    assert (alarm["Namespace"], alarm["Threshold"], alarm["Statistic"]) == ("afluente/migration", 1, "Sum")
    assert alarm["AlarmActions"] == alarm["OKActions"] == ["afluente-migration-operations"]


def test_a_secret_by_arn_is_granted_by_that_arn(deployed: Callable[[Stage], Deployment]) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-AbCdEf"

    deployment = deployed(dataclasses.replace(PRESETS["migration"](), old_sql_secret=arn))

    assert ("secretsmanager:GetSecretValue", arn) in deployment.grants("classifier")
    assert "VpcConfig" not in deployment.function("classifier")
    assert "AFLUENTE_OLD_SQL_TABLES" not in deployment.function("classifier")["Environment"]["Variables"]


@pytest.mark.parametrize("preset", ["prod", "local"])
def test_without_a_secret_there_is_nothing_of_it(preset: str, request: pytest.FixtureRequest) -> None:
    deployment: Deployment = request.getfixturevalue(preset)

    assert not PRESETS[preset]().reads_legacy_tables
    assert "old-sql" not in json.dumps([deployment.service, deployment.data])
    assert deployment.resources("AWS::Logs::MetricFilter") == {}
    assert not [action for action, _ in deployment.grants("classifier") if action.startswith(("secretsm", "ec2"))]
    assert not [name for _, name in deployment.grants("classifier") if name.endswith("-migration")]


def test_a_stage_that_has_left_the_legacy_tables_behind_does_not_read_them() -> None:
    assert migrating().reads_legacy_tables
    assert not migrating(use_agnostic_constraints=True).reads_legacy_tables


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('old_sql_secret = ""', "old_sql_secret"),
        ('old_sql_subnet_ids = ["subnet-1"]', "old_sql_subnet_ids"),
        ('old_sql_subnet_ids = ["subnet-0a1b2c3d"]', "old_sql_subnet_ids and old_sql_security_group_ids: write both"),
        ('[old_sql_tables.sensors]\nguid = "x"', "sensors.guid: there is no such name to give; there are table, id"),
        ('[old_sql_tables.gateways]\nuuid = "x"', "gateways: there is no such table"),
    ],
)
def test_invalid_values_are_refused_with_a_hint(tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "migration.toml").write_text(lines)

    with pytest.raises(StageError, match=message):
        load_stage("migration", tmp_path)


def test_names_of_tables_are_read_from_the_file_of_the_stage(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(
        'old_sql_secret = "old"\n[old_sql_tables]\nschema = "dbo"\n[old_sql_tables.sensors]\ntable = "Sensors"\n'
    )

    assert load_stage("migration", tmp_path).old_sql_tables == TABLES
