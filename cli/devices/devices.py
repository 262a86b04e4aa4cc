"""Devices of a stage: things of AWS IoT Core with their certificates."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from afluente.application.access.tenants import Tenant, owner_of
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from cli.access.stores import tenants_of
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import find_emulator
from cli.core.target import Target
from cli.devices.checks import check_boundary, check_name, check_stream_type, policies_of
from cli.devices.connection import (
    CONNECTION_FILE,
    DeviceConnection,
    connection_of,
    local_ca,
    remove_files,
    write_folder,
)

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient


class Device(msgspec.Struct, frozen=True):
    """A device of a stage.

    Attributes:
        name: of the thing, which is the source of its points.
        domain: of its points.
        certificates: state of each, by id.
        legacy: whether it may publish to legacy topics too.
    """

    name: str
    domain: str
    certificates: dict[str, str]
    legacy: bool = False

    @property
    def is_active(self) -> bool:
        """True of a device that may connect."""
        return "ACTIVE" in self.certificates.values()


def domain_of(given: str | None, *, legacy: bool) -> str:
    """The domain of a new device; that of the legacy service for a legacy device without one.

    Raises:
        CommandError: none is given.
    """
    if given is not None:
        return given
    if legacy:
        return LEGACY_DOMAIN
    raise CommandError("a device has a domain", hint="say which with --domain, such as iot", code=ExitCode.USAGE)


def create(
    target: Target,
    name: str,
    domain: str,
    folder: Path,
    *,
    legacy: bool = False,
    tenant: str | None = None,
    stream_type: str | None = None,
) -> DeviceConnection:
    """Make a device, and write the folder that connects it; one whose certificates are revoked gets a new one.

    Args:
        target: the stage.
        name: of the device, and of the source of its points.
        domain: of its points.
        folder: for its files.
        legacy: whether it may publish to legacy topics too.
        tenant: the customer that it is for; None for nobody.
        stream_type: of points that name none; None for none.

    Raises:
        CommandError: the name, the type or the domain is not allowed, the device or the folder exists, or it would
            publish across the boundary of another tenant. Nothing is left half made.
    """
    check_name(name)
    check_stream_type(stream_type)
    check_boundary(target, name, domain, tenant, legacy=legacy)
    policies = policies_of(target, domain, legacy=legacy)
    if folder.exists() and any(folder.iterdir()):
        raise CommandError(f"{folder} is not empty", hint="choose another with --dir", code=ExitCode.USAGE)
    iot: IoTClient = target.client("iot")
    attributes = {"domain": domain, "stage": target.name, **({"legacy": "true"} if legacy else {})}
    present = _find(iot, name)
    if present is not None:
        _check_present(iot, name, present, attributes)
    with ExitStack() as undo:
        if present is None:
            iot.create_thing(thingName=name, attributePayload={"attributes": attributes})
            undo.callback(iot.delete_thing, thingName=name)
        made = iot.create_keys_and_certificate(setAsActive=True)
        undo.callback(_delete_certificate, iot, made["certificateId"])
        iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
        undo.callback(iot.detach_thing_principal, thingName=name, principal=made["certificateArn"])
        for policy in policies:
            iot.attach_policy(policyName=policy, target=made["certificateArn"])
        connection = connection_of(target, name, domain, legacy=legacy, stream_type=stream_type)
        files = {
            connection.certificate: made["certificatePem"],
            connection.private_key: made["keyPair"]["PrivateKey"],
            **({connection.ca: local_ca(target)} if connection.ca else {}),
        }
        undo.callback(remove_files, folder, files)
        write_folder(folder, files, connection)
        undo.pop_all()
        return connection


def devices(target: Target) -> Iterator[Device]:
    """The devices of the stage, by name."""
    iot: IoTClient = target.client("iot")
    pages = iot.get_paginator("list_things").paginate(attributeName="stage", attributeValue=target.name)
    found = {thing["thingName"]: thing["attributes"] for page in pages for thing in page["things"]}
    for name, its in sorted(found.items()):
        certificates = {one: _status(iot, one) for one in _certificates(iot, name)}
        yield Device(name, its["domain"], certificates, legacy="legacy" in its)


def active_devices(target: Target, tenant: Tenant) -> list[str]:
    """The names of those devices of a tenant that may publish."""
    return [one.name for one in devices(target) if one.is_active and tenant.owns(one.domain, one.name)]


def active_legacy_devices(target: Target) -> list[str]:
    """The names of those devices that may publish as devices of the legacy service do, for every sensor."""
    return [one.name for one in devices(target) if one.is_active and one.legacy]


def revoke(target: Target, name: str) -> int:
    """Revoke the certificates of a device; returns their number.

    Raises:
        CommandError: there is no such device in the stage.
    """
    iot: IoTClient = target.client("iot")
    if (_find(iot, name) or {}).get("stage") != target.name:
        raise CommandError(f"there is no device '{name}'", hint="'afluente devices list' shows which are")
    certificates = _certificates(iot, name)
    for certificate in certificates:
        iot.update_certificate(certificateId=certificate, newStatus="REVOKED")
    return len(certificates)


def device_for(target: Target, domain: str, source: str, *, legacy: bool = False) -> Path:
    """The folder of the local stack's device for a source, which is made if there is none.

    Raises:
        CommandError: the deployment is not the local stack, or no device can have the name of the source.
    """
    if not target.is_local:
        raise CommandError(
            "a device is needed",
            hint="give its folder with --device; 'afluente devices create' makes one",
            code=ExitCode.USAGE,
        )
    running = find_emulator(target.state)
    # A device ends with the emulator that holds it.
    folder = target.state.path / "devices" / (running.token if running else "") / domain / source
    if not (folder / CONNECTION_FILE).exists():
        owner = owner_of(domain, source, tenants_of(target).list())
        create(target, source, domain, folder, legacy=legacy, tenant=owner.name if owner else None)
    return folder


def _find(iot: "IoTClient", name: str) -> Mapping[str, str] | None:
    """The attributes of a thing; None where there is none."""
    try:
        return iot.describe_thing(thingName=name)["attributes"]
    except iot.exceptions.ResourceNotFoundException:
        return None


def _check_present(iot: "IoTClient", name: str, present: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Check that a thing which exists is the same device, without an active certificate."""
    for attribute, value in wanted.items():
        if present.get(attribute) != value:
            raise CommandError(
                f"there is a thing '{name}' already, of the {attribute} '{present.get(attribute, '')}'",
                hint="choose another name",
            )
    if any(_status(iot, one) == "ACTIVE" for one in _certificates(iot, name)):
        raise CommandError(
            f"there is a device '{name}' already",
            hint=f"if its private key is lost, run 'afluente devices revoke {name}' and create it again",
        )


def _delete_certificate(iot: "IoTClient", certificate: str) -> None:
    iot.update_certificate(certificateId=certificate, newStatus="INACTIVE")
    # Its policies are detached with it; from its thing it has to be detached before.
    iot.delete_certificate(certificateId=certificate, forceDelete=True)


def _certificates(iot: "IoTClient", name: str) -> list[str]:
    """The ids of the certificates of a thing."""
    principals = iot.list_thing_principals(thingName=name)["principals"]
    return [principal.rpartition("/")[2] for principal in principals if ":cert/" in principal]


def _status(iot: "IoTClient", certificate: str) -> str:
    return str(iot.describe_certificate(certificateId=certificate)["certificateDescription"]["status"])
