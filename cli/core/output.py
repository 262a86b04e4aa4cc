"""Console output: progress on standard error, results on standard output.

Names, units and messages of the service are untrusted: they might hold control sequences that clear the terminal,
rename its window or type for its user. All output goes through here, where such sequences are shown as escapes.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.segment import Segment

# Where nobody looks, a line is not broken to fit a screen: `grep` finds it whole.
_PIPED_WIDTH = 250

# Control characters but for ends of lines and tabs, signs that turn the direction of text, and lone surrogates.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Of those, the ones that JSON lets stand in a text.
_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class SafeConsole(Console):
    """Console that escapes untrusted control sequences."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        safe = (part if part.control else part._replace(text=harmless(part.text)) for part in buffer)
        return super()._render_buffer(safe)


def harmless(text: str) -> str:
    """Text with its control characters as visible escapes, such as backslash x1b."""
    return _OBEYED.sub(_visible, text)


def out() -> Console:
    """The console for results."""
    return SafeConsole(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def err() -> Console:
    """The console for progress and errors, so that results can be piped."""
    return SafeConsole(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """Write one JSON document, one line, for a program to read."""
    print_json_line(msgspec.json.encode(document).decode())
    sys.stdout.flush()


def print_json_line(line: str) -> None:
    """Write a line of JSON as it is; on a terminal with its control characters as JSON escapes."""
    sys.stdout.write((_IN_JSON.sub(_as_json_escape, line) if sys.stdout.isatty() else line) + "\n")


def print_bytes(piece: bytes) -> None:
    """Write the bytes of an untrusted file as they are; on a terminal with control characters as escapes."""
    if sys.stdout.isatty():
        sys.stdout.write(harmless(piece.decode("utf-8", "replace").replace("\r\n", "\n")))
    else:
        sys.stdout.buffer.write(piece)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show that `text` is going on, and how long it took: a spinner for people, a line each for logs."""
    console = err()
    started = time.monotonic()
    if console.is_terminal:
        with console.status(escape(text)):
            yield
        mark = "[green]✓[/]"
    else:
        yield
        mark = "-"
    console.print(f"{mark} {escape(text)} [dim]({time.monotonic() - started:.1f} s)[/]")


def _visible(sign: re.Match[str]) -> str:
    return f"\\x{ord(sign[0]):02x}" if sign[0].isascii() else sign[0].encode("ascii", "backslashreplace").decode()


def _as_json_escape(sign: re.Match[str]) -> str:
    return f"\\u{ord(sign[0]):04x}"
