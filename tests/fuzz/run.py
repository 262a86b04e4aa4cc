"""One campaign: `python -m tests.fuzz.run TARGET [options of libFuzzer] [corpus directories]`.

Ends with an error at the first input for which the target raises, takes too long or takes too much memory, and leaves
that input in a file.
"""

import resource
import sys

import atheris

MEMORY_BYTES = 2 * 1024**3
"""Of the whole process, libraries included: an input that takes more is a finding."""


def main() -> None:
    """Fuzz the target that the command line names."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["afluente", "cli.constraint_files", "cli.output", "multipart"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - it is instrumented as it is imported

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
