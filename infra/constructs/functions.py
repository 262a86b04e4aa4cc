"""A Lambda function with a role and a log group of its own."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_lambda import Code, Function, ILayerVersion
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs.layers import RUNTIME, WITHOUT_BYTECODE, architecture
from infra.constructs.log_groups import log_group
from infra.paths import FUNCTIONS
from infra.stage import Stage


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
    ) -> None:
        super().__init__(scope, id_)
        name = f"{stage.prefix}-{package.replace('_', '-')}"
        self.log_group = log_group(self, "Log", stage, f"/aws/lambda/{name}")
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
            environment={
                "POWERTOOLS_SERVICE_NAME": package,
                "POWERTOOLS_METRICS_NAMESPACE": "afluente",
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                "AFLUENTE_STAGE": stage.name,
                **environment,
            },
        )
        acknowledge(
            self.function,
            "AwsSolutions-L1",
            "Python 3.13 is the newest runtime that the test suite runs on; it gets security fixes until October 2029.",
        )

    def allow(self, actions: Sequence[str], *resources: str) -> None:
        """Let the function do the actions to the resources, given by ARN."""
        self.role.add_to_policy(PolicyStatement(actions=list(actions), resources=list(resources)))
