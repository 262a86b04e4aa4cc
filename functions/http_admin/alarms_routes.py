"""The route of alarms: what was raised and cleared, of what the caller reaches."""

import time
from collections.abc import Callable

from afluente.adapters.http.alarms import alarm_list, decode_alarm_query
from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.requests import check_scope
from afluente.adapters.http.routes import LIST_ALARMS
from afluente.application.access.grants import Grant
from afluente.application.alarms.history import list_alarms
from afluente.runtime.http_admin import HttpAdmin
from afluente.runtime.http_function import Event


def _list(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    query = decode_alarm_query(event.get("queryStringParameters") or {}, time.time())
    check_scope(grant, query.missing(grant))
    return document(200, alarm_list(list_alarms(function.alarms, query, grant)))


ALARMS_ROUTES: dict[str, Callable[[Event, Grant, HttpAdmin], Answer]] = {LIST_ALARMS.key: _list}
