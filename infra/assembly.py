"""The stacks of a stage in one CDK app, synthesised to a cloud assembly."""

from pathlib import Path

from aws_cdk import App

from infra.checks import CONTEXT, FindingsError, check, findings
from infra.layer_build import LayerFolders
from infra.stacks.data import DataStack
from infra.stacks.service import ServiceStack
from infra.stage import Stage

# Here and not in cdk.json, so that the toolkit, the local stack and the tests get one template.
_FLAGS = {
    "@aws-cdk/core:enablePartitionLiterals": True,
    # The data stack cannot lose what the service stack still uses (docs/adr/0005-two-stacks-one-template.md).
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
}


def assemble(stage: Stage, layers: LayerFolders, outdir: Path) -> Path:
    """Write the cloud assembly of the stage; raises `FindingsError` if it breaks a rule without an acknowledgement."""
    app = new_app(outdir)
    add_stacks(app, stage, layers)
    return write(app)


def new_app(outdir: Path) -> App:
    """An app that writes its cloud assembly to `outdir`."""
    return App(outdir=str(outdir), post_cli_context={**CONTEXT, **_FLAGS})


def add_stacks(app: App, stage: Stage, layers: LayerFolders) -> tuple[DataStack, ServiceStack]:
    """Add the two stacks of the stage; their synthesis checks them."""
    data = DataStack(app, stage=stage)
    service = ServiceStack(app, stage=stage, data=data.stores, layers=layers)
    check(app)
    return data, service


def write(app: App) -> Path:
    """Write the cloud assembly; raises `FindingsError` if it breaks a rule without an acknowledgement."""
    assembly = Path(app.synth().directory)
    found = findings(assembly)
    if found:
        raise FindingsError(found)
    return assembly
