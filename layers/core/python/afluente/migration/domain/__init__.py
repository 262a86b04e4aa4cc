"""The legacy rules, thresholds and their mapping to constraints."""
