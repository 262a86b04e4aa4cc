"""Deployed functions whose calls to AWS go through a proxy that tests let fail."""

from tests.faults.conftest import classifier_calls, ingest_calls, new_run, ws_calls

__all__ = ["classifier_calls", "ingest_calls", "new_run", "ws_calls"]
