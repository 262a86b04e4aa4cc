"""One template for every stage: what may differ is in these lists."""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import pytest

from afluente.application.limits.stage_limits import Limits, RefusedKeys, StageLimits, decode_limits
from infra.capacity import TableCapacity
from infra.concurrency import ReservedConcurrency
from infra.limits import DEFAULT_LIMITS
from infra.stage import Stage
from tests.infrastructure.deployment import Deployment, Resource

# What prod and local differ in; every other property, and every resource, is the same.
STAGE_VALUES = {
    "AWS::DynamoDB::Table": {"DeletionProtectionEnabled", "PointInTimeRecoverySpecification"},
    "AWS::SQS::Queue": {"VisibilityTimeout"},
    "AWS::S3::Bucket": {"LifecycleConfiguration"},
    "AWS::Logs::LogGroup": {"RetentionInDays"},
    # Architectures: where the machine at hand is not of the kind that the cloud's functions run on.
    "AWS::Lambda::Function": {
        "Timeout",
        "Architectures",
        "LoggingConfig",
        "AFLUENTE_CSV_HELD_SECONDS",
        "AFLUENTE_CSV_JOB_RETENTION_DAYS",
        "AFLUENTE_CSV_TENANT_CONCURRENCY",
        "AFLUENTE_CSV_TIMEOUT_SECONDS",
        "AFLUENTE_LIMITS",
        "AFLUENTE_RECORD_FORMAT",
        "ReservedConcurrentExecutions",
        "AFLUENTE_LOG_LINES",
    },
    "AWS::Lambda::EventSourceMapping": {"ScalingConfig"},
    "AWS::Lambda::LayerVersion": {"CompatibleArchitectures"},
    "AWS::ApiGatewayV2::Stage": {"DefaultRouteSettings"},
}

# What prod has and local has not: the emulator knows no such resource, and hands the function's answer on without it.
NOT_IN_THE_EMULATOR = {"AWS::ApiGatewayV2::RouteResponse": 1}

_API_STAGE = "AWS::ApiGatewayV2::Stage"

CHANGED = Stage(
    name="changed",
    architecture="x86_64",
    region="eu-west-1",
    account="123456789012",
    domains=("water", "power"),
    shards=8,
    one_point_a_record=True,
    constraints_ttl_seconds=5,
    streams_per_source=555,
    compact_states=False,
    log_level="DEBUG",
    classifier_timeout_seconds=17,
    queue_visibility_seconds=177,
    access_log=False,
    mqtt_concurrency=9,
    mqtt_message_points=500,
    mqtt_window_seconds=5,
    mqtt_batch_messages=5_000,
    table_capacity={
        "stream-latest": TableCapacity(write_units=7, read_units=3, max_write_units=700),
        "limits": TableCapacity(write_units=2, read_units=1),
    },
    memory_mb={"classifier": 1_024},
    csv_timeout_seconds=111,
    csv_visibility_seconds=777,
    csv_concurrency=33,
    csv_tenant_concurrency=11,
    csv_split_megabytes=3,
    csv_parts=5,
    reserved_concurrency=ReservedConcurrency(csv_trigger=44),
    stream_shards=3,
    stream_retention_hours=48,
    log_retention_days=400,
    requests_per_second=77,
    limits_fail="shut",
    limits=StageLimits(
        ip=Limits(),
        key=Limits(points_per_day=7),
        source=DEFAULT_LIMITS.source,
        refused_keys=RefusedKeys(per_second=0.5, burst=3),
    ),
    operations_email="operations@example.org",
    domain_dashboards=False,
)


@pytest.fixture(scope="session")
def changed(deployed: Callable[[Stage], Deployment]) -> Deployment:
    return deployed(CHANGED)


def test_prod_and_local_differ_in_stage_values_alone(
    deployment_of: Callable[..., Deployment], local: Deployment
) -> None:
    # What the key of a stage's own changes is in test_encryption.py.
    prod = deployment_of("prod", customer_managed_key=False)
    for ours, theirs in ((prod.data, local.data), (prod.service, local.service)):
        renamed = json.loads(json.dumps(ours).replace("prod", "local"))

        assert renamed["Outputs"] == theirs["Outputs"]
        ours_by_id, theirs_by_id = by_readable_id(without(NOT_IN_THE_EMULATOR, renamed)), by_readable_id(theirs)
        assert ours_by_id.keys() == theirs_by_id.keys()
        for id_, resource in ours_by_id.items():
            other = theirs_by_id[id_]
            assert resource["Type"] == other["Type"]
            assert differing_properties(resource, other) <= STAGE_VALUES.get(resource["Type"], set())


def test_the_local_stage_lacks_what_the_emulator_does_not_have_and_nothing_else(
    prod: Deployment, local: Deployment
) -> None:
    # Beside the key of a stage's own, which is in the data stack.
    in_prod = Counter(resource["Type"] for resource in prod.service["Resources"].values())
    in_local = Counter(resource["Type"] for resource in local.service["Resources"].values())

    assert in_prod - in_local == NOT_IN_THE_EMULATOR
    assert in_local - in_prod == {}


