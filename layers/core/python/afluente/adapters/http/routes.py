"""Routes of the HTTP API.

The template, the functions and the OpenAPI document read this one table. A new route is a row here, its handler in the
table of its function, and its operation in `apidoc/`, both by the route's name.
"""

import msgspec

from afluente.application.access.grants import Action


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A method and a path.

    Attributes:
        name: in CamelCase; names the operation of the API, the resource in the template and the handler.
        method, path: as API Gateway writes them, parameters in braces.
        function: the package of the function that answers.
        action: that a key must have; None where no key is needed.
        open_because: the reason why no key is needed.
        domain: that a key must reach, where the route is of one domain.
        flag: the value of a stage without which the route does not exist; None where every stage has it.
    """

    name: str
    method: str
    path: str
    function: str = "http_ingest"
    action: Action | None = None
    open_because: str = ""
    domain: str | None = None
    flag: str | None = None

    @property
    def key(self) -> str:
        """The route key of API Gateway."""
        return f"{self.method} {self.path}"


def _csv(name: str, method: str, path: str, action: Action = Action.INGEST) -> Route:
    return Route(name=name, method=method, path=f"/ingest/csv{path}", action=action, flag="enable_csv_ingest")


def _constraints(name: str, method: str, path: str = "") -> Route:
    return Route(name=name, method=method, path=f"/constraints{path}", function="http_admin", action=Action.CONSTRAINTS)


def _documentation(name: str, path: str, reason: str) -> Route:
    return Route(name=name, method="GET", path=path, function="http_admin", open_because=reason)


_STREAM = "/{domain}/{source_id}/{stream_id}"
_TEMPLATE = "/{domain}"

ROUTES = (
    Route(
        name="IngestDatapoints",
        method="POST",
        path="/ingest/datapoints",
        action=Action.INGEST,
        flag="enable_agnostic_api",
    ),
    Route(
        name="IngestPackets",
        method="POST",
        path="/ingest/packets",
        action=Action.INGEST,
        domain="iot",
        flag="takes_packets",
    ),
    _csv("CreateCsvJob", "POST", ""),
    _csv("CreateCsvUpload", "POST", "/uploads"),
    _csv("RenewCsvUpload", "POST", "/{job_id}/upload"),
    _csv("ListCsvJobs", "GET", "", Action.JOBS),
    _csv("GetCsvJob", "GET", "/{job_id}", Action.JOBS),
    _csv("CancelCsvJob", "DELETE", "/{job_id}"),
    _constraints("ListConstraints", "GET"),
    _constraints("ApplyConstraints", "POST"),
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
    Route(name="ListAlarms", method="GET", path="/alarms", function="http_admin", action=Action.ALARMS),
    Route(
        name="Health",
        method="GET",
        path="/health",
        open_because=(
            "Says that the service answers, nothing about its data: load balancers and people ask without a key."
        ),
    ),
    _documentation(
        "GetOpenapi",
        "/openapi.json",
        "Describes the API, says nothing about its data: clients are made from it before they have a key.",
    ),
    _documentation("GetAsyncapi", "/asyncapi.json", "Describes WebSocket and MQTT, and says nothing about the data."),
    _documentation("GetDocs", "/docs", "Shows the same to people."),
)

BY_KEY = {route.key: route for route in ROUTES}
"""The routes by their route keys."""

BY_NAME = {route.name: route for route in ROUTES}
"""The routes by their names."""
