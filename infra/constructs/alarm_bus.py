"""Alarms of streams: a bus for those who act on them, and a log for those who look back."""

from typing import cast

from aws_cdk import ArnFormat, Stack
from aws_cdk.aws_events import CfnEventBus, EventBus
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_logs import LogStream
from constructs import Construct

from infra.constructs import lifetime
from infra.constructs.log_groups import log_group
from infra.stage import Stage

LOG_STREAM = "alarms"


class AlarmBus(Construct):
    """An EventBridge bus, which keeps nothing, beside a log stream with the same events as JSON lines."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.bus = EventBus(self, "Bus", event_bus_name=f"{stage.prefix}-alarms")
        if key is not None:
            # Not by the construct: it would put a statement of its own into the policy of the key.
            cast("CfnEventBus", self.bus.node.default_child).kms_key_identifier = key.key_arn
        self.log_group_name = f"/afluente/{stage.name}/alarms"
        self.log_group = log_group(self, "Log", stage, self.log_group_name, lifetime.of_data(stage), key=key)
        self.log_stream = LogStream(
            self,
            "LogStream",
            log_group=self.log_group,
            log_stream_name=LOG_STREAM,
            removal_policy=lifetime.of_data(stage),
        )

    def log_stream_arn(self, scope: Construct) -> str:
        """The ARN of the log stream, which CloudFormation does not give, as seen from the stack of `scope`."""
        return Stack.of(scope).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{self.log_group_name}:log-stream:{LOG_STREAM}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
