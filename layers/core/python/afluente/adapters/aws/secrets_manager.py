"""Secrets in Secrets Manager, for reading."""

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
        """The current text of the secret; empty if it holds none.

        Raises:
            UnavailableError: Secrets Manager does not answer, or the secret does not exist.
        """
        with unavailable("Secrets Manager"):
            return self._client.get_secret_value(SecretId=self._name).get("SecretString", "")
