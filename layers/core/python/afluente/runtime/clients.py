"""Clients of AWS services, by the environment's region, credentials and endpoint.

Made by botocore, without boto3's resources and transfers, and each when it is first used: imports and clients are most
of a cold start, and few invocations quarantine a record or raise an alarm.
"""

from functools import cache, cached_property
from threading import Lock
from typing import Any

import botocore.session
from botocore.config import Config

from afluente.adapters.aws.calls import CLIENT_CONFIG


def client(service: str, endpoint: str | None = None, config: Config = CLIENT_CONFIG) -> Any:
    """The client of a service; the adapters say by their types which one they take.

    Args:
        service: by the name that botocore has for it.
        endpoint: the URL where it is, if not where all services are.
        config: how it behaves.
    """
    return _LazyClient(service, endpoint, config)


# A session makes one client at a time, and the threads of a function's pool come for the same one together.
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
