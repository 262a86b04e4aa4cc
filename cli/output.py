"""What people see: progress on standard error, results on standard output."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

# Where nobody looks, a line is not broken to fit a screen: `grep` finds it whole.
_PIPED_WIDTH = 250


def out() -> Console:
    """The console for results."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def err() -> Console:
    """The console for progress and errors, so that results can be piped."""
    return Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """Write one JSON document, one line, for a program to read."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


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
