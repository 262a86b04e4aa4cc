"""Metrics of a deployment: read from CloudWatch or from logs, shown as a table, given to Prometheus."""
