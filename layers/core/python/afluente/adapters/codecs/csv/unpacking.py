"""Packed files as streams of their contents."""

import gzip
import zlib
from typing import BinaryIO, cast

from backports import zstd

from afluente.application.csv.faults import JobFault, NotReadableError


def is_packed(name: str) -> bool:
    """Tell whether a file of this name is packed."""
    return name.lower().endswith((".gz", ".zst"))


def open_unpacked(file: BinaryIO, name: str) -> BinaryIO:
    """Unpack a file of gzip or zstd, by the end of its name; open any other as it is.

    Reading from it raises `NotReadableError` where the archive is damaged or was cut off.
    """
    if name.lower().endswith(".gz"):
        return cast("BinaryIO", _Unpacked(gzip.GzipFile(fileobj=file), "gzip"))
    if name.lower().endswith(".zst"):
        return cast("BinaryIO", _Unpacked(zstd.ZstdFile(file), "zstd"))
    return file


class _Unpacked:
    def __init__(self, reader: gzip.GzipFile | zstd.ZstdFile, form: str) -> None:
        self._reader = reader
        self._form = form
        self._read = 0

    def read(self, size: int) -> bytes:
        try:
            # Not more than is at hand, so that the bytes before damage are not lost with it.
            data = self._reader.read1(size)
        except (gzip.BadGzipFile, EOFError, zlib.error, zstd.ZstdError) as error:
            message = (
                f"the file is named as {self._form} and is not, or is damaged or was cut off after "
                f"{self._read} bytes unpacked ({error}); send it whole"
            )
            raise NotReadableError(JobFault.DAMAGED_ARCHIVE, message) from error
        self._read += len(data)
        return data

    def close(self) -> None:
        self._reader.close()
