"""A Lambda function with a role and a log group of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import (
    ApplicationLogLevel,
    CfnFunction,
    Code,
    EventSourceMapping,
    Function,
    ILayerVersion,
    LoggingFormat,
    SystemLogLevel,
)
from aws_cdk.aws_s3 import IBucket
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

from infra.capacity import FunctionName
from infra.checks import acknowledge
from infra.constructs.encryption import allow_key
from infra.constructs.expiring_bucket import Objects
from infra.constructs.layers import RUNTIME, WITHOUT_BYTECODE, architecture
from infra.constructs.log_groups import log_group
from infra.paths import FUNCTIONS
from infra.stage import Stage

GATEWAY_TIMEOUT = Duration.seconds(29)
"""A little less than API Gateway waits for an integration (30 s), so that the answer is still the function's own."""

MAX_FIFO_BATCH = 10
"""Lambda, "Batch size" of a FIFO queue: the most there is."""

RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
RECEIVE_AND_RETRY = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
"""With retry backoff: the function changes the visibility of messages that failed."""

# AWS, "Execution role permissions" of Lambda in a VPC: none of them can be narrowed to what does not exist yet.
_NETWORK_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


class ServiceFunction(Construct):
    """The function of `functions/{package}`; it may write its log, and nothing else until `allow` is called."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        package: FunctionName,
        layers: Sequence[ILayerVersion],
        timeout: Duration,
        key: Key | None,
    ) -> None:
        super().__init__(scope, id_)
        name = f"{stage.prefix}-{package.replace('_', '-')}"
        self.log_group = log_group(self, "Log", stage, f"/aws/lambda/{name}", key=key)
        self.role = Role(self, "Role", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        self.function = Function(
            self,
            "Function",
            function_name=name,
            runtime=RUNTIME,
            architecture=architecture(stage),
            code=Code.from_asset(str(FUNCTIONS), exclude=WITHOUT_BYTECODE),
            handler=f"{package}.handler.lambda_handler",
            layers=list(layers),
            memory_size=stage.memory_of(package),
            timeout=timeout,
            reserved_concurrent_executions=stage.reserved_concurrency.of(package),
            role=self.role,
            log_group=self.log_group,
            **_log_lines(stage),
            environment_encryption=key,
            environment={
                "POWERTOOLS_SERVICE_NAME": package,
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                "AFLUENTE_STAGE": stage.name,
                "AFLUENTE_LOG_LINES": stage.log_lines,
            },
        )
        self._key = key
        if key is not None:
            self._read_environment(key, name)
        acknowledge(
            self.function,
            "AwsSolutions-L1",
            "Python 3.13 is the newest runtime that the test suite runs on; it gets security fixes until October 2029.",
        )

    def configure(self, variables: Mapping[str, str]) -> None:
        """Add variables to the environment of the function."""
        for name, value in variables.items():
            self.function.add_environment(name, value)

    def allow(self, actions: Sequence[str], *resources: str, with_key: bool = True) -> None:
        """Let the function do the actions to the resources.

        Args:
            actions: of IAM.
            resources: by ARN.
            with_key: what they hold is encrypted with the key of the stage, where it has one.
        """
        self.role.add_to_policy(PolicyStatement(actions=list(actions), resources=list(resources)))
        if with_key:
            allow_key(self.role, self._key, actions)

    def allow_objects(self, actions: Sequence[str], bucket: IBucket, objects: Objects) -> None:
        """Let the function do the actions to the objects of a bucket.

        Args:
            actions: of IAM.
            bucket: of the data stack.
            objects: by a pattern of their keys.
        """
        self.allow(actions, bucket.arn_for_objects(objects.pattern))
        # cdk-nag knows the bucket by the name under which this stack imports its ARN.
        export = Stack.of(bucket).export_value(bucket.bucket_arn)
        imported = Stack.of(self).resolve(export)["Fn::ImportValue"]
        acknowledge(self.role, f"AwsSolutions-IAM5[Resource::{imported}/{objects.pattern}]", objects.reason)

    def consume(
        self,
        id_: str,
        queue: IQueue,
        actions: Sequence[str],
        *,
        batch_size: int,
        max_batching_window: Duration | None = None,
        max_concurrency: int | None = None,
    ) -> None:
        """Have Lambda hand the messages of a queue to the function, and retry those alone that failed.

        Args:
            id_: of the event source mapping.
            queue: that is consumed.
            actions: of IAM on the queue; Lambda receives and deletes with the role of the function.
            batch_size: the most messages of one invocation.
            max_batching_window: how long Lambda waits for a full batch.
            max_concurrency: the most invocations at a time.
        """
        self.allow(actions, queue.queue_arn)
        EventSourceMapping(
            self,
            id_,
            target=self.function,
            event_source_arn=queue.queue_arn,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            max_concurrency=max_concurrency,
            report_batch_item_failures=True,
        )

    def attach(self, subnet_ids: Sequence[str], security_group_ids: Sequence[str]) -> None:
        """Let the function reach a private network.

        By ids alone: the construct of the CDK would look the network up in the account at synthesis.
        """
        self.allow(_NETWORK_INTERFACES, "*")
        acknowledge(
            self.role,
            "AwsSolutions-IAM5[Resource::*]",
            "Lambda makes the network interfaces itself, with ids that nobody knows before.",
        )
        function = self.function.node.default_child
        if not isinstance(function, CfnFunction):
            raise TypeError(f"a function is made of {type(function).__name__}")
        function.vpc_config = CfnFunction.VpcConfigProperty(
            subnet_ids=list(subnet_ids), security_group_ids=list(security_group_ids)
        )
        # The interfaces are made when the function is, for which its role has to be allowed to.
        policy = self.role.node.find_child("DefaultPolicy")
        self.function.node.add_dependency(policy)

    def _read_environment(self, key: Key, name: str) -> None:
        arn = Stack.of(self).format_arn(
            service="lambda", resource="function", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        self.role.add_to_policy(
            PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[key.key_arn],
                conditions={"StringEquals": {"kms:EncryptionContext:aws:lambda:FunctionArn": arn}},
            )
        )


def _log_lines(stage: Stage) -> dict[str, Any]:
    """The log controls of a function: without lines of the platform for invocations that succeed, or Lambda's own."""
    if stage.log_lines == "all":
        return {}
    return {
        "logging_format": LoggingFormat.JSON,
        "system_log_level_v2": SystemLogLevel.WARN,
        # The functions filter their own lines by `log_level`; Lambda would take lines of metrics for INFO.
        "application_log_level_v2": ApplicationLogLevel.DEBUG,
    }


def flag(value: bool) -> str:
    """A variable that is on or off."""
    return str(value).lower()
