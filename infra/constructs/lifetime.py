"""What becomes of a resource when its stack lets go of it."""

from aws_cdk import RemovalPolicy

from infra.stage import Stage

# Kept, but not after a first deployment that failed: what was left of it would stand in the way of the second.
KEPT = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


def of_data(stage: Stage) -> RemovalPolicy:
    """The removal policy of what holds data."""
    return KEPT if stage.keep_data else RemovalPolicy.DESTROY
