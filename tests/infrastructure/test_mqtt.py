"""MQTT: permissions of devices, and topic rules that put messages into the inbox."""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infrastructure.deployment import Deployment, as_list

SQL = (
    "SELECT encode(*, 'base64') AS payload, topic() AS topic, clientid() AS client_id, timestamp() AS arrived_at "
    "FROM 'DOMAIN/+/+'"
)
DOMAINS = ("iot", "infrastructure", "finance", "health")
IOT = "arn:aws:iot:us-east-1:<AWS::AccountId>"
THING = "${iot:Connection.Thing.ThingName}"
DOMAIN = "${iot:Connection.Thing.Attributes[domain]}"
RULE = f"$aws/rules/afluente_prod_{DOMAIN}"

# The connection of a registered device, as AWS IoT Core knows it.
OVEN = {
    "iot:Connection.Thing.ThingName": "oven-1",
    "iot:Connection.Thing.Attributes[domain]": "iot",
    "iot:Connection.Thing.IsAttached": "true",
}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_has_a_rule_that_puts_each_message_as_it_came_into_the_inbox(prod: Deployment, domain: str) -> None:
    rule = prod.one("AWS::IoT::TopicRule", RuleName=f"afluente_prod_{domain}")

    role = {"RoleArn": "<IAM::Role>", "UseBase64": False}
    assert prod.plain(rule["TopicRulePayload"]) == {
        "Sql": SQL.replace("DOMAIN", domain),
        "AwsIotSqlVersion": "2016-03-23",
        "Actions": [{"Sqs": {"QueueUrl": "afluente-prod-mqtt-inbox", **role}}],
        "ErrorAction": {"Sqs": {"QueueUrl": "afluente-prod-mqtt-inbox-dlq", **role}},
    }


def test_there_is_no_rule_but_these(prod: Deployment) -> None:
    rules = {rule["RuleName"] for rule in prod.resources("AWS::IoT::TopicRule").values()}

    assert rules == {f"afluente_prod_{name}" for name in (*DOMAINS, "OldReadings")}


def test_a_rule_is_made_after_its_role_may_send(prod: Deployment) -> None:
    [policy] = [
        id_
        for id_, resource in prod.service["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy" and "MqttRole" in str(resource["Properties"]["Roles"])
    ]

    rules = [rule for rule in prod.service["Resources"].values() if rule["Type"] == "AWS::IoT::TopicRule"]
    assert all(policy in rule["DependsOn"] for rule in rules)


def test_messages_are_consumed_by_the_second_or_thousand_and_those_alone_that_failed_are_retried(
    prod: Deployment,
) -> None:
    mapping = prod.trigger("iot_rule_handler")

    assert prod.plain(mapping["EventSourceArn"]) == "afluente-prod-mqtt-inbox"
    assert mapping["BatchSize"] == 1_000
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_devices_have_this_policy(prod: Deployment) -> None:
    policy = prod.one("AWS::IoT::Policy", PolicyName="afluente-prod-device")

    assert prod.plain(policy["PolicyDocument"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:Connect",
                "Resource": f"{IOT}:client/{THING}",
                "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
            },
            {
                "Effect": "Allow",
                "Action": "iot:Publish",
                "Resource": [f"{IOT}:topic/{DOMAIN}/{THING}/*", f"{IOT}:topic/{RULE}/{DOMAIN}/{THING}/*"],
            },
            {
                "Effect": "Deny",
                "Action": "iot:Publish",
                "Resource": [f"{IOT}:topic/{DOMAIN}/{THING}/*/*", f"{IOT}:topic/{RULE}/{DOMAIN}/{THING}/*/*"],
            },
        ],
    }


@pytest.mark.parametrize("stream", ["temperature", "press:force", "Öl-Druck", "a" * 128])
def test_a_device_publishes_to_the_streams_of_its_source(prod: Deployment, stream: str) -> None:
    assert may(prod, OVEN, "iot:Publish", f"topic/iot/oven-1/{stream}")


@pytest.mark.parametrize("stream", ["temperature", "press:force"])
def test_a_device_publishes_past_the_broker_to_the_rule_of_its_domain(prod: Deployment, stream: str) -> None:
    assert may(prod, OVEN, "iot:Publish", f"topic/$aws/rules/afluente_prod_iot/iot/oven-1/{stream}")


@pytest.mark.parametrize(
    "topic",
    [
        "iot/oven-2/temperature",
        "iot/oven-10/temperature",
        "iot/oven/temperature",
        "health/oven-1/temperature",
        "iot2/oven-1/temperature",
        "iot",
        "iot/oven-1",
        "iot/oven-1/temperature/inside",
        "iot/oven-1//temperature",
        "iot/oven-1/" + "/".join(["deeper"] * 98),
        "/iot/oven-1/temperature",
        "$aws/rules/afluente_prod_iot/iot/oven-2/temperature",
        "$aws/rules/afluente_prod_iot/health/oven-1/temperature",
        "$aws/rules/afluente_prod_iot/iot/oven-1/temperature/inside",
        "$aws/rules/afluente_prod_iot/iot/sensors/oven-1/readings",
        "$aws/rules/afluente_prod_health/iot/oven-1/temperature",
        "$aws/rules/afluente_prod_OldReadings/iot/oven-1/temperature",
        "$aws/rules/afluente_dev_iot/iot/oven-1/temperature",
        "$aws/things/oven-1/shadow/update",
    ],
)
def test_a_device_publishes_nowhere_else(prod: Deployment, topic: str) -> None:
    assert not may(prod, OVEN, "iot:Publish", f"topic/{topic}")


