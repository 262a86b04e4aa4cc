"""Where a request comes from: what the gateway saw, or the front before it, and never what a client says of itself.

A stage may have a front, a CloudFront distribution with a web application firewall. What comes through it brings a
secret that nobody else has, and the address that the front saw. A request without the secret came around it.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

FRONT_HEADER = "x-afluente-front"
"""Where the front puts its secret."""

ADDRESS_HEADER = "x-afluente-client-address"
"""Where the front puts the address of the client, over whatever the client has put there."""


_NETWORK_BITS = 64


class Front:
    """The front before an HTTP API.

    Args:
        secrets: each of which proves that a request came through it. While one takes the place of the other there are
            two; asked at every request, so whoever gives them remembers them.
    """

    def __init__(self, secrets: Callable[[], Sequence[str]]) -> None:
        self._secrets = secrets

    def brought(self, event: Mapping[str, Any]) -> bool:
        """Whether the request came through the front; takes as long for every secret that is not one.

        Raises:
            UnavailableError: the secrets cannot be read.
        """
        given = _headers(event).get(FRONT_HEADER, "").encode(errors="replace")
        return any(hmac.compare_digest(given, secret.encode()) for secret in self._secrets() if secret)


def client_address(event: Mapping[str, Any], front: Front | None = None) -> str:
    """The address of the client behind an event of an HTTP API (payload 2.0) or a WebSocket API.

    Of IPv6 it is the network, such as `2001:db8::/64`: whoever has one has all its addresses, and could be a new client
    with each request.

    Args:
        event: of API Gateway.
        front: the one before the API, if the stage has one.

    Raises:
        UnavailableError: the secrets of the front cannot be read.
    """
    context = event.get("requestContext") or {}
    seen = str((context.get("http") or context.get("identity") or {}).get("sourceIp", ""))
    if front is None or not front.brought(event):
        return _counted(seen)
    told = _headers(event).get(ADDRESS_HEADER, "")
    return _counted(told if _is_address(told) else seen)


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
