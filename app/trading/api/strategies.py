"""Routes of strategies: what they are, what they wanted, how they have done, and how they are changed."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from apiflask import APIBlueprint
from pydantic import ValidationError

from trading.api import paging
from trading.api.access import principal, requires
from trading.api.deps import dependencies
from trading.api.problems import named, refuse
from trading.api.schemas.base import FieldProblem, PageQuery
from trading.api.schemas.strategies import (
    ChangeStrategy,
    KindList,
    KindOut,
    PerformanceOut,
    SetAlgo,
    SetParameters,
    SignalList,
    SignalOut,
    SignalQuery,
    StrategyChangeList,
    StrategyChangeOut,
    StrategyList,
    StrategyOut,
    fraction,
)
from trading.portfolio.equity import EquityPoint, drawdown
from trading.security.principal import Role
from trading.storage import listings
from trading.storage.connection import Connection
from trading.storage.portfolio import EVERYTHING, valuation
from trading.storage.strategies import StrategyRow, change, find
from trading.strategies.registry import kinds

blueprint = APIBlueprint("strategies", __name__, tag="strategies")
T = TypeVar("T")


@blueprint.get("/strategies")
@requires(Role.VIEWER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(StrategyList)
def list_strategies(query_data: PageQuery) -> StrategyList:
    """List strategies by name."""
    page = paging.asked(query_data, paging.text)
    found = dependencies().database.run(lambda connection: listings.strategies(connection, page))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.name,))
    return StrategyList(strategies=[_out(row) for row in rows], next_cursor=cursor)


@blueprint.get("/strategies/kinds")
@requires(Role.VIEWER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(KindList)
def list_strategy_kinds(query_data: PageQuery) -> KindList:
    """List the kinds of strategies, with the JSON schema of the parameters of each."""
    page = paging.asked(query_data, paging.text)
    after = page.after[0] if page.after else ""
    found = [kind for name, kind in sorted(kinds().items()) if name > after]
    rows, cursor = paging.shown(found, query_data, lambda kind: (kind.name,))
    return KindList(
        kinds=[
            KindOut(
                kind=row.name,
                title=row.title,
                is_beta=row.is_beta,
                parameters=row.parameters.model_json_schema(),
            )
            for row in rows
        ],
        next_cursor=cursor,
    )


@blueprint.get("/strategies/<name>")
@requires(Role.VIEWER)
@blueprint.output(StrategyOut)
def get_strategy(name: str) -> StrategyOut:
    """Get one strategy."""
    return _of(name, lambda _, row: _out(row))


@blueprint.post("/strategies/<name>/enable")
@requires(Role.RISK)
@blueprint.input(ChangeStrategy)
@blueprint.output(StrategyOut)
def enable_strategy(name: str, json_data: ChangeStrategy) -> StrategyOut:
    """Let a strategy trade from the next step of the market on; safe to repeat."""
    return _change(name, json_data.reason, enabled=True)


@blueprint.post("/strategies/<name>/disable")
@requires(Role.TRADER)
@blueprint.input(ChangeStrategy)
@blueprint.output(StrategyOut)
def disable_strategy(name: str, json_data: ChangeStrategy) -> StrategyOut:
    """Let a strategy trade no more; what it holds stays until somebody closes it. Safe to repeat."""
    return _change(name, json_data.reason, enabled=False)


@blueprint.put("/strategies/<name>/parameters")
@requires(Role.RISK)
@blueprint.input(SetParameters)
@blueprint.output(StrategyOut)
@blueprint.doc(
    responses={
        409: "It has changed since the version that was named (`STRATEGY_VERSION`).",
        422: "The parameters do not suit the kind of strategy (`STRATEGY_INVALID`).",
    }
)
def set_parameters(name: str, json_data: SetParameters) -> StrategyOut:
    """Replace the parameters of a strategy; they hold from the next step of the market on."""
    return _change(name, json_data.reason, parameters=json_data.parameters, version=json_data.version)


@blueprint.put("/strategies/<name>/algo")
@requires(Role.RISK)
@blueprint.input(SetAlgo)
@blueprint.output(StrategyOut)
@blueprint.doc(responses={409: "It has changed since the version that was named (`STRATEGY_VERSION`)."})
def set_algo(name: str, json_data: SetAlgo) -> StrategyOut:
    """Give a strategy the exchange's tag of its orders; without one its LIVE orders are denied, `RISK_ALGO`."""
    return _change(name, json_data.reason, algo_id=json_data.algo_id, version=json_data.version)