@pytest.mark.parametrize(
    ("type_", "names", "path", "expected"),
    [
        ("AWS::SQS::Queue", {"QueueName": "afluente-changed-datapoints.fifo"}, "VisibilityTimeout", 177),
        ("AWS::SQS::Queue", {"QueueName": "afluente-changed-mqtt-inbox"}, "VisibilityTimeout", 182),
        ("AWS::SQS::Queue", {"QueueName": "afluente-changed-csv-inbox"}, "VisibilityTimeout", 777),
        ("AWS::SQS::Queue", {"QueueName": "afluente-changed-csv-jobs.fifo"}, "VisibilityTimeout", 777),
        ("AWS::DynamoDB::Table", {"TableName": "afluente-changed-access"}, "BillingMode", "PAY_PER_REQUEST"),
        *(
            ("AWS::DynamoDB::Table", {"TableName": f"afluente-changed-{table}"}, f"ProvisionedThroughput.{name}", units)
            for table, name, units in (
                ("stream-latest", "WriteCapacityUnits", 7),
                ("stream-latest", "ReadCapacityUnits", 3),
                ("limits", "WriteCapacityUnits", 2),
            )
        ),
        ("AWS::ApplicationAutoScaling::ScalableTarget", {}, "MinCapacity", 7),
        ("AWS::ApplicationAutoScaling::ScalableTarget", {}, "MaxCapacity", 700),
        (
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {},
            "TargetTrackingScalingPolicyConfiguration.TargetValue",
            70,
        ),
        ("AWS::Kinesis::Stream", {"Name": "afluente-changed-alert"}, "ShardCount", 3),
        ("AWS::Kinesis::Stream", {"Name": "afluente-changed-alert"}, "StreamModeDetails.StreamMode", "PROVISIONED"),
        ("AWS::Kinesis::Stream", {"Name": "afluente-changed-alert"}, "RetentionPeriodHours", 48),
        ("AWS::Logs::LogGroup", {"LogGroupName": "/afluente/changed/alarms"}, "RetentionInDays", 400),
        ("AWS::ApiGatewayV2::Stage", {"StageName": "$default"}, "DefaultRouteSettings.ThrottlingRateLimit", 77),
        ("AWS::ApiGatewayV2::Stage", {"StageName": "live"}, "DefaultRouteSettings.ThrottlingRateLimit", 77),
        ("AWS::ApiGatewayV2::Stage", {"StageName": "live"}, "DefaultRouteSettings.ThrottlingBurstLimit", 154),
        ("AWS::SNS::Subscription", {"Protocol": "email"}, "Endpoint", "operations@example.org"),
    ],
)
def test_a_value_of_the_stage_reaches_its_resource(
    changed: Deployment, type_: str, names: dict[str, str], path: str, expected: object
) -> None:
    assert at(changed.one(type_, **names), path) == expected


def test_without_access_logs_the_apis_keep_none(changed: Deployment, prod: Deployment) -> None:
    logs = [
        {
            name: "AccessLogSettings" in its
            for name in ("$default", "live")
            for its in [api.one(_API_STAGE, StageName=name)]
        }
        for api in (changed, prod)
    ]

    assert logs == [{"$default": False, "live": False}, {"$default": True, "live": True}]


def test_prod_writes_one_line_an_invocation_and_local_all(prod: Deployment, local: Deployment) -> None:
    levels = {"ApplicationLogLevel": "DEBUG", "LogFormat": "JSON", "SystemLogLevel": "WARN"}

    assert levels.items() <= prod.function("classifier")["LoggingConfig"].items()
    assert "LogFormat" not in local.function("classifier")["LoggingConfig"]


@pytest.mark.parametrize(
    ("package", "path", "expected"),
    [
        ("classifier", "Timeout", 17),
        ("classifier", "MemorySize", 1_024),
        ("http_authorizer", "MemorySize", 512),
        ("classifier", "Architectures", ["x86_64"]),
        ("classifier", "Environment.Variables.AFLUENTE_RECORD_FORMAT", "point"),
        ("classifier", "Environment.Variables.AFLUENTE_CONSTRAINTS_TTL_SECONDS", "5"),
        ("classifier", "Environment.Variables.AFLUENTE_STREAMS_PER_SOURCE", "555"),
        ("classifier", "Environment.Variables.AFLUENTE_COMPACT_STATES", "false"),
        ("iot_rule_handler", "Timeout", 17),
        ("csv_trigger", "Timeout", 111),
        ("csv_trigger", "Environment.Variables.AFLUENTE_CSV_SPLIT_BYTES", str(3 * 1024 * 1024)),
        ("csv_trigger", "Environment.Variables.AFLUENTE_CSV_PARTS", "5"),
        ("csv_trigger", "Environment.Variables.AFLUENTE_CSV_TENANT_CONCURRENCY", "11"),
        *(
            (package, f"Environment.Variables.AFLUENTE_{name}", value)
            for package in ("http_ingest", "iot_rule_handler", "ws_ingest", "http_admin")
            for name, value in (("LIMITS_FAIL", "shut"),)
        ),
        *(
            (package, f"Environment.Variables.AFLUENTE_{name}", value)
            for package in ("http_ingest", "iot_rule_handler", "csv_trigger", "ws_ingest")
            for name, value in (("SHARDS", "8"), ("DOMAINS", "water,power"))
        ),
        ("http_authorizer", "Environment.Variables.POWERTOOLS_LOG_LEVEL", "DEBUG"),
    ],
)
def test_a_value_of_the_stage_reaches_its_function(
    changed: Deployment, package: str, path: str, expected: object
) -> None:
    assert at(changed.function(package), path) == expected


