"""Synthesis: from a stage to the cloud assembly that a deployment is made from."""

import json
import os
import sys
from pathlib import Path

from infra.layer_build import build_layers, target_of
from infra.node import use_node
from infra.paths import ROOT
from infra.presets import load_stage
from infra.stage import Stage


def synthesise(stage: Stage, outdir: Path) -> Path:
    """Write the cloud assembly of the stage to `outdir`: a template, a manifest and the assets of each stack.

    Needs no account, no credentials and, once the layers of third-party packages are built, no network.
    Raises `LayerBuildError`, `NodeNotFoundError`, and `FindingsError` if a template breaks a rule.
    """
    use_node()
    # The import starts Node.js, which has to be chosen before.
    from infra.assembly import assemble  # noqa: PLC0415

    return assemble(stage, build_layers(target_of(stage), legacy_sql=stage.reads_legacy_tables), outdir)


def main() -> None:
    """Synthesise the stage that the CDK toolkit asks for (`-c stage=dev`), to where it wants it."""
    # The interface between the toolkit and the program of cdk.json.
    context = json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}"))
    outdir = Path(os.environ.get("CDK_OUTDIR", ROOT / "cdk.out"))
    if "stage" not in context:
        sys.exit("no stage: say which with `-c stage=dev`, or use `make deploy STAGE=dev`")
    try:
        stage = load_stage(context["stage"])
        if stage.layer_target == "host":
            sys.exit(f"stage {stage.name!r} is for the emulator on this machine: `afluente up` deploys it")
        synthesise(stage, outdir)
    except (ValueError, RuntimeError) as error:
        # Each of ours says by itself what is wrong and what to do; the toolkit shows it.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
