"""The access log of a stage of API Gateway: one JSON object a call."""

import json
from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack
from aws_cdk.aws_apigatewayv2 import CfnStage
from aws_cdk.aws_kms import IKey
from constructs import Construct

from infra.constructs.log_groups import log_group
from infra.stage import Stage

WITHOUT_ACCESS_LOG = (
    "The stage keeps no access log (access_log = false): its functions log what they accept and refuse."
)


def access_log_settings(
    scope: Construct, stage: Stage, name: str, fields: Mapping[str, str], *, key: IKey | None
) -> CfnStage.AccessLogSettingsProperty:
    """A log group for the API `name`, and the fields of each call that it holds."""
    # API Gateway may write to groups of this prefix without a resource policy that grows with each of them.
    group = log_group(scope, "AccessLog", stage, f"/aws/vendedlogs/afluente/{stage.name}/{name}", key=key)
    # Not the ARN that the log group gives: that one ends in `:*`.
    destination = Stack.of(scope).format_arn(
        service="logs",
        resource="log-group",
        resource_name=group.log_group_name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    return CfnStage.AccessLogSettingsProperty(destination_arn=destination, format=json.dumps(fields))
