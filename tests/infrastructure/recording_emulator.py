"""An emulator that records each decision about the permissions of a role: `python -m … FILE`.

A plain one, without AWS's limits: permissions are decided before any quota, and every call has to go through.

Each line of the file is a JSON array: the ARN of the caller, the action, the resource, and what was decided.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main(record: Path) -> None:
    """Run the emulator until it is stopped."""
    # Imported only now: it reads its settings on import.
    from ministack import app  # noqa: PLC0415
    from ministack.core import iam_evaluator  # noqa: PLC0415

    evaluate = iam_evaluator.evaluate

    def evaluate_and_record(context: Any, *policies: Any) -> Any:
        decided = evaluate(context, *policies)
        line = [context.principal_arn, context.action, context.resource_arn, decided.decision]
        with record.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")
        return decided

    iam_evaluator.evaluate = evaluate_and_record
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
