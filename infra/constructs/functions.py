"""A Lambda function with a role and a log group of its own."""

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import CfnFunction, Code, Function, ILayerVersion
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs.encryption import allow_key
from infra.constructs.layers import RUNTIME, WITHOUT_BYTECODE, architecture
from infra.constructs.log_groups import log_group
from infra.paths import FUNCTIONS
from infra.stage import Stage

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
    """The function of `functions/{package}`, which may write its log and do nothing else until `allow` is called."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        package: str,
        layers: Sequence[ILayerVersion],
        memory_mb: int,
        timeout: Duration,
        environment: Mapping[str, str],
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
            memory_size=memory_mb,
            timeout=timeout,
            role=self.role,
            log_group=self.log_group,
            environment_encryption=key,
            environment={
                "POWERTOOLS_SERVICE_NAME": package,
                "POWERTOOLS_METRICS_NAMESPACE": "afluente",
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                "AFLUENTE_STAGE": stage.name,
                **environment,
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

    def allow(self, actions: Sequence[str], *resources: str, with_key: bool = True) -> None:
        """Let the function do the actions to the resources, given by ARN.

        Args:
            actions: of IAM.
            resources: by ARN.
            with_key: what they hold is encrypted with the key of the stage, where it has one.
        """
        self.role.add_to_policy(PolicyStatement(actions=list(actions), resources=list(resources)))
        if with_key:
            allow_key(self.role, self._key, actions)

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

    def attach(self, subnet_ids: Sequence[str], security_group_ids: Sequence[str]) -> None:
        """Let the function reach what is in a private network.

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
