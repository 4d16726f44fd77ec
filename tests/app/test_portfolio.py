"""Positions, the book over all accounts, and the equity curve: by table and by conservation."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.test_domain import AT, request
from trading.costs.table import nse_equity
from trading.domain.events import Filled
from trading.domain.orders import OrderRequest, Product, Side
from trading.portfolio.book import Book, BookKey
from trading.portfolio.equity import Drawdown, EquityPoint, drawdown
from trading.portfolio.positions import Position, after_fill, book

COSTS = nse_equity()


@pytest.mark.parametrize(
    ("fills", "quantity", "cost", "realised"),
    [
        ([(Side.BUY, 10, "100"), (Side.SELL, 4, "110")], 6, "600", "40"),
        ([(Side.BUY, 10, "100"), (Side.SELL, 10, "90")], 0, "0", "-100"),
        ([(Side.SELL, 10, "100"), (Side.BUY, 4, "90")], -6, "-600", "40"),
        ([(Side.BUY, 5, "100"), (Side.SELL, 8, "120")], -3, "-360", "100"),
        ([(Side.BUY, 1, "10"), (Side.BUY, 2, "11"), (Side.SELL, 1, "12")], 2, "21.33333333", "1.33333333"),
    ],
)
def test_position(fills: list[tuple[Side, int, str]], quantity: int, cost: str, realised: str) -> None:
    position = Position()
    for side, shares, price in fills:
        position = after_fill(position, side, shares, Decimal(price))
    assert position == Position(quantity=quantity, cost=Decimal(cost), realised_pnl=Decimal(realised))


prices = st.decimals(Decimal("0.05"), Decimal(50_000), places=2)


@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5000), prices), max_size=30))
def test_positions_conserve_cash(fills: list[tuple[Side, int, Decimal]]) -> None:
    position, cash, shares = Position(), Decimal(0), 0
    for side, quantity, price in fills:
        position = after_fill(position, side, quantity, price)
        cash -= side.sign * quantity * price
        shares += side.sign * quantity
        assert position.quantity == shares
        assert position.realised_pnl - position.cost == cash
        assert position.cost * position.quantity >= 0
        assert position.quantity or position.cost == 0


def trade(number: int, price: Decimal | int, quantity: int, charges: Decimal | int = 0, at: datetime = AT) -> Filled:
    return Filled("paper", f"t{number}", quantity, Decimal(price), at, Decimal(charges))


def test_depository_is_paid_once_a_day_for_a_delivery_sale() -> None:
    position = Position()
    for side, days in ((Side.BUY, 0), (Side.SELL, 0), (Side.SELL, 0), (Side.SELL, 1), (Side.BUY, 1)):
        position = book(position, request(side=side), trade(1, 100, 1, 1, AT + timedelta(days=days)), COSTS)
    assert position.charges == 5 + 2 * Decimal("15.93" if AT.year < 2024 else "15.34")
    intraday = book(Position(), request(side=Side.SELL, product=Product.MIS), trade(1, 100, 1, 1), COSTS)
    assert intraday.charges == 1


def test_profit_net_and_gross() -> None:
    position = book(Position(), request(), trade(1, 100, 10, 2), COSTS)
    assert (position.average_price, position.cash) == (Decimal(100), Decimal(-1002))
    assert (position.unrealised_pnl(Decimal(103)), position.net_realised_pnl) == (Decimal(30), Decimal(-2))
    closed = book(position, request(side=Side.SELL, product=Product.MIS), trade(2, 105, 10, 3), COSTS)
    assert closed == Position(0, Decimal(0), Decimal(50), Decimal(5))
    assert closed.net_realised_pnl == closed.cash == 45


def test_delivery_and_intraday_and_strategies_are_kept_apart() -> None:
    """A short in one strategy or product does not close the long of another."""
    found = Book(COSTS)
    found.book(request(), trade(1, 100, 10))
    found.book(request(product=Product.MIS, side=Side.SELL), trade(2, 101, 4))
    found.book(request(strategy_id="ema"), trade(3, 102, 5))
    keys = {
        BookKey("main", None, "RELIANCE", Product.CNC): 10,
        BookKey("main", None, "RELIANCE", Product.MIS): -4,
        BookKey("main", "ema", "RELIANCE", Product.CNC): 5,
    }
    assert {key: position.quantity for key, position in found.positions().items()} == keys
    found.mark("RELIANCE", Decimal(110))
    total, parts = found.summary(), found.by_strategy()
    assert total.gross_exposure == 2090
    assert total.net_exposure == 1210
    assert total.unrealised_pnl == 100 - 36 + 40
    assert total.book_cost == 1000 + 404 + 510
    assert set(parts) == {None, "ema"}
    assert parts["ema"].unrealised_pnl == 40
    assert found.exposure() == {"RELIANCE": 1210}
    assert found.summary(account="other").gross_exposure == 0


orders = st.tuples(
    st.sampled_from(["main", "other"]),
    st.sampled_from([None, "ema", "momentum"]),
    st.sampled_from(["RELIANCE", "INFY"]),
    st.sampled_from(Product),
    st.sampled_from(Side),
    st.integers(1, 5000),
    prices,
    st.integers(0, 3),
)


@settings(deadline=None)
@given(st.lists(orders, max_size=25), prices)
def test_book_conserves_cash_shares_and_profit(
    trades: list[tuple[str, str | None, str, Product, Side, int, Decimal, int]], last: Decimal
) -> None:
    """Cash is what was paid and received, equity is cash and shares at the last price, by whatever way it came."""
    found = Book(COSTS)
    paid: dict[str, Decimal] = {"main": Decimal(0), "other": Decimal(0)}
    shares: dict[tuple[str, str], int] = {}
    charged = Decimal(0)
    for number, (account, strategy, symbol, product, side, quantity, price, day) in enumerate(trades):
        wanted = request(
            account=account,
            client_order_id=f"o{number}",
            strategy_id=strategy,
            symbol=symbol,
            product=product,
            side=side,
            quantity=quantity,
        )
        at = AT + timedelta(days=day)
        cost = COSTS.rates(at.date(), product, side).total(price * quantity)
        before = found.summary(account=account).charges
        found.book(wanted, Filled("paper", f"t{number}", quantity, price, at, cost))
        cost = found.summary(account=account).charges - before
        charged += cost
        paid[account] -= side.sign * quantity * price + cost
        shares[account, symbol] = shares.get((account, symbol), 0) + side.sign * quantity
    for symbol in ("RELIANCE", "INFY"):
        found.mark(symbol, last)
    for account, cash in paid.items():
        total = found.summary(account=account)
        held = sum(count for (owner, _), count in shares.items() if owner == account)
        assert total.cash == cash
        assert total.net_pnl == cash + held * last
        assert total.net_exposure == held * last
        assert total.gross_exposure >= abs(total.net_exposure)
        parts = found.by_strategy(account=account).values()
        assert sum((part.net_pnl for part in parts), Decimal(0)) == total.net_pnl
        assert sum((part.cash for part in parts), Decimal(0)) == total.cash
    assert found.summary().charges == charged


def replayed(trades: list[tuple[OrderRequest, Filled]]) -> Book:
    found = Book(COSTS)
    for wanted, fill in trades:
        found.book(wanted, fill)
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 50), prices), max_size=20), st.integers(0, 20))
def test_restart_at_any_point_gives_the_same_book(fills: list[tuple[Side, int, Decimal]], at: int) -> None:
    trades = [(request(side=s, quantity=q), trade(n, p, q, 1)) for n, (s, q, p) in enumerate(fills)]
    resumed = replayed(trades[:at])
    for wanted, fill in trades[at:]:
        resumed.book(wanted, fill)
    assert resumed.positions() == replayed(trades).positions()


def points(*equities: int) -> list[EquityPoint]:
    return [EquityPoint(AT + timedelta(minutes=minute), Decimal(equity)) for minute, equity in enumerate(equities)]


@pytest.mark.parametrize(
    ("equities", "depth", "worst"),
    [
        ((), "0", "0"),
        ((100, 110, 120), "0", "0"),
        ((100, 90, 95), "0.05", "0.1"),
        ((100, 80, 120, 108), "0.1", "0.2"),
        ((100, -50), "1.5", "1.5"),
        ((0, -50), "1", "1"),
    ],
)
def test_drawdown(equities: tuple[int, ...], depth: str, worst: str) -> None:
    found = drawdown(points(*equities))
    assert (found.depth, found.worst) == (Decimal(depth), Decimal(worst))


def test_drawdown_says_when() -> None:
    found = drawdown(points(100, 120, 90, 100))
    assert found == Drawdown(
        Decimal(120), points(1, 1)[1].at, Decimal(20) / 120, Decimal("0.25"), points(1, 1, 1)[2].at
    )
