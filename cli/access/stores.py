"""Stores of a deployment's keys and tenants, reached with AWS credentials."""

from typing import TYPE_CHECKING

from cli.core.target import Target

if TYPE_CHECKING:
    from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
    from afluente.adapters.aws.dynamodb_key_uses import DynamoKeyUses
    from afluente.adapters.aws.dynamodb_tenants import DynamoTenants


def keys_of(target: Target) -> "DynamoApiKeys":
    """The API keys."""
    from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys  # noqa: PLC0415 - commands start quickly

    return DynamoApiKeys(target.client("dynamodb"), target["AccessTable"])


def key_uses_of(target: Target) -> "DynamoKeyUses":
    """The last uses of the API keys."""
    from afluente.adapters.aws.dynamodb_key_uses import DynamoKeyUses  # noqa: PLC0415 - commands start quickly

    return DynamoKeyUses(target.client("dynamodb"), target["KeyUsesTable"])


def tenants_of(target: Target) -> "DynamoTenants":
    """The tenants."""
    from afluente.adapters.aws.dynamodb_tenants import DynamoTenants  # noqa: PLC0415 - commands start quickly

    return DynamoTenants(target.client("dynamodb"), target["AccessTable"])


def pepper_of(target: Target) -> str:
    """The secret that is part of the hash of every key."""
    from afluente.adapters.aws.secrets_manager import SecretsManagerSecret  # noqa: PLC0415 - commands start quickly

    return SecretsManagerSecret(target.client("secretsmanager"), target["KeyPepperSecret"]).read()
