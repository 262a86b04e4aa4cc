"""Functions with memory in place of AWS, and their logs and metrics."""

from tests.unit.functions.conftest import counted, event, log

__all__ = ["counted", "event", "log"]
