"""The wing's tests through the local stack, left to `make test-all` while the wing is as it was when they passed."""

import pytest

from tests.migration.fingerprint import is_known


def pytest_report_header() -> str | None:
    """Say which tests are left out."""
    if not is_known():
        return None
    return "migration: unchanged since its tests through the local stack passed; `make test-all` runs them again"


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "migration" in item.path.parts and item.get_closest_marker("integration") and is_known():
            item.add_marker(pytest.mark.exhaustive)
