"""Releases of the layer with a defect in them, deployed for a block: no code of afluente's own is there for it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cli.core.state import CHECKOUT
from cli.local_stack.archives import archive
from cli.operations.status import FUNCTIONS
from tests.stack import LocalStack

_LAYER = CHECKOUT / "layers" / "core"


class Defect(NamedTuple):
    """A change of one file of the layer's package.

    Attributes:
        file: below `afluente`.
        right: what is there, once.
        wrong: what is there instead.
    """

    file: str
    right: str
    wrong: str


@contextmanager
def released(stack: LocalStack, function: str, folder: Path, *defects: Defect) -> Iterator[None]:
    """Give a function a layer with defects for the block; its processes start anew, before and after.

    Args:
        stack: where the function is.
        function: by its package.
        folder: an empty one, for the defective code.
        defects: what is wrong with it.
    """
    client, name = stack.client("lambda"), stack.target[FUNCTIONS[function]]
    shutil.copytree(_LAYER, folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
    for defect in defects:
        _put(folder / "core" / "python" / "afluente" / defect.file, defect)
    before = [layer["Arn"] for layer in client.get_function_configuration(FunctionName=name)["Layers"]]
    (sound,) = [arn for arn in before if "core" in arn.split(":")[6]]
    published = client.publish_layer_version(
        LayerName=f"{sound.split(':')[6]}-defective", Content={"ZipFile": archive(folder / "core")}
    )
    defective = [published["LayerVersionArn"] if arn == sound else arn for arn in before]
    _attach(stack, name, defective)
    try:
        yield
    finally:
        stack.drained()
        _attach(stack, name, before)


def _put(file: Path, defect: Defect) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(defect.right) == 1, f"{defect.file} has changed: it does not have {defect.right!r} once"
    file.write_text(text.replace(defect.right, defect.wrong), encoding="utf-8")


def _attach(stack: LocalStack, name: str, layers: list[str]) -> None:
    client = stack.client("lambda")
    client.update_function_configuration(FunctionName=name, Layers=layers)
    stack.eventually(
        lambda: client.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful",
        f"{name} has its layers",
    )
