"""Shared by all commands: target, API client, retry, output, errors, times."""
