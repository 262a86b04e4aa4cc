"""Public test suites as data; README.md names their sources."""

import json
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


@cache
def json_cases() -> dict[str, bytes]:
    """The documents of JSONTestSuite by their names."""
    written: dict[str, Any] = json.loads((_FOLDER / "json_parsing.json").read_text(encoding="utf-8"))
    return {name: _bytes(case) for name, case in written.items()}


@cache
def naughty_strings() -> tuple[str, ...]:
    """The Big List of Naughty Strings, each once, and some more: escapes of terminals, ends of lines, formulas."""
    listed: list[str] = json.loads((_FOLDER / "naughty_strings.json").read_text(encoding="utf-8"))
    return tuple(dict.fromkeys([*listed, *_MORE]))


_MORE = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    'a\n{"level":"ERROR","code":"FORGED"}',
    "a\r\nX-Injected: yes",
    "\u2028\u2029",
    "\u202eexe.vsc",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "../../../../etc/passwd",
    "..\\..\\x",
    "%2e%2e%2f",
    "a\x00b",
    "$SYS/broker",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "é",
    "e\u0301",
    "x" * 128,
    "x" * 129,
    "\ufeff",
    "\U0010ffff",
)


def _bytes(case: Any) -> bytes:
    if isinstance(case, str):
        return case.encode()
    if "base64" in case:
        return b64decode(case["base64"])
    rest: str = case["rest"]
    return str(case["repeat"]).encode() * int(case["times"]) + rest.encode()
