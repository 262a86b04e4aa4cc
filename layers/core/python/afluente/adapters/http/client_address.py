"""The address of a client: as the gateway saw it, or the front before the gateway; never as the client claims.

A stage may have a front, a CloudFront distribution with a web application firewall. It adds to each request a secret
and the address that it saw. A request without the secret bypassed the front.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

FRONT_HEADER = "x-afluente-front"
"""Header with the secret of the front."""

ADDRESS_HEADER = "x-afluente-client-address"
"""Header with the client's address, which the front overwrites."""

_NETWORK_BITS = 64


class Front:
    """The front before an HTTP API.

    Args:
        secrets: gives the valid secrets, two of them during a rotation; called for each request, so it is to cache.
    """

    def __init__(self, secrets: Callable[[], Sequence[str]]) -> None:
        self._secrets = secrets

    def has_passed(self, event: Mapping[str, Any]) -> bool:
        """True for a request that has passed the front; takes equally long for each wrong secret.

        Raises:
            UnavailableError: the secrets cannot be read.
        """
        given = _headers(event).get(FRONT_HEADER, "").encode(errors="replace")
        return any(hmac.compare_digest(given, secret.encode()) for secret in self._secrets() if secret)


def client_address(event: Mapping[str, Any], front: Front | None = None) -> str:
    """The address of the client behind an event of an HTTP API (payload 2.0) or a WebSocket API.

    For IPv6 it is the network, such as `2001:db8::/64`: its owner has all its addresses, and could be a new client with
    each request.

    Args:
        event: of API Gateway.
        front: of the stage, if it has one.

    Raises:
        UnavailableError: the secrets of the front cannot be read.
    """
    context = event.get("requestContext") or {}
    seen = str((context.get("http") or context.get("identity") or {}).get("sourceIp", ""))
    if front is None or not front.has_passed(event):
        return _counted(seen)
    given = _headers(event).get(ADDRESS_HEADER, "")
    return _counted(given if _is_address(given) else seen)


def _headers(event: Mapping[str, Any]) -> Mapping[str, str]:
    # The events of an HTTP API have the names of headers in lower case.
    return event.get("headers") or {}


def _counted(text: str) -> str:
    address = ip_address(text) if _is_address(text) else None
    if not isinstance(address, IPv6Address):
        return text
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _NETWORK_BITS), strict=False))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
