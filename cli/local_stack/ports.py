"""Ports of the emulator."""

import socket

from cli.core.errors import CommandError
from cli.core.local_stack import LOOPBACK

FIRST_PORT = 4566
"""The usual port of AWS emulators."""

FIRST_MQTT_PORT = 8883
"""The port of MQTT over TLS (IANA: secure-mqtt)."""

_TRIED_PORTS = 200
_BACKLOG = 128


def choose(wanted: int | None, *, last: int | None, first: int = FIRST_PORT) -> int:
    """A free port: the wanted one, else the last one used, else the first free one from `first`.

    Raises:
        CommandError: the wanted port is in use, or all that were tried.
    """
    if wanted is not None:
        if is_free(wanted):
            return wanted
        raise CommandError(
            f"port {wanted} is taken by another program",
            hint="choose another with --port or AFLUENTE_PORT, or none to have a free one chosen",
        )
    candidates = range(first, first + _TRIED_PORTS)
    for port in (last, *candidates) if last else candidates:
        if is_free(port):
            return port
    raise CommandError(
        f"no port from {candidates.start} to {candidates.stop - 1} is free",
        hint="choose one with --port or AFLUENTE_PORT",
    )


def listen(port: int) -> socket.socket:
    """A socket that listens at `port` of the loopback interface.

    Raises:
        OSError: the port is in use.
    """
    return socket.create_server((LOOPBACK, port), backlog=_BACKLOG)


def is_free(port: int) -> bool:
    """True if `port` of the loopback interface is free and this process may listen there."""
    with socket.socket() as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
