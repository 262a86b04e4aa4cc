"""Secrets in Secrets Manager."""

from itertools import count

import pytest

from afluente.adapters.aws.secrets_manager import SecretsManagerSecret
from afluente.application.errors import UnavailableError
from tests.contract.local_aws import LocalAws, fail

NUMBERS = count(1)


def test_the_current_version_of_a_secret_is_read_by_name_or_arn(aws: LocalAws) -> None:
    client, name = aws.client("secretsmanager"), f"old-sql-{next(NUMBERS)}"
    arn = client.create_secret(Name=name, SecretString="sqlite:////old.db")["ARN"]

    for secret in (SecretsManagerSecret(client, name), SecretsManagerSecret(client, arn)):
        assert secret.read() == "sqlite:////old.db"
    client.put_secret_value(SecretId=name, SecretString="sqlite:////new.db")
    assert SecretsManagerSecret(client, name).read() == "sqlite:////new.db"


def test_a_secret_that_holds_no_text_is_empty(aws: LocalAws) -> None:
    client, name = aws.client("secretsmanager"), f"old-sql-{next(NUMBERS)}"
    client.create_secret(Name=name, SecretBinary=b"\x00")

    assert SecretsManagerSecret(client, name).read() == ""


def test_an_absent_or_forbidden_secret_is_unavailable(aws: LocalAws) -> None:
    client = aws.client("secretsmanager")
    with pytest.raises(UnavailableError, match="Secrets Manager: ResourceNotFoundException"):
        SecretsManagerSecret(client, "no-such-secret").read()

    fail(client, "GetSecretValue")
    with pytest.raises(UnavailableError, match="Secrets Manager: InternalFailure"):
        SecretsManagerSecret(client, "no-such-secret").read()
