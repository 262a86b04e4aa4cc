"""Devices of a stage: things of AWS IoT Core with their certificates, and the folders that connect them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from afluente.application.access.tenants import Tenant, boundaries_crossed, owner_of
from afluente.domain.stream_keys import part_faults
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN, LEGACY_TOPIC
from cli.access.stores import tenants_of
from cli.access.tenants import find_tenant
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import find_emulator
from cli.core.state import write_document
from cli.core.target import Target

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

MQTT_PORT = 8883
"""Of AWS IoT Core, for MQTT with a client certificate."""

CONNECTION_FILE = "connection.json"

_THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_PEM_MODE = 0o600


class DeviceConnection(msgspec.Struct, frozen=True):
    """How a device connects: the file `connection.json` of its folder.

    Attributes:
        endpoint, port: of the broker.
        client_id: the device's name; it may connect by no other.
        domain, source_id: whose points it publishes.
        topic: where to, with the stream for `{stream_id}`.
        old_topic: where to in the old service's way, with the sensor for `{sensor_id}`; None where it may not.
        certificate, private_key: files beside this one.
        ca: the file of the broker's authority; None for one that systems know.
    """

    endpoint: str
    port: int
    client_id: str
    domain: str
    source_id: str
    topic: str
    certificate: str = "certificate.pem"
    private_key: str = "private.key"
    ca: str | None = None
    old_topic: str | None = None


class Device(msgspec.Struct, frozen=True):
    """A device as the stage knows it.

    Attributes:
        name: of the thing, which is the source of its points.
        domain: of its points.
        certificates: each with its state, by id.
        legacy: whether it may publish in the old service's way too.
    """

    name: str
    domain: str
    certificates: dict[str, str]
    legacy: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it may connect."""
        return "ACTIVE" in self.certificates.values()


def create(
    target: Target, name: str, domain: str, folder: Path, *, legacy: bool = False, tenant: str | None = None
) -> DeviceConnection:
    """Make a device, and write the folder that connects it; one whose certificates are revoked gets a new one.

    Args:
        target: the stage that it is of.
        name: of the device, and the source of its points.
        domain: of its points.
        folder: where to write its files.
        legacy: whether it may publish in the old service's way too.
        tenant: the customer whose it is; None for nobody's.

    Raises:
        CommandError: the name or the domain cannot be, the device or the folder exists, or it would publish across
            the boundary of another tenant. Nothing is left half made.
    """
    _check_name(name)
    _check_boundary(target, name, domain, tenant, legacy=legacy)
    policies = _policies(target, domain, legacy=legacy)
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
        connection = _connection(target, name, domain, legacy=legacy)
        files = {
            connection.certificate: made["certificatePem"],
            connection.private_key: made["keyPair"]["PrivateKey"],
            **({connection.ca: _local_ca(target)} if connection.ca else {}),
        }
        undo.callback(_remove, folder, files)
        _write(folder, files, connection)
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
    """Take the certificates of a device back; gives back how many.

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


def read_connection(folder: Path) -> DeviceConnection:
    """What the folder of a device says of its connection.

    Raises:
        CommandError: it is none.
    """
    try:
        return msgspec.json.decode((folder / CONNECTION_FILE).read_bytes(), type=DeviceConnection)
    except FileNotFoundError:
        raise CommandError(
            f"{folder} is no folder of a device: it has no {CONNECTION_FILE}",
            hint="'afluente devices create' makes one",
            code=ExitCode.USAGE,
        ) from None
    except msgspec.DecodeError as error:
        raise CommandError(f"{folder / CONNECTION_FILE} is not as it was written: {error}") from None


def device_for(target: Target, domain: str, source: str, *, legacy: bool = False) -> Path:
    """The folder of a device of the local stack for a source, made on the way; `legacy` as `create` takes it.

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
    # A device ends with the emulator that knows it.
    folder = target.state.path / "devices" / (running.token if running else "") / domain / source
    if not (folder / CONNECTION_FILE).exists():
        owner = owner_of(domain, source, tenants_of(target).list())
        create(target, source, domain, folder, legacy=legacy, tenant=owner.name if owner else None)
    return folder


def _check_name(name: str) -> None:
    if not _THING_NAME.fullmatch(name) or part_faults("source_id", name):
        raise CommandError(
            f"'{name}' cannot be the name of a device",
            hint="1 to 128 letters, digits, ':', '_' and '-'; it is the source of the device's points",
            code=ExitCode.USAGE,
        )


