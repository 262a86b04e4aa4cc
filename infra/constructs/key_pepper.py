"""The secret that is part of the hash of every API key."""

from typing import cast

from aws_cdk.aws_kms import IKey
from aws_cdk.aws_secretsmanager import CfnSecret, Secret, SecretStringGenerator
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs import lifetime
from infra.stage import Stage

_CHARACTERS = 64


class KeyPepper(Construct):
    """A secret that Secrets Manager generates, and nobody has to know.

    CloudFormation names it: a fixed name would stay reserved for weeks after the secret is deleted.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.secret = Secret(
            self,
            "Secret",
            description=f"afluente {stage.name}: part of the hash of every API key; another value revokes all keys",
            generate_secret_string=SecretStringGenerator(password_length=_CHARACTERS, exclude_punctuation=True),
            removal_policy=lifetime.of_data(stage),
        )
        if key is not None:
            # Not by the construct: it would let the whole account use the key through Secrets Manager.
            cast("CfnSecret", self.secret.node.default_child).kms_key_id = key.key_arn
        acknowledge(
            self.secret,
            "AwsSolutions-SMG4",
            "Another value revokes every key at once: people change it when they mean that (SECURITY.md), no schedule.",
        )
