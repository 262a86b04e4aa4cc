"""Secrets, read where they are kept and nowhere written."""

from typing import TYPE_CHECKING

from afluente.adapters.aws.calls import unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretsManagerSecret:
    """A secret.

    Args:
        client: of Secrets Manager.
        name: the secret's name or ARN.
    """

    def __init__(self, client: "SecretsManagerClient", name: str) -> None:
        self._client = client
        self._name = name

    def read(self) -> str:
        """What it holds now, as text.

        Raises:
            UnavailableError: Secrets Manager does not give it.
        """
        with unavailable("Secrets Manager"):
            return self._client.get_secret_value(SecretId=self._name).get("SecretString", "")
