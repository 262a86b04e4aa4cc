"""The route of alarms."""

import time
from collections.abc import Callable, Mapping

from afluente.adapters.http.alarms import alarm_list, decode_alarm_query
from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.requests import check_scope
from afluente.application.alarms.history import list_alarms
from afluente.runtime.http_admin import HttpAdmin
from afluente.runtime.http_request import Request


def _list(request: Request, function: HttpAdmin) -> Answer:
    query = decode_alarm_query(request.query, time.time())
    check_scope(request.grant, query.missing(request.grant))
    return document(200, alarm_list(list_alarms(function.alarms, query, request.grant)))


ALARMS_ROUTES: Mapping[str, Callable[[Request, HttpAdmin], Answer]] = {"ListAlarms": _list}
