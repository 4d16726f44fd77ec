"""The one cost table: golden vectors by hand, changes of rate, and what must hold at every rate."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.costs.rates import Charges
from trading.costs.table import CostRow, CostTable, CostTableError, nse_equity
from trading.domain.orders import Product, Side

TABLE = nse_equity()
MARCH = date(2026, 3, 2)
CNC, MIS, BUY, SELL = Product.CNC, Product.MIS, Side.BUY, Side.SELL


def charges(day: date, product: Product, side: Side, value: str | int, before: str | int = 0) -> Charges:
    return TABLE.rates(day, product, side).charges(Decimal(value), Decimal(before))


def round_trip(day: date, product: Product, bought: str | int, sold: str | int) -> Charges:
    return charges(day, product, BUY, bought) + charges(day, product, SELL, sold)


@pytest.mark.parametrize(
    ("product", "bought", "sold", "total"),
    [
        # STT 200.50, stamp 15, exchange and fund 6.15535, SEBI 0.2005, GST 18 % of 6.35585: 1.144053.
        (CNC, 100_000, 100_500, "222.999903"),
        # STT 25.125, stamp 3, 6.15535, 0.2005, brokerage 20 + 20, GST 18 % of 46.35585: 8.344053.
        (MIS, 100_000, 100_500, "82.824903"),
        # Brokerage below its cap, 3 + 3.03; STT 2.525, stamp 0.3, 0.61707, 0.0201, GST 18 % of 6.66717: 1.2000906.
        (MIS, 10_000, 10_100, "10.6922606"),
    ],
)
def test_round_trip(product: Product, bought: int, sold: int, total: str) -> None:
    assert round_trip(MARCH, product, bought, sold).total == Decimal(total)


def test_items_of_a_delivery_round_trip() -> None:
    assert round_trip(MARCH, CNC, 100_000, 100_500) == Charges(
        stt=Decimal("200.5"),
        stamp=Decimal(15),
        exchange=Decimal("6.1551495"),
        ipft=Decimal("0.0002005"),
        sebi=Decimal("0.2005"),
        gst=Decimal("1.144053"),
    )


def test_delivery_pays_transaction_tax_on_both_sides_and_sebi_is_in_the_base_of_gst() -> None:
    """Lean's model of these fees charges the tax on sales only and leaves SEBI out of the base."""
    buy = charges(MARCH, CNC, BUY, 1_000_000)
    assert buy.stt == 1000
    assert buy.gst == (buy.exchange + buy.ipft + buy.sebi) * Decimal("0.18")


@pytest.mark.parametrize(
    ("day", "exchange", "ipft", "sebi"),
    [
        # Rupees a crore, from each day of a change and from the day before.
        (date(2020, 7, 1), "325", "0.01", "5"),
        (date(2020, 12, 31), "325", "0.01", "5"),
        (date(2021, 1, 1), "345", "0.01", "5"),
        (date(2021, 3, 31), "345", "0.01", "5"),
        (date(2021, 4, 1), "345", "0.01", "10"),
        (date(2023, 3, 31), "345", "0.01", "10"),
        (date(2023, 4, 1), "325", "10", "10"),
        (date(2024, 4, 1), "322", "10", "10"),
        (date(2024, 9, 30), "322", "10", "10"),
        (date(2024, 10, 1), "297", "10", "10"),
        (date(2026, 2, 28), "297", "10", "10"),
        (date(2026, 3, 1), "306.99", "0.01", "10"),
        (date(2030, 1, 1), "306.99", "0.01", "10"),
        (date(2015, 1, 1), "325", "0.01", "5"),
    ],
)
def test_rates_of_a_day(day: date, exchange: str, ipft: str, sebi: str) -> None:
    found = charges(day, CNC, BUY, 10_000_000)
    assert (found.exchange, found.ipft, found.sebi) == (Decimal(exchange), Decimal(ipft), Decimal(sebi))


