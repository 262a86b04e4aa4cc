"""Every route of the HTTP API: who answers it, what a key has to be for, and which stages have it.

The template, the functions, the OpenAPI document and the tests read this one list.
"""

import msgspec

from afluente.application.access.grants import Action


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A method and a path.

    Attributes:
        name: in CamelCase; the operation of the API, and the resource in the template.
        method, path: as API Gateway writes them, parameters in braces.
        function: the package of the function that answers.
        action: what a key has to be for; None where everybody may ask.
        flag: the value of a stage without which the route is not there; None where every stage has it.
    """

    name: str
    method: str
    path: str
    function: str = "http_ingest"
    action: Action | None = None
    flag: str | None = None

    @property
    def key(self) -> str:
        """The route key of API Gateway."""
        return f"{self.method} {self.path}"


def _csv(name: str, method: str, path: str, action: Action) -> Route:
    return Route(name=name, method=method, path=path, action=action, flag="enable_csv_ingest")


def _constraints(name: str, method: str, path: str) -> Route:
    return Route(name=name, method=method, path=path, function="http_admin", action=Action.CONSTRAINTS)


INGEST_DATAPOINTS = Route(
    name="IngestDatapoints",
    method="POST",
    path="/ingest/datapoints",
    action=Action.INGEST,
    flag="enable_agnostic_api",
)
INGEST_PACKETS = Route(
    name="IngestPackets", method="POST", path="/ingest/packets", action=Action.INGEST, flag="takes_packets"
)
CSV_ROUTES = (
    _csv("CreateCsvJob", "POST", "/ingest/csv", Action.INGEST),
    _csv("CreateCsvUpload", "POST", "/ingest/csv/uploads", Action.INGEST),
    _csv("RenewCsvUpload", "POST", "/ingest/csv/{job_id}/upload", Action.INGEST),
    _csv("ListCsvJobs", "GET", "/ingest/csv", Action.JOBS),
    _csv("GetCsvJob", "GET", "/ingest/csv/{job_id}", Action.JOBS),
    _csv("CancelCsvJob", "DELETE", "/ingest/csv/{job_id}", Action.INGEST),
)
_STREAM = "/constraints/{domain}/{source_id}/{stream_id}"
_TEMPLATE = "/constraints/{domain}"
CONSTRAINTS_ROUTES = (
    _constraints("ListConstraints", "GET", "/constraints"),
    _constraints("ApplyConstraints", "POST", "/constraints"),
    _constraints("GetConstraints", "GET", _STREAM),
    _constraints("PutConstraints", "PUT", _STREAM),
    _constraints("DeleteConstraints", "DELETE", _STREAM),
    _constraints("GetConstraintsHistory", "GET", f"{_STREAM}/history"),
    _constraints("RollBackConstraints", "POST", f"{_STREAM}/rollback"),
    _constraints("GetConstraintsTemplate", "GET", _TEMPLATE),
    _constraints("PutConstraintsTemplate", "PUT", _TEMPLATE),
    _constraints("DeleteConstraintsTemplate", "DELETE", _TEMPLATE),
    _constraints("GetConstraintsTemplateHistory", "GET", f"{_TEMPLATE}/history"),
    _constraints("RollBackConstraintsTemplate", "POST", f"{_TEMPLATE}/rollback"),
)
LIST_ALARMS = Route(name="ListAlarms", method="GET", path="/alarms", function="http_admin", action=Action.ALARMS)
HEALTH = Route(name="Health", method="GET", path="/health")
DOCUMENTATION_ROUTES = (
    Route(name="GetOpenapi", method="GET", path="/openapi.json", function="http_admin"),
    Route(name="GetAsyncapi", method="GET", path="/asyncapi.json", function="http_admin"),
    Route(name="GetDocs", method="GET", path="/docs", function="http_admin"),
)

ROUTES = (
    INGEST_DATAPOINTS,
    INGEST_PACKETS,
    *CSV_ROUTES,
    *CONSTRAINTS_ROUTES,
    LIST_ALARMS,
    HEALTH,
    *DOCUMENTATION_ROUTES,
)

BY_KEY = {route.key: route for route in ROUTES}
"""The routes by their route keys."""
