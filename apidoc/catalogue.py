"""Every operation of the HTTP API, and every schema that they refer to."""

from collections.abc import Mapping

from afluente.domain.faults import Fault
from apidoc import alarm_routes, constraint_routes, ingest_routes, service_routes
from apidoc.legacy import LEGACY_OPERATIONS, legacy_schemas
from apidoc.operations import Operation
from apidoc.schemas import Record, Schema, schemas_of

OPERATIONS: Mapping[str, Operation] = {
    **ingest_routes.INGEST_OPERATIONS,
    **LEGACY_OPERATIONS,
    **constraint_routes.CONSTRAINT_OPERATIONS,
    **alarm_routes.ALARM_OPERATIONS,
    **service_routes.SERVICE_OPERATIONS,
}
"""By the name of the route."""

_RECORDS = (
    *ingest_routes.INGEST_RECORDS,
    *constraint_routes.CONSTRAINT_RECORDS,
    *alarm_routes.ALARM_RECORDS,
    *service_routes.SERVICE_RECORDS,
    Record(type=Fault, name="Fault", is_answer=True),
)


def schemas() -> dict[str, Schema]:
    """The schemas of all records, by the names that the document has for them."""
    found = schemas_of(_RECORDS)
    # Faults of one entry among many name the entry.
    found["Fault"]["properties"] |= {
        "index": {"type": "integer", "minimum": 0, "description": "The entry at fault, where many were sent."},
        "name": {"type": "string", "description": "The key or the domain of that entry, as far as it has one."},
    }
    return constraint_routes.complete(ingest_routes.complete(found)) | legacy_schemas()
