"""Removal policies: the fate of a resource that is no longer part of its stack."""

from aws_cdk import RemovalPolicy

from infra.stage import Stage

# Kept, but not after a first deployment that failed: the remains would stand in the way of the second.
KEPT = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


def of_data(stage: Stage) -> RemovalPolicy:
    """The removal policy of resources that hold data."""
    return KEPT if stage.keep_data else RemovalPolicy.DESTROY
