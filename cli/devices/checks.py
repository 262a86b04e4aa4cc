"""Checks of a device before it is made."""

import re
from typing import TYPE_CHECKING

from afluente.application.access.tenants import boundaries_crossed, owner_of
from afluente.domain.stream_keys import part_faults
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from cli.access.stores import tenants_of
from cli.access.tenants import find_tenant
from cli.core.errors import CommandError, ExitCode
from cli.core.target import Target

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


def check_name(name: str) -> None:
    """Check the name of a device.

    Raises:
        CommandError: no device can have it.
    """
    if not _THING_NAME.fullmatch(name) or part_faults("source_id", name):
        raise CommandError(
            f"'{name}' cannot be the name of a device",
            hint="1 to 128 letters, digits, ':', '_' and '-'; it is the source of the device's points",
            code=ExitCode.USAGE,
        )


def check_stream_type(stream_type: str | None) -> None:
    """Check the stream type of a device's points.

    Raises:
        CommandError: no point can have it.
    """
    faults = part_faults("stream_type", stream_type) if stream_type is not None else ()
    if faults:
        raise CommandError(
            f"'{stream_type}' is no stream type: it {'; '.join(fault.message for fault in faults)}",
            hint="such as temperature; constraints are written for the streams of a type",
            code=ExitCode.USAGE,
        )


def check_boundary(target: Target, name: str, domain: str, tenant: str | None, *, legacy: bool) -> None:
    """Check that a device publishes for sources of its tenant alone, or of nobody.

    Raises:
        CommandError: it would cross the boundary of a tenant.
    """
    tenants = list(tenants_of(target).list())
    wanted = find_tenant(target, tenant) if tenant is not None else None
    owner = owner_of(domain, name, tenants)
    if owner != wanted:
        of_owner = (
            f"lies within the boundary of the tenant '{owner.name}'" if owner else "lies within no tenant's boundary"
        )
        raise CommandError(
            f"the source {domain}/{name} {of_owner}" + (f", not within that of '{wanted.name}'" if wanted else ""),
            hint=f"say --tenant {owner.name}, or choose another name"
            if owner
            else "'afluente tenants list' shows them",
            code=ExitCode.USAGE,
        )
    crossed = boundaries_crossed(domain, wanted, tenants) if legacy else []
    if crossed:
        raise CommandError(
            f"with --legacy a device may publish readings of every sensor of '{domain}', also across the boundary of "
            + ", ".join(f"'{one.name}'" for one in crossed),
            hint="leave --legacy out; a tenant may have such devices whose own the whole domain is, with --tenant",
            code=ExitCode.USAGE,
        )


def policies_of(target: Target, domain: str, *, legacy: bool) -> list[str]:
    """The IoT policies of a device: one for its own topics, one for legacy topics.

    Raises:
        CommandError: the stage has no such domain, or takes no legacy devices.
    """
    if not legacy:
        _check_domain(target, domain)
        return [target["IotPolicy"]]
    if domain != LEGACY_DOMAIN:
        raise CommandError(
            f"legacy devices are of the domain '{LEGACY_DOMAIN}', not '{domain}'",
            hint="leave --domain or --legacy out",
            code=ExitCode.USAGE,
        )
    if "LegacyIotPolicy" not in target.outputs:
        raise CommandError(
            f"stage '{target.name}' does not accept legacy devices",
            hint="set enable_legacy_mqtt = true in the stage's file and deploy it again",
            code=ExitCode.USAGE,
        )
    # Its own topics too, where the stage has them: then the device moves without another certificate.
    return [target.outputs[name] for name in ("LegacyIotPolicy", "IotPolicy") if name in target.outputs]


def _check_domain(target: Target, domain: str) -> None:
    iot: IoTClient = target.client("iot")
    prefix = f"afluente_{target.name.replace('-', '_')}_"
    pages = iot.get_paginator("list_topic_rules").paginate()
    rules = {rule["ruleName"] for page in pages for rule in page["rules"]}
    if prefix + domain.replace("-", "_") not in rules:
        # No domain begins with a capital letter; the rule of old devices does.
        names = [rule.removeprefix(prefix) for rule in rules if rule.startswith(prefix)]
        domains = ", ".join(sorted(name for name in names if name[:1].islower()))
        raise CommandError(
            f"no topic rule takes what is published in the domain '{domain}'; there are {domains or 'none'}",
            hint=f"'afluente domains add {domain}' opens one; its stage has enable_mqtt_multi_domain = true",
            code=ExitCode.USAGE,
        )
