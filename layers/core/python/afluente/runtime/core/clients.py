"""Clients of AWS services, by the environment's region, credentials and endpoint.

Made by botocore, without boto3's resources and transfers, and each at its first use: imports and clients are most of a
cold start, and few invocations quarantine a record or raise an alarm.
"""

from functools import cache, cached_property
from threading import Lock
from typing import Any

import botocore.session
from botocore.config import Config

from afluente.adapters.aws.calls import CLIENT_CONFIG


def client(service: str, endpoint: str | None = None, config: Config = CLIENT_CONFIG) -> Any:
    """The client of a service, made at its first use; the types of the adapters tell which one they take.

    Args:
        service: by the name that botocore has for it.
        endpoint: its URL, if it is not that of all services.
        config: timeouts and retries.
    """
    return _LazyClient(service, endpoint, config)


# A session makes one client at a time, and threads of a pool may need the same one at once.
_making = Lock()


class _LazyClient:
    def __init__(self, service: str, endpoint: str | None, config: Config) -> None:
        self._service = service
        self._endpoint = endpoint
        self._config = config

    @cached_property
    def _client(self) -> Any:
        return _session().create_client(self._service, endpoint_url=self._endpoint, config=self._config)

    def __getattr__(self, name: str) -> Any:
        with _making:
            made = self._client
        return getattr(made, name)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
