"""Inputs of a sending: files and standard input."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.core.errors import CommandError, ExitCode
from cli.sending.inputs import Format, content_hash, open_input


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"{", Format.CSV),
        ("a.NDJSON", b"time", Format.NDJSON),
        ("a.jsonl", b"", Format.NDJSON),
        ("a", b'  {"a":1}', Format.NDJSON),
        ("a", b'\xef\xbb\xbf{"a":1}', Format.NDJSON),
        ("a.txt", b"time,a", Format.CSV),
        ("a.txt", b"", Format.CSV),
    ],
)
def test_the_format_is_what_the_name_or_else_the_beginning_says(
    tmp_path: Path, name: str, content: bytes, expected: Format
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with open_input(str(path)) as opened:
        assert opened.format() is expected


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftime,a\r\n1,2")
    with open_input(str(path)) as opened:
        assert opened.bytes_read() == 0
        lines = opened.lines()
        assert next(lines) == "time,a\r\n"
        assert opened.bytes_read() == opened.size == 14
        assert list(lines) == ["1,2"]
    assert opened.bytes_read() == 0


def test_text_that_is_not_utf_8_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("Öl".encode("latin-1"))
    with open_input(str(path)) as opened, pytest.raises(CommandError) as caught:
        list(opened.lines())
    assert caught.value.code is ExitCode.USAGE
    assert "iconv" in caught.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no file"), open_input(str(tmp_path / "none.csv")):
        pass


def test_standard_input_is_read() -> None:
    script = (
        "from cli.sending.inputs import open_input\n"
        "with open_input('-') as opened:\n"
        "    print(opened.format(), list(opened.lines()), opened.bytes_read(), opened.path)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b'{"a":1}\n', capture_output=True, check=True)
    assert done.stdout.decode().strip() == "ndjson ['{\"a\":1}\\n'] 0 None"


def test_a_hash_names_the_content_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    (tmp_path / "c").write_text("y")
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "b") != content_hash(tmp_path / "c")
