"""ZIP archives whose bytes depend on nothing but the files in them, so that equal code has an equal hash."""

import base64
import hashlib
import io
import zipfile
from pathlib import Path

from cli.local_stack.sources import files_in

# The earliest time a ZIP entry can have.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16


def archive(folder: Path) -> bytes:
    """The files under `folder` as a ZIP archive, stored rather than compressed: it goes to this same machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for path in files_in(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = _READABLE_FILE
            file.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def lambda_sha256(content: bytes) -> str:
    """The hash of an archive as Lambda gives it (`CodeSha256`)."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
