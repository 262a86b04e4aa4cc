"""The folder that connects a device: its certificate, its private key, and the addresses of the broker."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from afluente.migration.domain.legacy_service import LEGACY_TOPIC
from cli.core.errors import CommandError, ExitCode
from cli.core.local_stack import find_emulator
from cli.core.state import write_document
from cli.core.target import Target

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

MQTT_PORT = 8883
"""Port of AWS IoT Core for MQTT with a client certificate."""

CONNECTION_FILE = "connection.json"

_PEM_MODE = 0o600


class DeviceConnection(msgspec.Struct, frozen=True):
    """The file `connection.json` in the folder of a device.

    Attributes:
        endpoint, port: of the broker.
        client_id: name of the device; it may connect by no other.
        domain, source_id: of its points.
        topic: of a stream, which stands for `{stream_id}`.
        old_topic: legacy topic of a sensor, which stands for `{sensor_id}`; None where the device may not use it.
        basic_ingest_topic: as `topic`, past the broker, where no message is billed; None where the stage has no such
            way.
        stream_type: of points that name none: what sends for the device adds it to them, so that the constraints of the
            type apply; None for none.
        certificate, private_key: files in the same folder.
        ca: file of the broker's certificate authority; None for one that systems know.
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
    basic_ingest_topic: str | None = None
    stream_type: str | None = None


def read_connection(folder: Path) -> DeviceConnection:
    """Read the connection from the folder of a device.

    Raises:
        CommandError: it is no such folder.
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


def connection_of(
    target: Target, name: str, domain: str, *, legacy: bool, stream_type: str | None = None
) -> DeviceConnection:
    """The connection of a device; `legacy` for one that may use the legacy topic."""
    endpoint, port = _broker(target)
    topic = f"{domain}/{name}/{{stream_id}}"
    return DeviceConnection(
        endpoint,
        port,
        client_id=name,
        domain=domain,
        source_id=name,
        topic=topic,
        ca="ca.pem" if target.is_local else None,
        old_topic=LEGACY_TOPIC if legacy else None,
        basic_ingest_topic=f"$aws/rules/{rule}/{topic}" if (rule := _direct_rule(target, domain)) else None,
        stream_type=stream_type,
    )


def _direct_rule(target: Target, domain: str) -> str | None:
    """The topic rule that devices of a domain may publish to; the policy cannot name that of a domain with a dash."""
    prefix = target.outputs.get("BasicIngestRulePrefix")
    return f"{prefix}{domain}" if prefix and "-" not in domain else None


def write_folder(folder: Path, files: Mapping[str, str], connection: DeviceConnection) -> None:
    """Write the folder of a device."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in files.items():
        file = folder / name
        file.touch(mode=_PEM_MODE)
        file.write_text(text)
    # Last: a folder with this file is complete.
    write_document(folder / CONNECTION_FILE, connection)


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a folder, as far as they are there."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def local_ca(target: Target) -> str:
    """The certificate of the local broker's authority."""
    import httpx  # noqa: PLC0415 - most commands need none

    answer = httpx.get(f"{target.connection.endpoint}/_ministack/iot/ca.pem", trust_env=False)
    return answer.raise_for_status().text


def _broker(target: Target) -> tuple[str, int]:
    if not target.is_local:
        iot: IoTClient = target.client("iot")
        return iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"], MQTT_PORT
    running = find_emulator(target.state)
    if running is None or running.mqtt_port is None:
        raise CommandError("the local stack has no MQTT broker", hint="run 'afluente down' and 'afluente up'")
    return "localhost", running.mqtt_port
