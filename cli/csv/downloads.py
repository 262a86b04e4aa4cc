"""Rejected rows on their way down."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpx

from cli.core.errors import CommandError
from cli.core.retry import Patience
from cli.sending.http_answers import AGAIN, told

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def pieces(
    url: str, *, use_proxies: bool, on_size: Callable[[int | None], None], patience: Patience
) -> Iterator[bytes]:
    """What is at an address, piece by piece; where the connection breaks it goes on from there.

    Args:
        url: the address, which is signed.
        use_proxies: whether the user's proxy settings count.
        on_size: called with the size in bytes where it is known.
        patience: how long to try, without a piece in between.

    Raises:
        CommandError: it cannot be fetched.
    """
    done, attempt = 0, 0
    with httpx.Client(headers={"Accept-Encoding": "identity"}, timeout=_TIMEOUT, trust_env=use_proxies) as client:
        while True:
            before = done
            try:
                with client.stream("GET", url, headers={"Range": f"bytes={done}-"} if done else {}) as response:
                    _check(response)
                    if not done:
                        size = response.headers.get("Content-Length")
                        on_size(int(size) if size else None)
                    over = done if response.status_code == HTTPStatus.OK else 0
                    for piece in response.iter_raw():
                        new, over = piece[over:], max(0, over - len(piece))
                        done += len(new)
                        yield new
                    return
            except (httpx.RequestError, _BusyError) as error:
                attempt = 0 if done > before else attempt + 1
                reason = str(error) if isinstance(error, _BusyError) else told(error)
                if attempt == patience.attempts:
                    raise patience.given_up("hand out the rejected rows", reason) from None
                patience.wait(max(0, attempt - 1), reason)


def write_whole(path: Path, content: Iterator[bytes], on_progress: Callable[[int], None]) -> int:
    """Write a file whole or not at all; returns its size in bytes."""
    beside = path.with_name(f".{path.name}.part")
    size = 0
    try:
        with beside.open("wb") as file:
            for piece in content:
                file.write(piece)
                size += len(piece)
                on_progress(size)
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
    return size


class _BusyError(Exception):
    """Whoever has it is busy."""


def _check(response: httpx.Response) -> None:
    status = f"{response.status_code} {response.reason_phrase}"
    if response.status_code in AGAIN:
        raise _BusyError(status)
    if not response.is_success:
        hint = "the address may have expired, or the file is not kept any more: ask for it again"
        raise CommandError(f"the rejected rows cannot be fetched: {status}", hint=hint)
