"""Output of untrusted text: a terminal shows its control sequences and does not execute them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import msgspec
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from cli.core.errors import CommandError
from cli.core.output import SafeConsole, err, harmless, out, print_bytes, print_json
from cli.main import _show

EVIL = "a\x1b[2J\x1b]0;owned\x07b\x9b31mc\u202ed\r\x08\x7f\ud800"
SHOWN = "a\\x1b[2J\\x1b]0;owned\\x07b\\x9b31mc\\u202ed"
OBEYED = ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "\x7f")


class Terminal(io.TextIOWrapper):
    """Standard output that is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        self.flush()
        content = self.buffer
        assert isinstance(content, io.BytesIO)
        return content.getvalue().decode()


@contextmanager
def at_a_terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    with redirect_stdout(terminal), redirect_stderr(terminal):
        yield terminal


def test_text_of_others_is_shown_with_what_it_holds() -> None:
    assert harmless(EVIL) == SHOWN + "\\x0d\\x08\\x7f\\ud800"
    assert harmless("°C\tñ 日本 👍\n") == "°C\tñ 日本 👍\n"


def test_nothing_that_is_printed_is_obeyed() -> None:
    table = Table(EVIL)
    table.add_row(EVIL, style="red")
    with at_a_terminal() as terminal:
        for console in (out(), err()):
            console.print(EVIL, markup=False)
            console.print(Text(EVIL, style="bold"))
            console.print(table)
        _show(CommandError(EVIL, hint=EVIL))

    assert not [sign for sign in OBEYED if sign in terminal.shown()]
    assert SHOWN[:8] in terminal.shown()


def test_nor_are_the_names_at_bars_of_progress() -> None:
    screen = io.StringIO()
    console = SafeConsole(file=screen, force_terminal=True, width=200)
    with Progress(TextColumn("{task.description}", markup=False), console=console) as progress:
        progress.add_task(EVIL)

    assert not [sign for sign in OBEYED if sign in screen.getvalue()]
    assert "\\x1b]0;owned" in screen.getvalue()


def test_json_on_a_terminal_says_the_same_in_escapes() -> None:
    with at_a_terminal() as terminal:
        print_json({"name": EVIL.replace("\ud800", "")})

    assert not [sign for sign in OBEYED if sign in terminal.shown()]
    assert msgspec.json.decode(terminal.shown()) == {"name": EVIL.replace("\ud800", "")}


def test_a_file_of_others_is_harmless_on_a_terminal_and_whole_in_a_pipe() -> None:
    content = b"time,v\r\n\x1b]0;x\x07,\xff\n"
    with at_a_terminal() as terminal:
        print_bytes(content)
    assert terminal.shown() == "time,v\n\\x1b]0;x\\x07,\ufffd\n"

    piped = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(piped, encoding="utf-8")) as pipe:
        print_bytes(content)
    pipe.flush()
    assert piped.getvalue() == content
