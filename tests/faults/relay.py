"""A relay of bytes between a client and the stack, which tests cut where they like, whatever it relays."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 65_536


class Relay:
    """Listens at a loopback port of its own and hands every connection on.

    Args:
        port: of loopback, where the connections are handed on to.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._refuses = False
        self._left_up: int | None = None
        self._cuts_at_answer = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection, without a farewell of any protocol."""
        with self._lock:
            broken, self._open = self._open, set()
        for one in broken:
            _break(one)

    def stop(self) -> None:
        """Behave as an absent server: break open connections and accept no new one."""
        self._refuses = True
        self.cut()

    def start(self) -> None:
        """Take connections on again."""
        self._refuses = False

    def cut_after(self, sent_bytes: int) -> None:
        """Break every connection when the clients have sent so many bytes more; nothing beyond them is passed on."""
        self._left_up = sent_bytes

    def cut_at_answer(self) -> None:
        """Break every connection in place of passing on the next answer of the server."""
        self._cuts_at_answer = True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _break(client)
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _break(client)
                continue
            self.connections += 1
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                left = self._left_up
                if left is not None and len(data) >= left:
                    server.sendall(data[:left])
                    self._left_up = None
                    self.cut()
                    return
                if left is not None:
                    self._left_up = left - len(data)
                server.sendall(data)
        self._close(client, server)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if self._cuts_at_answer:
                    self._cuts_at_answer = False
                    self.cut()
                    return
                client.sendall(data)
        self._close(client, server)

    def _close(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            _break(end)


def _break(one: socket.socket) -> None:
    # A thread that waits in recv is woken by the shutdown alone.
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
