"""`afluente devices …`: devices that publish over MQTT."""

from pathlib import Path
from typing import Annotated

import typer

from cli.core.options import targeted
from cli.core.output import err, out, print_json
from cli.core.target import TargetChoice, resolve

_JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]

app = typer.Typer(help="Give devices certificates to publish over MQTT, and revoke them.", no_args_is_help=True)


@app.command()
@targeted
def create(
    *,
    target: TargetChoice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the device; it is the source of its points.")],
    domain: Annotated[
        str | None, typer.Option("--domain", help="Domain of its points, such as iot; with --legacy it is iot.")
    ] = None,
    legacy: Annotated[
        bool, typer.Option("--legacy", help="It may also publish to the topics of a legacy IoT service.")
    ] = False,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="NAME", help="The customer that it is for, where the deployment has several."),
    ] = None,
    stream_type: Annotated[
        str | None,
        typer.Option("--stream-type", metavar="TYPE", help="Type of its points that name none, such as temperature."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where to write its files; by default devices/NAME.", file_okay=False)
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Make a device with a certificate, and write the folder that it connects with.

    The folder has certificate.pem, private.key and connection.json; for the local stack also ca.pem. The private key is
    nowhere else: if it is lost, revoke the device and create it again. The device may publish to DOMAIN/NAME/STREAM
    and do nothing else; with --legacy also to iot/sensors/SENSOR/readings, of any sensor.

    Constraints for the streams of a type apply to points that name it. --stream-type is written into connection.json:
    'afluente send mqtt' and the example device add it to what names none, in SenML as the field stream_type.

    Where the deployment has tenants, NAME has to lie within the boundary of the one that --tenant says, and a device
    without --tenant within nobody's.

    [dim]Example:[/]  afluente devices create oven-1 --domain iot --stream-type temperature
    """
    from cli.devices import devices

    where = folder or Path("devices") / name
    its_domain = devices.domain_of(domain, legacy=legacy)
    connection = devices.create(
        resolve(target), name, its_domain, where, legacy=legacy, tenant=tenant, stream_type=stream_type
    )
    if as_json:
        print_json(connection)
        return
    err().print(f"keep {where / connection.private_key} safe: it is nowhere else", markup=False)
    out().print(
        f"made {name}: it connects to {connection.endpoint}:{connection.port} with the files in {where}",
        markup=False,
        soft_wrap=True,
    )


@app.command("list")
@targeted
def list_(*, target: TargetChoice, as_json: _JsonOption = False) -> None:
    """List the devices of the stage.

    [dim]Example:[/]  afluente devices list
    """
    from cli.devices import devices
    from cli.devices.rendering import devices_table

    found = list(devices.devices(resolve(target)))
    if as_json:
        print_json(found)
        return
    if not found:
        out().print("there are no devices; 'afluente devices create NAME --domain DOMAIN' makes one")
        return
    out().print(devices_table(found), markup=False)


@app.command()
@targeted
def revoke(
    *,
    target: TargetChoice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'afluente devices list' shows it.")],
) -> None:
    """Revoke the certificates of a device. It cannot connect any more; AWS ends an open connection within minutes.

    [dim]Example:[/]  afluente devices revoke oven-1
    """
    from cli.devices import devices

    count = devices.revoke(resolve(target), name)
    out().print(f"revoked {count} certificate(s) of {name}", markup=False)
