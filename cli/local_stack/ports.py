"""Which port the emulator listens on."""

import socket

from cli.errors import CommandError

LOOPBACK = "127.0.0.1"

FIRST_PORT = 4566
"""What AWS emulators listen on by custom."""

_TRIED_PORTS = 200


def choose(wanted: int | None, *, remembered: int | None) -> int:
    """A free port: the wanted one, else the remembered one, else the first free one from 4566.

    Raises:
        CommandError: the wanted port is taken, or all that were tried.
    """
    if wanted is not None:
        if is_free(wanted):
            return wanted
        raise CommandError(
            f"port {wanted} is taken by another program",
            way_out="choose another with --port or AFLUENTE_PORT, or none to have a free one chosen",
        )
    candidates = range(FIRST_PORT, FIRST_PORT + _TRIED_PORTS)
    for port in (remembered, *candidates) if remembered else candidates:
        if is_free(port):
            return port
    raise CommandError(
        f"no port from {candidates.start} to {candidates.stop - 1} is free",
        way_out="choose one with --port or AFLUENTE_PORT",
    )


def is_free(port: int) -> bool:
    """Whether nobody listens at `port` of the loopback interface and this process may."""
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