def _check_boundary(target: Target, name: str, domain: str, tenant: str | None, *, legacy: bool) -> None:
    """See that a device publishes for sources of its tenant alone, or of nobody."""
    tenants = list(tenants_of(target).list())
    whose = find_tenant(target, tenant) if tenant is not None else None
    owner = owner_of(domain, name, tenants)
    if owner != whose:
        of_owner = (
            f"lies within the boundary of the tenant '{owner.name}'" if owner else "lies within no tenant's boundary"
        )
        raise CommandError(
            f"the source {domain}/{name} {of_owner}" + (f", not within that of '{whose.name}'" if whose else ""),
            hint=f"say --tenant {owner.name}, or choose another name"
            if owner
            else "'afluente tenants list' shows them",
            code=ExitCode.USAGE,
        )
    in_the_way = boundaries_crossed(domain, whose, tenants) if legacy else []
    if in_the_way:
        raise CommandError(
            f"with --legacy a device may publish readings of every sensor of '{domain}', also across the boundary of "
            + ", ".join(f"'{one.name}'" for one in in_the_way),
            hint="leave --legacy out; a tenant may have such devices whose own the whole domain is, with --tenant",
            code=ExitCode.USAGE,
        )


def _policies(target: Target, domain: str, *, legacy: bool) -> list[str]:
    """The policies of a device: one for each way in which it may publish."""
    if not legacy:
        _check_domain(target, domain)
        return [target["IotPolicy"]]
    if domain != LEGACY_DOMAIN:
        raise CommandError(
            f"devices of the old service are of the domain '{LEGACY_DOMAIN}', not '{domain}'",
            hint="leave --domain or --legacy out",
            code=ExitCode.USAGE,
        )
    if "LegacyIotPolicy" not in target.outputs:
        raise CommandError(
            f"stage '{target.name}' does not take what devices of the old service publish",
            hint="set enable_legacy_mqtt = true in the stage's file and deploy it again",
            code=ExitCode.USAGE,
        )
    # The new way as well, where the stage has it: then the device moves without another certificate.
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


def _find(iot: "IoTClient", name: str) -> Mapping[str, str] | None:
    """The attributes of a thing; None where there is none."""
    try:
        return iot.describe_thing(thingName=name)["attributes"]
    except iot.exceptions.ResourceNotFoundException:
        return None


def _check_present(iot: "IoTClient", name: str, present: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """See that what is there already is a device that lacks a certificate alone."""
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
    # With its policies; from its thing it has to be detached before.
    iot.delete_certificate(certificateId=certificate, forceDelete=True)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _certificates(iot: "IoTClient", name: str) -> list[str]:
    """The ids of the certificates of a thing."""
    principals = iot.list_thing_principals(thingName=name)["principals"]
    return [principal.rpartition("/")[2] for principal in principals if ":cert/" in principal]


def _status(iot: "IoTClient", certificate: str) -> str:
    return str(iot.describe_certificate(certificateId=certificate)["certificateDescription"]["status"])


def _connection(target: Target, name: str, domain: str, *, legacy: bool) -> DeviceConnection:
    endpoint, port = _broker(target)
    return DeviceConnection(
        endpoint,
        port,
        client_id=name,
        domain=domain,
        source_id=name,
        topic=f"{domain}/{name}/{{stream_id}}",
        ca="ca.pem" if target.is_local else None,
        old_topic=LEGACY_TOPIC if legacy else None,
    )


def _write(folder: Path, files: Mapping[str, str], connection: DeviceConnection) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in files.items():
        file = folder / name
        file.touch(mode=_PEM_MODE)
        file.write_text(text)
    # Last: a folder that has this file has all.
    write_document(folder / CONNECTION_FILE, connection)


def _broker(target: Target) -> tuple[str, int]:
    if not target.is_local:
        iot: IoTClient = target.client("iot")
        return iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"], MQTT_PORT
    running = find_emulator(target.state)
    if running is None or running.mqtt_port is None:
        raise CommandError("the local stack has no MQTT broker", hint="run 'afluente down' and 'afluente up'")
    return "localhost", running.mqtt_port


def _local_ca(target: Target) -> str:
    import httpx  # noqa: PLC0415 - most commands need none

    answer = httpx.get(f"{target.connection.endpoint}/_ministack/iot/ca.pem", trust_env=False)
    return answer.raise_for_status().text
