"""What every command shares: target, API client, retry, output, errors, times."""
