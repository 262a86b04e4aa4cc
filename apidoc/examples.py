"""Examples of each domain, as the clients of that domain would send them; tests send them to the service."""

from typing import Any

Example = dict[str, Any]

POINTS: dict[str, Example] = {
    "iot": {
        "domain": "iot",
        "source_id": "oven-1",
        "datapoints": [
            {
                "stream_id": "oven-1:temperature",
                "stream_type": "temperature",
                "value": 180.5,
                "timestamp": 1795492666,
                "sequence": 7,
            },
            {
                "stream_id": "oven-1:door",
                "stream_type": "state",
                "value": 1,
                "timestamp": 1795492666.25,
                "sequence": 8,
                "metadata": {"operator": "k.m.", "unit": "open"},
            },
        ],
    },
    "infrastructure": {
        "domain": "infrastructure",
        "source_id": "ec2-5f5533",
        "datapoints": [
            {
                "stream_id": "ec2-5f5533:cpu_utilization",
                "stream_type": "cpu_utilization",
                "value": 51.846,
                "timestamp": 1795492620,
                "metadata": {"unit": "percent", "region": "eu-west-1"},
            },
            {
                "stream_id": "ec2-5f5533:network_in",
                "stream_type": "network_in",
                "value": 5243880,
                "timestamp": 1795492620,
                "metadata": {"unit": "byte"},
            },
        ],
    },
    "finance": {
        "domain": "finance",
        "source_id": "XNAS",
        "datapoints": [
            {
                "stream_id": "MSFT:price",
                "stream_type": "price",
                "value": 39.81,
                "timestamp": 1795492666.114,
                "sequence": 88120031,
                "metadata": {"currency": "USD"},
            },
            {
                "stream_id": "MSFT:volume",
                "stream_type": "volume",
                "value": 1200,
                "timestamp": 1795492666.114,
                "sequence": 88120032,
            },
        ],
    },
    "health": {
        "domain": "health",
        "source_id": "patient-4711",
        "datapoints": [
            {
                "stream_id": "patient-4711:heart_rate",
                "stream_type": "heart_rate",
                "value": 72,
                "timestamp": 1795492666,
                "metadata": {"unit": "1/min", "device": "wrist"},
            },
            {
                "stream_id": "patient-4711:spo2",
                "stream_type": "spo2",
                "value": 97.5,
                "timestamp": 1795492666,
                "metadata": {"unit": "percent"},
            },
        ],
    },
}
"""A request of points of each domain."""

CONSTRAINTS: dict[str, Example] = {
    "iot": {
        "stream_type": "temperature",
        "value_constraints": {
            "min_value": 0,
            "max_value": 400,
            "warning_min": 20,
            "warning_max": 250,
            "alert_max": 300,
        },
        "rate_constraints": {"abs_delta": 6, "abs_slope": 0.03, "severity": "alert"},
        "consecutive_violations_required": 3,
        "cooldown_seconds": 3600,
    },
    "infrastructure": {
        "stream_type": "cpu_utilization",
        "value_constraints": {"min_value": 0, "max_value": 100, "warning_max": 55, "alert_max": 90},
        "rate_constraints": {"abs_delta": 40, "rel_delta": 100},
        "consecutive_violations_required": 1,
        "cooldown_seconds": 1800,
    },
    "finance": {
        "stream_type": "price",
        "value_constraints": {"min_value": 0, "warning_min": 30, "alert_min": 20},
        "rate_constraints": {"rel_delta": 3},
        "consecutive_violations_required": 1,
        "cooldown_seconds": 604800,
    },
    "health": {
        "stream_type": "heart_rate",
        "value_constraints": {
            "min_value": 0,
            "max_value": 350,
            "warning_min": 50,
            "warning_max": 120,
            "alert_min": 35,
            "alert_max": 160,
        },
        "rate_constraints": {"abs_slope": 5, "severity": "critical"},
        "consecutive_violations_required": 3,
        "cooldown_seconds": 60,
    },
}
"""Constraints of the first stream of each of these requests."""

ANNOUNCEMENT: Example = {
    "domain": "iot",
    "source_id": "oven-2",
    "file": "march.csv",
    "size": 82,
    "options": {"delimiter": ";", "timezone": "Europe/Madrid"},
}
"""A file that will be uploaded."""
