"""Routes of backtests: the scheduler runs what is submitted here."""

import uuid
from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from trading.api import idempotency, paging
from trading.api.access import principal, requires
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas.backtests import (
    BacktestList,
    BacktestOut,
    BacktestQuery,
    BacktestResult,
    BacktestStatus,
    SubmitBacktest,
)
from trading.api.strategies import must_suit
from trading.backtest.spec import parse
from trading.domain.errors import TradingError
from trading.security.principal import Role
from trading.storage import listings
from trading.storage.backtestqueue import submit
from trading.storage.connection import Connection

blueprint = APIBlueprint("backtests", __name__, tag="backtests")


@blueprint.post("/backtests")
@requires(Role.TRADER)
@blueprint.input(SubmitBacktest)
@blueprint.output(BacktestOut, status_code=202, description="It waits for its turn.")
@idempotency.keyed
def submit_backtest(json_data: SubmitBacktest) -> Response:
    """Ask for a backtest: one run, one for each combination of `sweep`, or a walk forward."""
    backtest_id, who = uuid.uuid4(), principal().name
    for number, strategy in enumerate(json_data.strategies):
        must_suit(strategy.kind, strategy.parameters, f"strategies.{number}.parameters")
    spec = json_data.model_dump(mode="json", exclude_none=True)
    try:
        parse(spec)  # what the scheduler will do first, so that nobody waits for a refusal
    except TradingError:
        text = "a strategy or a combination of the sweep cannot be built"
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "BACKTEST_INVALID", text)

    def work(connection: Connection) -> BacktestOut:
        submit(connection, backtest_id, submitted_by=who, spec=spec)
        return _out(_found(connection, backtest_id))

    return idempotency.once(HTTPStatus.ACCEPTED, work)


@blueprint.get("/backtests")
@requires(Role.VIEWER)
@blueprint.input(BacktestQuery, location="query")
@blueprint.output(BacktestList)
def list_backtests(query_data: BacktestQuery) -> BacktestList:
    """List backtests, newest first."""
    page, status = paging.asked(query_data, paging.time, paging.uuid), query_data.status
    found = dependencies().database.look(lambda connection: listings.backtests(connection, page, status=status))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.submitted_at, row.id))
    return BacktestList(backtests=[_out(row) for row in rows], next_cursor=cursor)


@blueprint.get("/backtests/<uuid:backtest_id>")
@requires(Role.VIEWER)
@blueprint.output(BacktestOut)
def get_backtest(backtest_id: UUID) -> BacktestOut:
    """Get one backtest and how far it is."""
    return _out(dependencies().database.run(lambda connection: _found(connection, backtest_id)))


@blueprint.get("/backtests/<uuid:backtest_id>/result")
@requires(Role.VIEWER)
@blueprint.output(BacktestResult)
@blueprint.doc(responses={409: "There is no result (`BACKTEST_NOT_DONE`): it waits, runs, or has failed."})
def get_backtest_result(backtest_id: UUID) -> BacktestResult:
    """Get what came out of a backtest."""

    def work(connection: Connection) -> BacktestResult:
        row = _found(connection, backtest_id)
        result = listings.backtest_result(connection, backtest_id)
        if result is None:
            refuse(HTTPStatus.CONFLICT, "BACKTEST_NOT_DONE", f"the backtest is {row.status}")
        return BacktestResult(id=backtest_id, result=result)

    return dependencies().database.look(work)


def _found(connection: Connection, backtest_id: UUID) -> listings.BacktestRow:
    row = listings.backtest(connection, backtest_id)
    if row is None:
        refuse(HTTPStatus.NOT_FOUND, "BACKTEST_NOT_FOUND", "there is no backtest with this id")
    return row


def _out(row: listings.BacktestRow) -> BacktestOut:
    return BacktestOut(
        id=row.id,
        submitted_by=row.submitted_by,
        submitted_at=row.submitted_at,
        spec=row.spec,
        status=BacktestStatus(row.status),
        progress=row.progress,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
    )
