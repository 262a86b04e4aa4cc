"""The presets of stages, and a stage by its file."""

import dataclasses
import platform
import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from infra.concurrency import PROD
from infra.limits import LOCAL_LIMITS, with_values
from infra.paths import stages_directory
from infra.stage import Stage


class StageError(ValueError):
    """A stage that does not exist or whose file holds a value that no deployment could have."""


def load_stage(name: str, directory: Path | None = None) -> Stage:
    """The preset of that name, with the values of `{directory}/{name}.toml` in their place if there is such a file.

    Without a directory it is the one of the checkout, or of AFLUENTE_STAGES_DIR.
    A file of a name that is no preset says with `preset = "dev"` which one it starts from.
    Raises `StageError` that names the field and the fault, with a hint.
    """
    file = (directory or stages_directory()) / f"{name}.toml"
    overrides = _read(file) if file.exists() else {}
    base = overrides.pop("preset", name)
    if base not in PRESETS:
        raise StageError(
            f"stage {base!r} is unknown: the presets are {', '.join(PRESETS)}; for a stage of your own "
            f'write {file} with `preset = "dev"` and the values that differ'
        )
    preset = PRESETS[base]()
    try:
        limits = with_values(preset.limits, overrides.pop("limits", {}))
        reserved = {**dataclasses.asdict(preset.reserved_concurrency), **overrides.pop("reserved_concurrency", {})}
        values = {
            **dataclasses.asdict(preset),
            **overrides,
            "name": name,
            "limits": limits,
            "reserved_concurrency": reserved,
        }
        return TypeAdapter(Stage).validate_python(values)
    except ValidationError as error:
        raise StageError(f"stage {name!r} ({file}): {_faults(error)}") from error
    except ValueError as error:
        raise StageError(f"stage {name!r} ({file}): {error}") from error


def local() -> Stage:
    """The stage of the emulator: runs as this machine does and keeps nothing."""
    return Stage(
        name="local",
        architecture="arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64",
        layer_target="host",
        classifier_timeout_seconds=10,
        # A little longer than the timeout, not six times: the emulator throttles no poll, and tests kill functions,
        # whose packs are to be retried soon.
        queue_visibility_seconds=12,
        csv_timeout_seconds=20,
        csv_visibility_seconds=22,
        record_format="gzip",
        # A laptop has few processors.
        csv_concurrency=3,
        csv_tenant_concurrency=2,
        log_retention_days=1,
        quarantine_retention_days=7,
        point_in_time_recovery=False,
        requests_per_second=100_000,
        limits=LOCAL_LIMITS,
    )


def dev() -> Stage:
    """A stage in a real account that may be deleted with all it holds."""
    return Stage(name="dev", architecture="arm64", log_retention_days=7)


def prod() -> Stage:
    """A stage whose data outlives mistakes."""
    return Stage(
        name="prod",
        architecture="arm64",
        log_lines="one",
        log_retention_days=90,
        deletion_protection=True,
        keep_data=True,
        customer_managed_key=True,
        reserved_concurrency=PROD,
    )


def migration() -> Stage:
    """A production stage with every transport off: they are switched on one after the other."""
    return dataclasses.replace(
        prod(),
        name="migration",
        enable_agnostic_api=False,
        enable_mqtt_multi_domain=False,
        enable_websocket_ingest=False,
        enable_csv_ingest=False,
        enable_legacy_api=False,
        enable_legacy_mqtt=False,
        use_agnostic_constraints=False,
    )


PRESETS = {"local": local, "dev": dev, "prod": prod, "migration": migration}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise StageError(f"{file} is no TOML: {error}") from error


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'stage'}: {fault['msg']}" for fault in error.errors()
    )
