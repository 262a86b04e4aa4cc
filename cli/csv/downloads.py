"""Downloads of rejected rows."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpx

from afluente.application.csv.reports import JobReport
from cli.core.errors import CommandError
from cli.core.http import RETRIED, describe_error
from cli.core.output import err, print_bytes
from cli.core.retry import Busy, Retry
from cli.csv.progress import TransferProgress

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def rejects_url(report: JobReport) -> str | None:
    """The address of the rejected rows of a job; None where no row was rejected.

    Raises:
        CommandError: they are not there yet, or not any more.
    """
    if not report.status.is_final:
        raise CommandError(
            f"job {report.job_id} has not ended: it is {report.status.replace('_', ' ')}",
            hint=f"'afluente csv job {report.job_id} --watch' waits until it has",
        )
    if report.rejects_url is None and report.rows_rejected:
        raise CommandError(f"the {report.rows_rejected:,} rejected rows of job {report.job_id} are not kept any more")
    return report.rejects_url


def download(url: str, output: Path | None, *, use_proxies: bool) -> None:
    """Download rejected rows.

    Args:
        url: their address.
        output: the file to write, whole or not at all; None for standard output.
        use_proxies: whether the user's proxy settings count.

    Raises:
        CommandError: they cannot be fetched.
    """
    console = err()
    progress = TransferProgress(console, "fetching", "fetched")
    retry = Retry(progress.waiting)
    if output is None:
        for piece in pieces(url, use_proxies=use_proxies, on_size=lambda _size: None, retry=retry):
            print_bytes(piece)
        sys.stdout.flush()
        return
    name = str(output)
    with progress.shown():
        content = pieces(url, use_proxies=use_proxies, on_size=lambda size: progress.begin(name, size), retry=retry)
        size = write_whole(output, content, progress.moved)
    console.print(f"wrote {size:,} bytes to {name}", markup=False, soft_wrap=True)


def pieces(url: str, *, use_proxies: bool, on_size: Callable[[int | None], None], retry: Retry) -> Iterator[bytes]:
    """The content at an address, in pieces; a broken connection is resumed where it broke.

    Args:
        url: the address, which is signed.
        use_proxies: whether the user's proxy settings count.
        on_size: called with the size in bytes, None where it is not known.
        retry: how often it is tried without a piece in between, and with which pauses.

    Raises:
        CommandError: it cannot be fetched.
    """
    done, failures = 0, 0
    with httpx.Client(headers={"Accept-Encoding": "identity"}, timeout=_TIMEOUT, trust_env=use_proxies) as client:
        while True:
            before = done
            try:
                with client.stream("GET", url, headers={"Range": f"bytes={done}-"} if done else {}) as response:
                    _check(response)
                    if not done:
                        size = response.headers.get("Content-Length")
                        on_size(int(size) if size else None)
                    # An answer with the status 200 begins at the beginning, whatever range was asked for.
                    repeated = done if response.status_code == HTTPStatus.OK else 0
                    for piece in response.iter_raw():
                        new, repeated = piece[repeated:], max(0, repeated - len(piece))
                        done += len(new)
                        yield new
                    return
            except (httpx.RequestError, _BusyError) as error:
                failures = 0 if done > before else failures + 1
                reason = str(error) if isinstance(error, _BusyError) else describe_error(error)
                if failures == retry.attempts:
                    raise retry.given_up("hand out the rejected rows", reason) from None
                retry.wait(max(0, failures - 1), Busy(reason))


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
    """The store is busy."""


def _check(response: httpx.Response) -> None:
    status = f"{response.status_code} {response.reason_phrase}"
    if response.status_code in RETRIED:
        raise _BusyError(status)
    if not response.is_success:
        hint = "the address may have expired, or the file is not kept any more: ask for it again"
        raise CommandError(f"the rejected rows cannot be fetched: {status}", hint=hint)
