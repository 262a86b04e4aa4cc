"""Puts AWS's quotas between the emulator's clients and its services."""

from cli.core.local_stack import AwsLimits
from cli.local_stack.aws_limits import apigateway, dynamodb, eventbridge, functions, iot, kinesis, sqs
from cli.local_stack.aws_limits.settings import Values


def install(limits: AwsLimits) -> None:
    """Let the emulator keep AWS's quotas; called once, in its own process, before it serves.

    Args:
        limits: the choice of this stack; nothing is done where they are off.
    """
    if not limits.on:
        return
    values = Values(limits)
    for service in (kinesis, sqs, functions, apigateway, dynamodb, eventbridge, iot):
        service.install(values)