def test_the_limits_of_the_stage_reach_the_functions_that_limit_rates(changed: Deployment) -> None:
    limits = [
        decode_limits(at(changed.function(package), "Environment.Variables.AFLUENTE_LIMITS"))
        for package in ("http_ingest", "http_authorizer")
    ]

    assert (limits[0].ip.requests_per_second, limits[0].key.points_per_day) == (0, 7)
    assert limits[0].source.requests_per_second == 100
    assert (limits[1].refused_keys.per_second, limits[1].refused_keys.burst) == (0.5, 3)


def test_the_stage_says_how_many_batches_of_mqtt_messages_are_processed_at_once(changed: Deployment) -> None:
    assert at(changed.trigger("iot_rule_handler"), "ScalingConfig.MaximumConcurrency") == 9


def test_the_stage_says_how_many_points_an_mqtt_message_may_have(changed: Deployment) -> None:
    variables = changed.function("iot_rule_handler")["Environment"]["Variables"]

    assert variables["AFLUENTE_MQTT_MESSAGE_POINTS"] == "500"


def test_the_stage_says_how_many_csv_jobs_are_read_at_once(changed: Deployment) -> None:
    assert at(changed.trigger_from("afluente-changed-csv-jobs.fifo"), "ScalingConfig.MaximumConcurrency") == 33
    assert at(changed.trigger_from("afluente-changed-csv-inbox"), "ScalingConfig.MaximumConcurrency") == 11
    assert changed.function("csv_trigger")["ReservedConcurrentExecutions"] == 44


def test_each_domain_of_the_stage_has_its_topic_rule(changed: Deployment) -> None:
    rules = changed.resources("AWS::IoT::TopicRule").values()

    assert sorted(rule["RuleName"] for rule in rules) == ["afluente_changed_power", "afluente_changed_water"]


def test_a_stage_may_do_without_dashboards(changed: Deployment) -> None:
    assert changed.resources("AWS::CloudWatch::Dashboard") == {}


def test_a_stage_with_an_account_is_deployed_there_and_nowhere_else(changed: Deployment) -> None:
    stacks = json.loads((changed.assembly / "manifest.json").read_text())["artifacts"]

    assert stacks["afluente-changed-data"]["environment"] == "aws://123456789012/eu-west-1"
    assert stacks["afluente-changed-service"]["environment"] == "aws://123456789012/eu-west-1"


def test_the_stacks_of_prod_cannot_be_deleted_by_mistake(prod: Deployment, local: Deployment) -> None:
    for deployment, protected in ((prod, True), (local, False)):
        artifacts = json.loads((deployment.assembly / "manifest.json").read_text())["artifacts"]
        stacks = [artifact for artifact in artifacts.values() if artifact["type"] == "aws:cloudformation:stack"]
        assert len(stacks) == 2
        assert all(stack["properties"]["terminationProtection"] is protected for stack in stacks)


def without(types: Collection[str], template: dict[str, Any]) -> dict[str, Any]:
    kept = {id_: resource for id_, resource in template["Resources"].items() if resource["Type"] not in types}
    return {**template, "Resources": kept}


def by_readable_id(template: dict[str, Any]) -> dict[str, Resource]:
    """The resources by logical id without its hashes: in that of an authorizer's permission is the stack's name."""
    resources = {re.sub("[0-9A-F]{8}", "", id_): resource for id_, resource in template["Resources"].items()}
    assert len(resources) == len(template["Resources"])
    return resources


def differing_properties(one: Resource, other: Resource) -> set[str]:
    """The names of the properties that differ; whether a resource outlives its stack is a stage value of all."""
    policies = {"DeletionPolicy", "UpdateReplacePolicy", "Properties"}
    assert {key: one[key] for key in one.keys() - policies} == {key: other[key] for key in other.keys() - policies}
    ours, theirs = (with_variables(resource["Properties"]) for resource in (one, other))
    return {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}


def with_variables(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties of a resource, with each variable of its environment as one of them."""
    others = {name: value for name, value in properties.items() if name != "Environment"}
    variables: dict[str, Any] = properties.get("Environment", {}).get("Variables", {})
    return others | variables


def at(resource: Resource, path: str) -> Any:
    value: Any = resource
    for key in path.split("."):
        value = value[key]
    return value
