"""Keeps the code of deployed functions and layers equal to the checkout's, without a deployment of the stacks."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.core.aws import Connection
from cli.core.errors import CommandError
from cli.local_stack.archives import lambda_sha256
from cli.local_stack.assembly import Assembly, Asset
from cli.local_stack.cloudformation import physical_ids

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_POLL_SECONDS = 0.02
_UPDATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _DeployedLayer:
    """A layer of the stack: its name and the asset it is made from."""

    name: str
    asset: Asset


def update(connection: Connection, assembly: Assembly) -> list[str]:
    """Give every function and layer whose asset is a folder of the checkout the code that lies there now.

    Compares with what is deployed, so it may be called at any time.

    Returns:
        The names of the functions that changed.
    """
    client: LambdaClient = connection.client("lambda")
    stacks = [(stack, physical_ids(connection, stack.name)) for stack in assembly.stacks]
    functions = {
        ids[logical_id]: assembly.assets[properties["Code"]["S3Key"]]
        for stack, ids in stacks
        for logical_id, properties in stack.resources("AWS::Lambda::Function")
    }
    layers = [
        _DeployedLayer(_name_of_layer(ids[logical_id]), assembly.assets[properties["Content"]["S3Key"]])
        for stack, ids in stacks
        for logical_id, properties in stack.resources("AWS::Lambda::LayerVersion")
    ]
    changed = [name for name, asset in functions.items() if _update_code(client, name, asset)]
    _wait_until_updated(client, changed)
    relayered = [name for name in functions if _update_layers(client, name, layers)]
    _wait_until_updated(client, relayered)
    return sorted({*changed, *relayered})


def _update_code(client: "LambdaClient", function: str, asset: Asset) -> bool:
    if not asset.is_live:
        return False
    deployed = client.get_function_configuration(FunctionName=function)["CodeSha256"]
    if deployed == lambda_sha256(asset.content):
        return False
    client.update_function_code(FunctionName=function, ZipFile=asset.content)
    return True


def _update_layers(client: "LambdaClient", function: str, layers: Sequence[_DeployedLayer]) -> bool:
    attached = [layer["Arn"] for layer in client.get_function_configuration(FunctionName=function).get("Layers", [])]
    wanted = [_current_version(client, arn, layers) for arn in attached]
    if wanted == attached:
        return False
    client.update_function_configuration(FunctionName=function, Layers=wanted)
    return True


def _current_version(client: "LambdaClient", attached: str, layers: Sequence[_DeployedLayer]) -> str:
    """The version of the attached layer that holds the checkout's code; published if there is none yet."""
    layer = next((layer for layer in layers if layer.name == _name_of_layer(attached)), None)
    if layer is None or not layer.asset.is_live:
        return attached
    wanted = lambda_sha256(layer.asset.content)
    for arn in (attached, *_newest_version(client, layer.name)):
        if client.get_layer_version_by_arn(Arn=arn)["Content"]["CodeSha256"] == wanted:
            return arn
    published = client.publish_layer_version(LayerName=layer.name, Content={"ZipFile": layer.asset.content})
    return published["LayerVersionArn"]


def _newest_version(client: "LambdaClient", layer: str) -> list[str]:
    versions = client.list_layer_versions(LayerName=layer, MaxItems=1)["LayerVersions"]
    return [version["LayerVersionArn"] for version in versions]


def _name_of_layer(version_arn: str) -> str:
    # arn:aws:lambda:{region}:{account}:layer:{name}:{version}
    return version_arn.split(":")[6]


def _wait_until_updated(client: "LambdaClient", functions: Sequence[str]) -> None:
    deadline = time.monotonic() + _UPDATE_SECONDS
    for function in functions:
        while client.get_function_configuration(FunctionName=function).get("LastUpdateStatus") == "InProgress":
            if time.monotonic() > deadline:
                raise CommandError(
                    f"function {function} is still being updated after {_UPDATE_SECONDS:.0f} s",
                    hint="'afluente down' and 'afluente up' start afresh",
                )
            time.sleep(_POLL_SECONDS)
