"""MQTT over AWS IoT Core: policies of devices, and topic rules that put messages into the inbox."""

import re
from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk.aws_iam import Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_iot import CfnPolicy, CfnTopicRule
from aws_cdk.aws_kms import Key
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

from infra.constructs.encryption import allow_key
from infra.stage import Stage

SQL_VERSION = "2016-03-23"

# The payload as bytes, so that an undecodable one is quarantined unchanged.
_SELECT = "SELECT encode(*, 'base64') AS payload, topic() AS topic, clientid() AS client_id, timestamp() AS arrived_at"
_THING = "${iot:Connection.Thing.ThingName}"
_DOMAIN = "${iot:Connection.Thing.Attributes[domain]}"


LEGACY_TOPIC = "iot/sensors/+/readings"
"""The topic of legacy devices."""

_LEGACY_RULE = "OldReadings"
"""Takes the place of a domain in the name of a rule; no domain can have this name."""


class MqttInbox(Construct):
    """A topic rule a domain, from `<domain>/+/+` to the inbox, and to its dead-letter queue where that fails.

    One more rule takes readings of legacy devices.
    """

    def __init__(
        self, scope: Construct, id_: str, *, stage: Stage, inbox: IQueue, dead_letter_queue: IQueue, key: Key | None
    ) -> None:
        super().__init__(scope, id_)
        # For both queues alone; a rule of another stage has another role.
        role = Role(self, "Role", assumed_by=ServicePrincipal("iot.amazonaws.com"))
        role.add_to_policy(
            PolicyStatement(actions=["sqs:SendMessage"], resources=[inbox.queue_arn, dead_letter_queue.queue_arn])
        )
        allow_key(role, key, ["sqs:SendMessage"])
        topics = {domain: f"{domain}/+/+" for domain in stage.domains} if stage.enable_mqtt_multi_domain else {}
        if stage.accepts_legacy_messages:
            topics[_LEGACY_RULE] = LEGACY_TOPIC
        for name, topic in topics.items():
            CfnTopicRule(
                self,
                f"Rule-{name}",
                rule_name=rule_name(stage, name),
                topic_rule_payload=CfnTopicRule.TopicRulePayloadProperty(
                    sql=f"{_SELECT} FROM '{topic}'",
                    aws_iot_sql_version=SQL_VERSION,
                    actions=[CfnTopicRule.ActionProperty(sqs=_to(inbox, role))],
                    error_action=CfnTopicRule.ActionProperty(sqs=_to(dead_letter_queue, role)),
                ),
            ).node.add_dependency(role)


class DevicePolicy(Construct):
    """The one IoT policy of all devices: a thing connects as itself alone, and publishes under its own source alone.

    A thing has its domain as an attribute, which names its topic rule too, for what it publishes past the broker.
    Domains with a dash have no such way, since their rules have other names.

    Topics of more than three levels are denied: a policy's `*` matches slashes too, no rule matches such a topic, and
    acknowledged messages must not be lost. Nothing else is denied, so that a certificate can have the policy of legacy
    devices as well while its device moves.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self.name = f"{stage.prefix}-device"
        sources = [f"{_DOMAIN}/{_THING}"]
        if stage.enable_basic_ingest:
            sources.append(f"$aws/rules/{rule_name(stage, '')}{_DOMAIN}/{_DOMAIN}/{_THING}")
        _policy(
            self,
            self.name,
            allowed=[f"{source}/*" for source in sources],
            denied=[f"{source}/*/*" for source in sources],
        )


class LegacyDevicePolicy(Construct):
    """The one IoT policy of legacy devices: they publish readings of any sensor, and nothing else.

    Topics of more levels are denied, as in `DevicePolicy`.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self.name = f"{stage.prefix}-old-device"
        _policy(self, self.name, allowed=[LEGACY_TOPIC.replace("+", "*")], denied=[LEGACY_TOPIC.replace("+", "*/*")])


def _policy(scope: Construct, name: str, *, allowed: Sequence[str], denied: Sequence[str]) -> None:
    """A policy by which a thing connects as itself, and publishes to what is allowed and not denied, by patterns."""

    def arn(resource: str, pattern: str) -> str:
        return Stack.of(scope).format_arn(
            service="iot", resource=resource, resource_name=pattern, arn_format=ArnFormat.SLASH_RESOURCE_NAME
        )

    def topics(patterns: Sequence[str]) -> list[str]:
        return [arn("topic", pattern) for pattern in patterns]

    document = PolicyDocument(
        statements=[
            PolicyStatement(
                actions=["iot:Connect"],
                resources=[arn("client", _THING)],
                conditions={"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
            ),
            PolicyStatement(actions=["iot:Publish"], resources=topics(allowed)),
            PolicyStatement(effect=Effect.DENY, actions=["iot:Publish"], resources=topics(denied)),
        ]
    )
    CfnPolicy(scope, "Policy", policy_name=name, policy_document=document)


def rule_name(stage: Stage, domain: str) -> str:
    """The name of the rule of a domain, or of legacy devices; names of rules have no dashes."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", f"{stage.prefix}_{domain}")


def _to(queue: IQueue, role: Role) -> CfnTopicRule.SqsActionProperty:
    return CfnTopicRule.SqsActionProperty(queue_url=queue.queue_url, role_arn=role.role_arn, use_base64=False)
