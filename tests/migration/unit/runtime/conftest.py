"""The log of the runtime."""

from tests.unit.runtime.conftest import log

__all__ = ["log"]
