"""The tear sheet: one HTML file without scripts, its plots drawn by matplotlib as SVG within it."""

from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from trading.backtest.run import BacktestError, Outcome
from trading.backtest.statistics import statistics
from trading.marketdata.bars import IST
from trading.portfolio.equity import Drawdown, EquityPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PERCENT = {"total_return", "annual_return", "volatility", "max_drawdown", "win_rate"}
INK, BLUE, RED = "#7d8590", "#2f81f7", "#e5534b"  # of the plots: each is legible on white and on black
STYLE = """
:root { color-scheme: light dark; --line: #d8dee4; --label: #fff3cd; --text: #1b1f24; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --line: #30363d; --label: #4d3c07; --text: #e6edf3; --page: #0d1117 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem }
body { color: var(--text); background: var(--page) } div { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
td, th { padding: .2rem .8rem; text-align: right; white-space: nowrap } tr { border-bottom: 1px solid var(--line) }
td:first-child, th:first-child { text-align: left }
svg { max-width: 100%; height: auto } .label { background: var(--label); padding: .5rem 1rem }
code { font-size: 13px; overflow-wrap: anywhere }
"""


def page(title: str, outcome: Outcome, facts: Mapping[str, object], *, synthetic: bool) -> str:
    """The document of a run.

    Args:
        facts: what it was made of, shown as they are.
        synthetic: whether its bars are, which is then said on top.

    Raises:
        BacktestError: matplotlib is not installed.
    """
    label = '<p class="label">Synthetic market data: these figures say nothing about any real market.</p>'
    figures = {name: _figure(name, value) for name, value in statistics(outcome).to_json().items()}
    counts = {**outcome.statuses, **outcome.denials}
    parts = [
        f"<h1>{escape(title)}</h1>",
        label if synthetic else "",
        _plots(outcome.equity),
        "<h2>Figures</h2>",
        _table(figures),
        "<h2>Monthly returns, %</h2>",
        _months(outcome.equity),
        "<h2>Orders</h2>",
        _table(counts),
        f"<p>SHA-256 of the order list: <code>{outcome.digest}</code></p>",
        "<h2>Made of</h2>",
        _table(facts),
    ]
    metas = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f'<!doctype html><html lang="en">{metas}<title>{escape(title)}</title><style>{STYLE}</style>'
    return head + "\n".join(parts) + "</html>\n"


def monthly(equity: Sequence[EquityPoint]) -> dict[tuple[int, int], float]:
    """Returns by year and month, each from the last point before it."""
    found: dict[tuple[int, int], float] = {}
    base, previous = equity[0], equity[0]
    for point in equity[1:]:
        if (point.at.year, point.at.month) != (previous.at.year, previous.at.month):
            base = previous
        found[point.at.year, point.at.month] = float(point.equity / base.equity) - 1 if base.equity > 0 else 0.0
        previous = point
    return found


def depths(equity: Sequence[EquityPoint]) -> list[float]:
    """The fall from the peak at each point, 0 or below."""
    state, found = Drawdown(), []
    for point in equity:
        state = state.after(point)
        found.append(-float(state.depth))
    return found


def _plots(equity: Sequence[EquityPoint]) -> str:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BacktestError("report: needs matplotlib; pip install 'trading[report]', or --no-report") from error
    with mpl.rc_context(
        {
            "svg.hashsalt": "trading",  # the same run draws the same file
            "svg.fonttype": "none",  # its text is text, in the page's font
            "font.size": 10,
            "text.color": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "date.converter": "concise",
            "timezone": IST.key,
        }
    ):
        figure = Figure(figsize=(9.6, 6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        times = [point.at for point in equity]
        _line(upper, times, [float(point.equity) for point in equity], "Equity at the ends of sessions, rupees", BLUE)
        falls = [depth * 100 for depth in depths(equity)]
        _line(lower, times, falls, "Fall from the highest equity before, %", RED)
        lower.fill_between(times, falls, 0, color=RED, alpha=0.2)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]


def _line(axes: "Axes", times: Sequence[Any], values: Sequence[float], name: str, colour: str) -> None:
    axes.plot(times, values, color=colour, linewidth=1)
    axes.set_title(name, loc="left")
    axes.grid(visible=True, alpha=0.3, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    axes.yaxis.set_major_formatter("{x:,.0f}" if "rupees" in name else "{x:g}")


def _months(equity: Sequence[EquityPoint]) -> str:
    moves = monthly(equity)
    rows = ["<tr><th></th>" + "".join(f"<th>{name}</th>" for name in (*MONTHS, "Year")) + "</tr>"]
    for year in sorted({year for year, _ in moves}):
        cells, whole = [], 1.0
        for month in range(1, 13):
            move = moves.get((year, month))
            whole *= 1 + (move or 0)
            cells.append(f"<td>{'' if move is None else f'{move * 100:.1f}'}</td>")
        rows.append(f"<tr><td>{year}</td>{''.join(cells)}<td>{(whole - 1) * 100:.1f}</td></tr>")
    return f"<div><table>{''.join(rows)}</table></div>"


def _figure(name: str, value: object) -> str:
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value * 100:.2f} %" if name in PERCENT else f"{value:,.2f}"


def _table(rows: Mapping[str, object]) -> str:
    cells = (f"<tr><td>{escape(str(k)).replace('_', ' ')}</td><td>{escape(str(v))}</td></tr>" for k, v in rows.items())
    return f"<table>{''.join(cells)}</table>"