def test_change_of_rate_by_hand() -> None:
    """The same intraday round trip the day before and on 1 October 2024: 322 + 10 becomes 297 + 10 a crore."""
    # STT 25.125, stamp 3, exchange 6.6566 (then 6.15535), SEBI 0.2005, brokerage 40, GST 8.434278 (8.344053).
    assert round_trip(date(2024, 9, 30), MIS, 100_000, 100_500).total == Decimal("83.416378")
    assert round_trip(date(2024, 10, 1), MIS, 100_000, 100_500).total == Decimal("82.824903")


def test_depository_is_paid_for_delivery_sales_only() -> None:
    rates = {(product, side): TABLE.rates(MARCH, product, side) for product in Product for side in Side}
    assert {key for key, found in rates.items() if found.depository} == {(CNC, SELL)}
    assert rates[CNC, SELL].depository == Decimal("15.34")
    assert TABLE.rates(date(2024, 9, 30), CNC, SELL).depository == Decimal("15.93")


def test_contract_note_rounds_taxes_to_rupees_and_the_rest_to_paise() -> None:
    note = round_trip(MARCH, CNC, 100_000, 100_500).rounded()
    assert note == Charges(
        stt=Decimal(201), stamp=Decimal(15), exchange=Decimal("6.16"), sebi=Decimal("0.20"), gst=Decimal("1.14")
    )
    assert note.total == Decimal("223.50")


def test_table_begins_where_its_last_charge_does() -> None:
    assert TABLE.begins == date(2020, 7, 1)
    assert all(row.source for row in TABLE.rows)


def test_bad_table_is_refused() -> None:
    with pytest.raises(CostTableError, match="charges exchange, sebi, gst: have no row"):
        CostTable([row for row in TABLE.rows if row.charge == "stt"])
    odd = replace(TABLE.rows[0], charge="tip")
    with pytest.raises(CostTableError, match="charge=tip: not one of brokerage"):
        CostTable([*TABLE.rows, odd])


def test_newer_row_replaces_only_its_own_charge_product_and_side() -> None:
    row = CostRow(
        effective_from=date(2027, 1, 1),
        charge="stt",
        product="MIS",
        side="SELL",
        percent=Decimal("0.05"),
        rupees=None,
        source="a test",
    )
    table = CostTable([*TABLE.rows, row])
    assert table.rates(date(2026, 12, 31), MIS, SELL) == TABLE.rates(MARCH, MIS, SELL)
    assert table.rates(date(2027, 1, 1), MIS, SELL).stt == Decimal("0.0005")
    assert table.rates(date(2027, 1, 1), CNC, SELL) == TABLE.rates(MARCH, CNC, SELL)


values = st.decimals(Decimal("0.05"), Decimal(100_000_000), places=2)
days = st.dates(date(2018, 1, 1), date(2028, 1, 1))
kinds = (st.sampled_from(Product), st.sampled_from(Side))


@given(days, *kinds, values, values)
def test_total_is_the_sum_of_the_items_and_never_falls_with_the_value(
    day: date, product: Product, side: Side, one: Decimal, other: Decimal
) -> None:
    rates = TABLE.rates(day, product, side)
    small, large = sorted((one, other))
    assert rates.total(small) == rates.charges(small).total
    assert 0 < rates.total(small) <= rates.total(large)
    assert rates.total(large, small) == rates.charges(large, small).total


@given(days, *kinds, st.lists(values, min_size=1, max_size=8))
def test_charges_do_not_depend_on_how_an_order_is_split_into_trades(
    day: date, product: Product, side: Side, parts: list[Decimal]
) -> None:
    """The cap on brokerage is an order's: its trades share it."""
    rates = TABLE.rates(day, product, side)
    before = total = Decimal(0)
    for part in parts:
        total += rates.total(part, before)
        before += part
    assert total == rates.total(before)


@given(st.lists(st.tuples(*kinds, values), max_size=6))
def test_rounding_moves_a_day_by_less_than_half_a_unit_an_item(trades: list[tuple[Product, Side, Decimal]]) -> None:
    total = Charges()
    for product, side, value in trades:
        total = total + TABLE.rates(MARCH, product, side).charges(value)
    assert abs(total.rounded().total - total.total) <= Decimal("0.5") * 2 + Decimal("0.005") * 5