def test_a_device_connects_as_itself_alone(prod: Deployment) -> None:
    assert may(prod, OVEN, "iot:Connect", "client/oven-1")
    assert not may(prod, OVEN, "iot:Connect", "client/oven-2")
    assert not may(prod, OVEN, "iot:Connect", "client/oven-10")


def test_a_certificate_without_its_thing_does_not_connect(prod: Deployment) -> None:
    detached = OVEN | {"iot:Connection.Thing.IsAttached": "false"}

    assert not may(prod, detached, "iot:Connect", "client/oven-1")


def test_a_thing_without_a_domain_publishes_nowhere(prod: Deployment) -> None:
    nowhere = {name: value for name, value in OVEN.items() if "domain" not in name}

    assert may(prod, nowhere, "iot:Connect", "client/oven-1")
    assert not may(prod, nowhere, "iot:Publish", "topic/iot/oven-1/temperature")
    assert not may(prod, nowhere, "iot:Publish", "topic//oven-1/temperature")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iot:Subscribe", "topicfilter/iot/oven-1/temperature"),
        ("iot:Receive", "topic/iot/oven-1/temperature"),
        ("iot:RetainPublish", "topic/iot/oven-1/temperature"),
        ("iot:GetThingShadow", "thing/oven-1"),
        ("iot:UpdateThingShadow", "thing/oven-1"),
        ("iot:Publish", "client/oven-1"),
        ("iot:Connect", "topic/iot/oven-1/temperature"),
    ],
)
def test_a_device_may_do_nothing_but_connect_and_publish(prod: Deployment, action: str, resource: str) -> None:
    assert not may(prod, OVEN, action, resource)


@pytest.mark.parametrize("sensor", ["42", "0f9c2f0e-7d3b-4d8b-9a62-6d1b7f3c9e01"])
def test_a_legacy_device_publishes_readings_of_any_sensor(prod: Deployment, sensor: str) -> None:
    assert may(prod, OVEN, "iot:Publish", f"topic/iot/sensors/{sensor}/readings", policy="old-device")


@pytest.mark.parametrize(
    "topic",
    [
        "iot/sensors/42",
        "iot/sensors/42/states",
        "iot/sensors/readings",
        "iot/sensors/42/1/readings",
        "iot/sensors//42/readings",
        "iot/sensors/42/readings/1",
        "iot/oven-1/temperature",
        "health/sensors/42/readings",
    ],
)
def test_a_legacy_device_publishes_nothing_else(prod: Deployment, topic: str) -> None:
    assert not may(prod, OVEN, "iot:Publish", f"topic/{topic}", policy="old-device")


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("iot/sensors/42/readings", True),
        ("iot/oven-1/42", True),
        ("iot/oven-2/42", False),
        ("iot/oven-1/42/readings", False),
        ("iot/sensors/42/1/readings", False),
        ("iot/sensors/42", False),
    ],
)
def test_a_device_that_moves_has_both_policies_and_publishes_in_both_ways(
    prod: Deployment, topic: str, *, allowed: bool
) -> None:
    assert may(prod, OVEN, "iot:Publish", f"topic/{topic}", policy="*device") is allowed


def test_a_legacy_device_connects_as_itself_and_reads_nothing(prod: Deployment) -> None:
    assert may(prod, OVEN, "iot:Connect", "client/oven-1", policy="old-device")
    assert not may(prod, OVEN, "iot:Connect", "client/oven-2", policy="old-device")
    assert not may(prod, OVEN, "iot:Subscribe", "topicfilter/iot/sensors/42/readings", policy="old-device")


def test_a_stage_without_mqtt_has_neither_rules_nor_a_policy(deployment_of: Callable[[str], Deployment]) -> None:
    migration = deployment_of("migration")

    assert migration.stage.enable_mqtt_multi_domain is False
    assert migration.resources("AWS::IoT::TopicRule") == {}
    assert migration.resources("AWS::IoT::Policy") == {}
    assert "IotPolicy" not in migration.service["Outputs"]
    assumers = [role["AssumeRolePolicyDocument"] for role in migration.resources("AWS::IAM::Role").values()]
    assert "iot.amazonaws.com" not in str(assumers)


def may(
    deployment: Deployment, connection: Mapping[str, str], action: str, resource: str, *, policy: str = "device"
) -> bool:
    """True if AWS IoT Core allows it: an explicit Deny wins, and without an Allow it is denied.

    Of all the policies that `policy` names, a star in it standing for anything.
    """
    effects = {
        statement["Effect"]
        for its in deployment.resources("AWS::IoT::Policy").values()
        if fnmatchcase(its["PolicyName"], f"{deployment.stage.prefix}-{policy}")
        for statement in deployment.plain(its["PolicyDocument"])["Statement"]
        if action in as_list(statement["Action"])
        and any(matches(pattern, f"{IOT}:{resource}", connection) for pattern in as_list(statement["Resource"]))
        and all(connection.get(name) == value for name, value in conditions(statement).items())
    }
    return effects == {"Allow"}


def matches(pattern: str, resource: str, connection: Mapping[str, str]) -> bool:
    """True if a resource matches a pattern; a star in it matches slashes too, and an unknown variable nothing."""
    names = re.findall(r"\$\{([^}]+)\}", pattern)
    if not connection.keys() >= set(names):
        return False
    for name in names:
        pattern = pattern.replace(f"${{{name}}}", connection[name])
    return fnmatchcase(resource, pattern)


def conditions(statement: Mapping[str, Any]) -> dict[str, str]:
    """The conditions of a statement, of the one kind that the policy has."""
    condition = statement.get("Condition", {"Bool": {}})
    assert condition.keys() == {"Bool"}
    return dict(condition["Bool"])
