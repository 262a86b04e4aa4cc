"""Options of a CSV file from the command line: a file of options, and single ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from afluente.adapters.codecs.csv.options import option_faults
from cli.core.errors import CommandError, ExitCode


def chosen_options(file: Path | None, single: Sequence[str], own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The options of a file, replaced by single ones, `name=value`, and these by options of the command.

    A value is JSON where it is JSON (`10`, `true`, `["a","b"]`), else a string as it stands.

    Raises:
        CommandError: they are no options; it has all faults.
    """
    options = _of_file(file) if file else {}
    for text in single:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise CommandError(
                f"'{text}' is no option",
                hint="write --option name=value, such as --option timezone=Europe/Madrid",
                code=ExitCode.USAGE,
            )
        options[name.strip()] = _value(value)
    options |= own or {}
    faults = option_faults(options)
    if faults:
        lines = "".join(f"\n  {fault.field}: {fault.message}" for fault in faults)
        raise CommandError(f"the file cannot be read with these options:{lines}", code=ExitCode.USAGE)
    return options


def _of_file(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(
            f"{file} is no file of options: {error}",
            hint="'afluente csv inspect FILE --save OPTIONS.json' writes one",
            code=ExitCode.USAGE,
        ) from None


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
