"""Routes of limits and the kill switch."""

from dataclasses import asdict
from http import HTTPStatus

from apiflask import APIBlueprint

from trading.api import paging
from trading.api.access import principal, requires
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas.risk import (
    LimitsOut,
    SetState,
    StateChangeList,
    StateChangeOut,
    StateChangeQuery,
    StateOut,
)
from trading.risk.killswitch import STRICTNESS, TradingState
from trading.security.principal import Role
from trading.storage import listings
from trading.storage.connection import Connection
from trading.storage.paging import Page
from trading.storage.tradingstate import change_state, lock_state

blueprint = APIBlueprint("risk", __name__, tag="risk")
NEWEST = Page(1)


@blueprint.get("/risk/limits")
@requires(Role.VIEWER)
@blueprint.output(LimitsOut)
def get_limits() -> LimitsOut:
    """Tell the limits that every order is held to."""
    return LimitsOut(**asdict(dependencies().limits))


@blueprint.get("/risk/state")
@requires(Role.VIEWER)
@blueprint.output(StateOut)
def get_state() -> StateOut:
    """Tell the kill switch's state."""
    return dependencies().database.run(_state)


@blueprint.put("/risk/state")
@requires(Role.TRADER)
@blueprint.input(SetState)
@blueprint.output(StateOut)
@blueprint.doc(responses={403: "To loosen takes the role `risk` (`ROLE_REFUSED`)."})
def set_state(json_data: SetState) -> StateOut:
    """Change the kill switch's state; the same state again changes nothing."""

    def work(connection: Connection) -> StateOut:
        with connection.writing():
            before = lock_state(connection)
            if STRICTNESS[json_data.state] < STRICTNESS[before] and not principal().role.includes(Role.RISK):
                refuse(HTTPStatus.FORBIDDEN, "ROLE_REFUSED", f"to loosen takes the role {Role.RISK} or a higher one")
            change_state(connection, json_data.state, reason=json_data.reason, actor=principal().name)
        return _state(connection)

    return dependencies().database.run(work)


@blueprint.get("/risk/state/history")
@requires(Role.VIEWER)
@blueprint.input(StateChangeQuery, location="query")
@blueprint.output(StateChangeList)
def list_state_changes(query_data: StateChangeQuery) -> StateChangeList:
    """List the changes of the kill switch, newest first."""
    page = paging.asked(query_data, paging.number)
    found = dependencies().database.look(lambda connection: listings.state_changes(connection, page))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.seq,))
    return StateChangeList(changes=[StateChangeOut(**row._asdict()) for row in rows], next_cursor=cursor)


def _state(connection: Connection) -> StateOut:
    rows = listings.state_changes(connection, NEWEST)
    if not rows:
        return StateOut(state=TradingState.ACTIVE, since=None)
    newest = StateChangeOut(**rows[0]._asdict())
    return StateOut(state=newest.state, since=newest)
