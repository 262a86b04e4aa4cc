"""Health check of the emulator, with its edition."""

import http.client
import json

from cli.core.local_stack import LOOPBACK

_TIMEOUT_SECONDS = 5.0


def edition_at(port: int) -> str | None:
    """The edition that the emulator at `port` was started with; None where no emulator answers."""
    # http.client, because urllib would send a request for 127.0.0.1 through a proxy that is set.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        document = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    edition = document.get("edition") if isinstance(document, dict) else None
    return edition if isinstance(edition, str) else None
