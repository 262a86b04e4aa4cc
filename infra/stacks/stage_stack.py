"""The base of the stacks of a stage."""

from aws_cdk import DefaultStackSynthesizer, Environment, Stack, Tags
from constructs import Construct

from infra.stage import Stage


class StageStack(Stack):
    """A stack in the stage's region, for whatever account the credentials are of unless the stage names one."""

    def __init__(self, scope: Construct, name: str, *, stage: Stage, description: str) -> None:
        super().__init__(
            scope,
            f"{stage.prefix}-{name}",
            env=Environment(account=stage.account, region=stage.region),
            description=description,
            termination_protection=stage.deletion_protection,
            analytics_reporting=False,
            # The toolkit checks the bootstrap version itself; a rule in the template would need SSM in the emulator.
            synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        Tags.of(self).add("service", "afluente")
        Tags.of(self).add("stage", stage.name)