@blueprint.get("/strategies/<name>/changes")
@requires(Role.VIEWER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(StrategyChangeList)
def list_strategy_changes(name: str, query_data: PageQuery) -> StrategyChangeList:
    """List the states that a strategy has had, newest first: who changed it, and why."""
    page = paging.asked(query_data, paging.number)
    found = _of(name, lambda connection, row: listings.strategy_changes(connection, page, name=row.name))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.version,))
    changes = [
        StrategyChangeOut(
            version=row.version,
            is_enabled=row.enabled,
            parameters=row.parameters,
            algo_id=row.algo_id,
            actor=row.actor,
            reason=row.reason,
            recorded_at=row.recorded_at,
        )
        for row in rows
    ]
    return StrategyChangeList(changes=changes, next_cursor=cursor)


@blueprint.get("/strategies/<name>/signals")
@requires(Role.VIEWER)
@blueprint.input(SignalQuery, location="query")
@blueprint.output(SignalList)
def list_signals(name: str, query_data: SignalQuery) -> SignalList:
    """List what a strategy wanted, newest first."""
    page, symbol = paging.asked(query_data, paging.time, paging.number, paging.text), query_data.symbol
    found = _of(name, lambda connection, row: listings.signals(connection, page, strategy=row.name, symbol=symbol))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.at, row.step, row.symbol))
    signals = [SignalOut(at=row.at, symbol=row.symbol, target=row.target, detail=row.detail) for row in rows]
    return SignalList(signals=signals, next_cursor=cursor)


@blueprint.get("/strategies/<name>/performance")
@requires(Role.VIEWER)
@blueprint.output(PerformanceOut)
def get_performance(name: str) -> PerformanceOut:
    """Tell how a strategy has done in its own account."""

    def work(connection: Connection, row: StrategyRow) -> PerformanceOut:
        account = row.name
        sums, capital = valuation(connection, account).summary, listings.capital(connection, account)
        trades, value = listings.turnover(connection, account)
        curve = listings.equity(connection, EVERYTHING, account=account)
        return PerformanceOut(
            name=row.name,
            net_pnl=sums.net_pnl,
            realised_pnl=sums.realised_pnl,
            unrealised_pnl=sums.unrealised_pnl,
            charges=sums.charges,
            trades=trades,
            traded_value=value,
            return_on_capital=fraction(sums.net_pnl / capital) if capital else None,
            max_drawdown=fraction(drawdown(EquityPoint(p.at, p.equity) for p in curve).worst) if curve else None,
        )

    return _of(name, work)


def _of(name: str, work: Callable[[Connection, StrategyRow], T]) -> T:
    def run(connection: Connection) -> T:
        row = find(connection, name) if name.isprintable() else None
        if row is None:
            refuse(HTTPStatus.NOT_FOUND, "STRATEGY_NOT_FOUND", "there is no such strategy")
        return work(connection, row)

    return dependencies().database.run(run)


def _change(
    name: str,
    reason: str,
    *,
    enabled: bool | None = None,
    parameters: dict[str, Any] | None = None,
    version: int | None = None,
    algo_id: str | None = None,
) -> StrategyOut:
    who = principal().name

    def work(connection: Connection, row: StrategyRow) -> StrategyOut:
        if parameters is not None:
            must_suit(row.kind, parameters, "parameters")
        with connection.writing():
            return _out(change(connection, row.name, enabled, parameters, who, reason, version, algo_id))

    return _of(name, work)


def must_suit(kind: str, parameters: Mapping[str, object], field: str) -> None:
    """End the request with 422 unless the parameters are good ones for a kind of strategy."""
    if kind not in kinds():
        errors = [FieldProblem(field=field, rule=f"the kind must be one of {', '.join(kinds())}")]
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "STRATEGY_INVALID", "there is no such kind of strategy", errors=errors)
    try:
        kinds()[kind].parameters.model_validate(dict(parameters))
    except ValidationError as error:
        errors = [
            FieldProblem(field=named(".".join(map(str, (field, *found["loc"])))), rule=found["msg"])
            for found in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        text = "the parameters break the rules named in errors"
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "STRATEGY_INVALID", text, errors=errors)


def _out(row: StrategyRow) -> StrategyOut:
    return StrategyOut(
        name=row.name,
        kind=row.kind,
        is_enabled=row.enabled,
        parameters=dict(row.parameters),
        version=row.version,
        algo_id=row.algo_id,
    )
