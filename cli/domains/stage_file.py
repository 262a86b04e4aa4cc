"""Domains in the file of a stage."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from cli.core.errors import CommandError, ExitCode
from infra.paths import stages_directory
from infra.presets import StageError, load_stage

_HEAD = "Values of the stage that are not those of its preset; docs/how-to/deploy.md lists all."


def file_of(stage: str) -> Path:
    """Path of the file of a stage, whether it exists or not."""
    return stages_directory() / f"{stage}.toml"


def shown(stage: str) -> str:
    """The file of a stage, relative to the working directory if it lies below."""
    file, here = file_of(stage).absolute(), Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def open_domains(stage: str) -> tuple[str, ...]:
    """The domains that are open in a stage by its file.

    Raises:
        CommandError: there is no such stage, or its file has faults.
    """
    try:
        return load_stage(stage).domains
    except StageError as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from None


def check_domains(stage: str, domains: Sequence[str]) -> None:
    """Check that a stage could have these domains open, before anything is written.

    Raises:
        CommandError: it could not, or there is no such stage, or its file has faults.
    """
    try:
        dataclasses.replace(load_stage(stage), domains=tuple(domains))
    except StageError as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from None
    except ValidationError as error:
        faults = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise CommandError(f"stage '{stage}' cannot be so: {faults}", code=ExitCode.USAGE) from None


def write_domains(stage: str, domains: Sequence[str]) -> None:
    """Write the open domains into the file of a stage; everything else in it stays.

    Raises:
        CommandError: no stage could be so; the file is as it was.
    """
    file = file_of(stage)
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_with_domains(before, domains, file), encoding="utf-8")
    try:
        open_domains(stage)
    except CommandError:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")
        raise


def _with_domains(before: str | None, domains: Sequence[str], file: Path) -> str:
    try:
        document = tomlkit.parse(before or "")
    except TOMLKitError as error:
        raise CommandError(f"{file} is no TOML: {error}", code=ExitCode.USAGE) from None
    if before is None:
        document.add(tomlkit.comment(_HEAD))
    present = document.get("domains")
    if isinstance(present, Array):
        _change(present, domains)
    else:
        document["domains"] = list(domains)
    return tomlkit.dumps(document)


def _change(array: Array, domains: Sequence[str]) -> None:
    """In place, so that the comments of the array stay."""
    for index in reversed(range(len(array))):
        if array[index] not in domains:
            del array[index]
    for domain in domains:
        if domain not in array:
            array.append(domain)
