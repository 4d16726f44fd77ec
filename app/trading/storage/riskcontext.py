"""What a risk check must know of the world, in one query within the order's own transaction."""

import dataclasses
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from trading.costs.table import nse_equity
from trading.domain.instruments import Instrument
from trading.domain.orders import Product, Side
from trading.marketdata.bars import IST
from trading.risk.checks import Context, Denial, Limits, rate_denial
from trading.risk.killswitch import TradingState
from trading.storage.connection import Connection

OPEN = (  # the predicate of index orders_open
    "('INITIALIZED', 'SUBMITTED', 'UNKNOWN', 'TRIGGER_PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', "
    "'PENDING_MODIFY', 'PENDING_CANCEL')"
)
INSTRUMENT = ", ".join(f"i.{field.name}" for field in dataclasses.fields(Instrument))

# `book` has a row for each symbol and product that the account holds or has open orders in, `most` shares being the
# largest position that these could lead to, valued at the highest of last close, asked price and book price. While a
# modification is on its way the larger terms of the two count, as either may be what the venue has. What it costs must
# not grow with the history: open orders have an index of their own, and the time of duplicates is no clock_timestamp(),
# which changes within a statement and so is of no use to an index.
QUERY = f"""
WITH market AS (
    SELECT p.at, p.closes, p.previous_closes
      FROM feed JOIN feed_progress p USING (feed_id) ORDER BY activated_at DESC LIMIT 1
), pending AS (
    SELECT symbol, product, coalesce(sum(quantity) FILTER (WHERE side = 'BUY'), 0) AS buy,
        coalesce(sum(quantity) FILTER (WHERE side = 'SELL'), 0) AS sell, max(price) AS price
      FROM (
        SELECT symbol, product, side,
            greatest(coalesce(modified_quantity, o.quantity), wanted.quantity) - filled_quantity AS quantity,
            greatest(coalesce(modified_limit_price, limit_price), coalesce(modified_trigger_price, trigger_price),
                wanted.price) AS price
          FROM orders o LEFT JOIN LATERAL (
            SELECT (payload ->> 'quantity')::integer AS quantity,
                greatest((payload ->> 'limit_price')::numeric, (payload ->> 'trigger_price')::numeric) AS price
              FROM order_event e WHERE o.status IN ('PENDING_MODIFY', 'PENDING_CANCEL')
                AND (e.order_id, e.day) = (o.id, o.day) AND e.kind = 'MODIFY_REQUESTED' ORDER BY e.seq DESC LIMIT 1
        ) wanted ON true
         WHERE account = %(account)s AND status IN {OPEN} AND o.id IS DISTINCT FROM %(without)s::uuid
      ) open_orders GROUP BY symbol, product
), book AS (
    SELECT symbol, product, coalesce(quantity, 0) AS quantity, coalesce(cost, 0) AS cost,
        coalesce(realised_pnl - charges, 0) AS profit, coalesce(buy, 0) AS buy, coalesce(sell, 0) AS sell,
        greatest(abs(coalesce(quantity, 0) + coalesce(buy, 0)), abs(coalesce(quantity, 0) - coalesce(sell, 0))) AS most,
        coalesce(greatest((closes ->> symbol)::numeric, price, abs(cost / nullif(quantity, 0))), 0) AS price
      FROM (SELECT * FROM position WHERE account = %(account)s) held
      FULL JOIN pending USING (symbol, product) LEFT JOIN market ON true
), total AS (
    SELECT coalesce(sum(most * price), 0) AS exposure,
        coalesce(sum(profit - abs(cost) - (most - abs(quantity)) * price), 0) AS free,
        coalesce(sum(quantity) FILTER (WHERE symbol = %(symbol)s AND product = %(product)s), 0) AS position,
        coalesce(sum(buy) FILTER (WHERE symbol = %(symbol)s AND product = %(product)s), 0) AS buy,
        coalesce(sum(sell) FILTER (WHERE symbol = %(symbol)s AND product = %(product)s), 0) AS sell
      FROM book
)
SELECT (closes ->> %(symbol)s)::numeric, (previous_closes ->> %(symbol)s)::numeric, coalesce(at, clock_timestamp()),
    position, buy, sell, exposure,
    (SELECT capital FROM account WHERE account = %(account)s) + free,
    (SELECT state FROM trading_state_event ORDER BY seq DESC LIMIT 1),
    (SELECT count(*) FROM order_slot WHERE number <= %(rate)s AND used_at > clock_timestamp() - interval '1 second'),
    (SELECT count(*) FROM orders
      WHERE account = %(account)s AND created_at > statement_timestamp() - make_interval(secs => %(window)s)
        AND status <> 'DENIED' AND symbol = %(symbol)s AND side = %(side)s AND type = %(type)s AND product = %(product)s
        AND quantity = %(quantity)s AND limit_price IS NOT DISTINCT FROM %(limit_price)s::numeric
        AND trigger_price IS NOT DISTINCT FROM %(trigger_price)s::numeric),
    {INSTRUMENT}
  FROM total LEFT JOIN market ON true LEFT JOIN instrument i ON i.symbol = %(symbol)s
"""  # noqa: S608 - only constants of this file are put in


def risk_context(
    connection: Connection, request: Mapping[str, Any], limits: Limits, *, paced: bool, without: UUID | None = None
) -> Context:
    """The context of a request, given by its columns.

    A strategy trades in an account of its own, so its exposure is the account's. The paper venue keeps orders until the
    next session, so that the session is never closed here.

    Args:
        paced: the caller keeps the order rate by itself, so neither rate nor duplicates are looked at.
        without: an open order that is left out, as it is the one that the request is to replace.
    """
    asked = {
        **request,
        "rate": limits.max_orders_a_second,
        "window": limits.duplicate_window_s,
        "without": without,
    }
    row = connection.execute(QUERY, asked).fetchone()
    last, previous, at, position, buy, sell, exposure, power, state, recent, duplicates, *listed = row or ()
    names = (field.name for field in dataclasses.fields(Instrument))
    return Context(
        instrument=Instrument(**dict(zip(names, listed, strict=True))) if listed[0] else None,
        reference_price=last,
        position=int(position),
        open_buy=int(buy),
        open_sell=int(sell),
        orders_last_second=0 if paced else recent,
        duplicates=0 if paced or without else duplicates,
        previous_close=previous,
        exposure=exposure,
        strategy_exposure=exposure,
        buying_power=power,
        rates=nse_equity().rates(at.astimezone(IST).date(), Product(request["product"]), Side(request["side"])),
        trading_state=TradingState(state or TradingState.ACTIVE),
    )


def take_slot(connection: Connection, limits: Limits) -> Denial | None:
    """Count an order into the window of the order rate; the denial when the second has no room for it.

    The check before looks at the same window, but orders at the same moment do not see each other there; here they do.
    """
    most = limits.max_orders_a_second
    taken = connection.execute(
        "UPDATE order_slot SET used_at = clock_timestamp() WHERE number = ("
        "SELECT number FROM order_slot WHERE number <= %s AND used_at <= clock_timestamp() - interval '1 second' "
        "LIMIT 1 FOR UPDATE SKIP LOCKED)",
        (most,),
    )
    return None if taken.rowcount else rate_denial(most, most)
