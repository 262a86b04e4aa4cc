"""A local stack is for the machine that it runs on: nothing of it listens for others."""

import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from tests.stack import LocalStack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

LISTENING = "0A"


def test_nothing_listens_for_other_machines(local_stack: LocalStack) -> None:
    ours = set(sockets_of(local_stack._emulator_pid))
    listening = [(address, port) for address, port, inode in listeners() if inode in ours]

    assert {local_stack.port, local_stack.mqtt_port} <= {port for _, port in listening}
    assert [one for one in listening if not one[0].is_loopback] == []


def sockets_of(pid: int) -> Iterator[str]:
    """The inodes of the sockets of a process and of all that it started."""
    waiting = [pid]
    while waiting:
        process = Path("/proc") / str(waiting.pop())
        try:
            for descriptor in (process / "fd").iterdir():
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")
            for task in (process / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # It ended meanwhile.


def listeners() -> Iterator[tuple[IPv4Address | IPv6Address, int, str]]:
    """The address, the port and the inode of each socket of the machine that listens."""
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                address, port = fields[1].split(":")
                yield address_of(address), int(port, 16), fields[9]


def address_of(text: str) -> IPv4Address | IPv6Address:
    """As the kernel writes it: words of four bytes, each in the order of the machine."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
