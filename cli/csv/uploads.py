"""Uploads to S3, whole or in parts, to addresses that the service signed."""

import html
import os
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import httpx

from cli.core.errors import CommandError
from cli.core.http import RETRIED, request_until_answered
from cli.core.retry import Retry
from cli.csv.client import MultipartUpload, WholeUpload
from cli.csv.files import LocalFile

_CHUNK_BYTES = 128 * 1024
# S3 puts many parts together for minutes, with a sign of life now and then.
_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
Answered = TypeVar("Answered")

_SENT_TOO_SLOWLY = "RequestTimeout"
"""Code of S3 for a body that stopped coming, with the status 400."""


class Uploader:
    """Sends files to S3; open for a block.

    A request without an answer is retried: the whole file, or the part.

    Args:
        use_proxies: whether the user's proxy settings count; not for the local stack.
        retry: how often a request is tried, and with which pauses.
    """

    def __init__(self, *, use_proxies: bool, retry: Retry | None = None) -> None:
        # The addresses are signed: nothing else says who sends, and no key of ours goes there.
        self._client = httpx.Client(headers={"User-Agent": "afluente-cli"}, timeout=_TIMEOUT, trust_env=use_proxies)
        self._retry = retry or Retry()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(
        self,
        file: LocalFile,
        upload: WholeUpload | MultipartUpload,
        on_progress: Callable[[int], None],
        *,
        renewed: Callable[[], WholeUpload | MultipartUpload],
    ) -> None:
        """Send a file.

        Args:
            file: to be sent.
            upload: its addresses.
            on_progress: called with the bytes that are sent; fewer than before when some are sent again.
            renewed: gives the same upload new addresses, once those of its parts have expired.

        Raises:
            CommandError: S3 refuses it or does not answer, or it is changed meanwhile.
        """
        with file.path.open("rb") as content:
            if os.fstat(content.fileno()).st_size != file.size:
                raise _changed(file)
            if isinstance(upload, WholeUpload):
                self._put(upload.url, lambda: _pieces(file, content, 0, file.size, on_progress), file.size)
            else:
                self._send_parts(_Parts(upload, renewed), file, content, on_progress)
            if os.fstat(content.fileno()).st_size != file.size:
                raise _changed(file)

    def abort(self, upload: WholeUpload | MultipartUpload) -> None:
        """Delete the parts of an upload that was not finished.

        Raises:
            CommandError: S3 refuses it or does not answer.
        """
        # A file that is sent whole is stored whole or not at all.
        if isinstance(upload, MultipartUpload):
            response = request_until_answered(
                Retry(attempts=1), lambda: self._client.delete(upload.abort_url), "end the upload"
            )
            if not response.is_success and response.status_code != HTTPStatus.NOT_FOUND:
                raise _refusal(response)

    def _send_parts(
        self, parts: "_Parts", file: LocalFile, content: BinaryIO, on_progress: Callable[[int], None]
    ) -> None:
        tags = []
        part_bytes = parts.upload.part_bytes
        for number in range(len(parts.upload.part_urls)):
            begin = number * part_bytes
            end = min(file.size, begin + part_bytes)

            def body(begin: int = begin, end: int = end) -> Iterator[bytes]:
                return _pieces(file, content, begin, end, on_progress)

            def put(number: int = number, begin: int = begin, end: int = end) -> httpx.Response:
                return self._put(parts.upload.part_urls[number], body, end - begin)

            tags.append(parts.while_valid(put).headers.get("ETag", ""))
        parts.while_valid(lambda: self._complete(parts.upload.complete_url, tags))

    def _put(self, url: str, body: Callable[[], Iterator[bytes]], size: int) -> httpx.Response:
        headers = {"Content-Length": str(size)}
        response = request_until_answered(
            self._retry,
            lambda: self._client.put(url, content=body(), headers=headers),
            "take the file",
            is_busy=_is_busy,
        )
        if not response.is_success:
            raise _refusal(response)
        return response

    def _complete(self, url: str, tags: list[str]) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(tag, quote=False)}</ETag></Part>"
            for number, tag in enumerate(tags, start=1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        asked = 0

        def ask() -> httpx.Response:
            nonlocal asked
            asked += 1
            return self._client.post(url, content=document, headers={"Content-Type": "application/xml"})

        response = request_until_answered(self._retry, ask, "put the parts together", is_busy=_is_busy)
        if asked > 1 and response.status_code == HTTPStatus.NOT_FOUND:
            return  # The answer was lost, not the request: the upload is complete, and therefore deleted.
        if not response.is_success or _element(response, "Code"):
            raise _refusal(response)


class _ExpiredError(CommandError):
    """An address that has expired, or was never valid."""


class _Parts:
    """An upload in parts, whose addresses are renewed once they have expired.

    Attributes:
        upload: with the newest addresses.
    """

    def __init__(self, upload: MultipartUpload, renewed: Callable[[], WholeUpload | MultipartUpload]) -> None:
        self.upload = upload
        self._renewed = renewed

    def while_valid(self, ask: Callable[[], Answered]) -> Answered:
        """Make a request, again with new addresses if the first had expired."""
        try:
            return ask()
        except _ExpiredError:
            renewed = self._renewed()
            if not isinstance(renewed, MultipartUpload):
                raise
            self.upload = renewed
            return ask()


def _pieces(
    file: LocalFile, content: BinaryIO, begin: int, end: int, on_progress: Callable[[int], None]
) -> Iterator[bytes]:
    content.seek(begin)
    on_progress(begin)
    while begin < end:
        piece = content.read(min(_CHUNK_BYTES, end - begin))
        if not piece:
            raise _changed(file)
        yield piece
        begin += len(piece)
        on_progress(begin)


def _is_busy(response: httpx.Response) -> bool:
    if response.status_code == HTTPStatus.BAD_REQUEST:
        return _element(response, "Code") == _SENT_TOO_SLOWLY
    # S3 begins to answer a completion before it has an outcome: an error may have the status 200.
    has_failed = response.is_success and _element(response, "Code") in {"InternalError", "SlowDown"}
    return has_failed or response.status_code in RETRIED


def _element(response: httpx.Response, name: str) -> str:
    """The text of an element of S3's error document; empty where there is none."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", response.text) if "<Error>" in response.text else None
    return html.unescape(found[1]) if found else ""


def _refusal(response: httpx.Response) -> CommandError:
    reason = " ".join(filter(None, (_element(response, "Message"), _element(response, "Code"))))
    status = f"{response.status_code} {response.reason_phrase}"
    message = f"S3 did not take the file: {status}{f': {reason}' if reason else ''}"
    if response.status_code == HTTPStatus.FORBIDDEN:
        return _ExpiredError(message, hint="the address to upload to may have expired: send the file again")
    return CommandError(message)


def _changed(file: LocalFile) -> CommandError:
    return CommandError(
        f"{file.path} is being changed: it has not {file.size:,} bytes any more",
        hint="send it when nobody writes to it",
    )
