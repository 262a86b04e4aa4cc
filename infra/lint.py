"""Templates held to the schemas of CloudFormation: `python -m infra.lint` runs cfn-lint on those of the presets."""

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from infra.layer_build import stand_in_layers
from infra.node import use_node
from infra.presets import PRESETS, prod
from infra.stage import Stage

IGNORED_RULES = {
    "W3005": "The CDK writes down dependencies that a reference implies too.",
    "W6001": "Outputs of the service stack name parts of the data stack: tools read the outputs of one stack.",
}
"""Rules of cfn-lint that the templates are not held to, each with the reason."""


def main() -> int:
    """Lint the templates of the presets, and of a stage with the options that no preset has; 0 if nothing is found."""
    use_node()
    stages = [*(preset() for preset in PRESETS.values()), _with_all_options()]
    with tempfile.TemporaryDirectory() as folder:
        templates = [template for stage in stages for template in _synthesise(stage, Path(folder) / stage.name)]
        return lint(templates, {stage.region for stage in stages})


def lint(templates: Sequence[Path], regions: Collection[str]) -> int:
    """Run cfn-lint, which prints its findings; 0 if it has neither errors nor warnings."""
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    options = ["--non-zero-exit-code", "warning", "--ignore-checks", *IGNORED_RULES, "--regions", *regions]
    done = subprocess.run([cfn_lint, *options, "--", *templates], check=False)  # noqa: S603 - fixed words, own files
    return done.returncode


def _with_all_options() -> Stage:
    return dataclasses.replace(
        prod(),
        name="all-options",
        use_agnostic_constraints=False,
        old_sql_secret="legacy-service/sql",  # noqa: S106 - its name
        old_sql_subnet_ids=("subnet-0123456789abcdef0",),
        old_sql_security_group_ids=("sg-0123456789abcdef0",),
        enable_waf=True,
        operations_email="operations@example.org",
    )


def _synthesise(stage: Stage, folder: Path) -> list[Path]:
    # The import starts Node.js, which has to be chosen before.
    from infra.assembly import assemble  # noqa: PLC0415

    layers = stand_in_layers(folder / "layers", legacy_sql=stage.reads_legacy_tables)
    return sorted(assemble(stage, layers, folder / "assembly").glob("*.template.json"))


if __name__ == "__main__":
    sys.exit(main())
