"""The strategies as a document: `python -m trading.strategies.table > docs/engine/strategies.md`."""

import sys
from textwrap import fill

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from trading.strategies.registry import DEFAULTS, OURS, Kind

HEAD = """# Strategies

A strategy is a pure function from closed bars to wanted shares of its capital. It keeps nothing between calls and sees
no bar that has not closed; what it wants is traded at the next one, as a market order with protection. A symbol that it
leaves out stays as it is, and so does a position on the wanted side whose value is between half and twice what is
wanted. `CNC` strategies hold and are never short; `MIS` strategies may be short and go flat by themselves before the
session ends.

Nothing here is a promise of profit: the kinds are customary ones, the defaults are customary values, and the market
that is shipped is synthetic. This page is made by `python -m trading.strategies.table`; a test holds it current.

`window` is how many closed bars of a symbol a strategy needs before it trades it. At the start the market data role
plays at once as many steps as the hungriest strategy on record needs, enabled or not, and the engine takes its history
from the bars that are kept in PostgreSQL: one that is enabled later trades at the next step. Where bars are missing
all the same, `bars_missing` of `GET /v1/strategies/NAME` says how many.

A new database begins with these, the enabled one trading:

"""

TAIL = """
## In arrays

In a backtest a strategy need not be asked bar by bar: one that has `wants` says in arrays, of all bars at once, which
of its few shares it wants after each. Floats that lie too near a threshold leave a bar open, and there the strategy
itself is asked; so both ways place the same orders, which a test holds for every kind, on random and on real bars.
These can: {arrays}. The classifier cannot: at every bar
the drift of its features over all symbols decides whether it may trade, and nearly every bar would be left open.

## Your own

A package adds a kind under the entry-point group `trading.strategies`; the object is a `Kind` of
`trading.strategies.registry`: a name, a title, a Pydantic model of the parameters (each with a default), and what makes
a strategy of a name and checked parameters. What a strategy must be is `Strategy` of `trading.strategies.base`. The
property tests in `tests/app/test_strategies.py` run over every registered kind.

## The classifier's model

`trading backtest train --data bars.parquet --out model.json` trains a logistic regression with scikit-learn
(`pip install 'trading[ml]'`), walking forward: each fold is trained on what came before it and measured on what
follows, with a gap of the horizon between. The artefact is JSON: weights, training period, bins of each feature, the
folds' accuracy beside the base rate, and a SHA-256 over all of it. It is a parameter like any other, whole, so it is
checked when it is set, it is in the record of changes, and no process reads a file that somebody else may have changed.

It says in its metrics how well the model still suits, at most every fifteen seconds:

| Metric of the engine role | |
| --- | --- |
| `trading_strategy_feature_drift{strategy,feature}` | population stability index; above 0.25 is customarily much |
| `trading_strategy_model_age_days{strategy}` | days from the newest bar of the training to the market's time |
| `trading_strategy_model_stale{strategy}` | 1 when it is older than `max_age_days` and stands still |

It refuses to trade with no model, on bars that the model has seen, when the model is older than `max_age_days`, and
when the largest population stability index of its features is above `max_drift`. A model whose digest, schema or
features do not match is refused when the strategy is made. Beta: what its parameters mean may still change.
"""


def page() -> str:
    """The document."""
    names = ["| Name | Kind | |", "| --- | --- | --- |"]
    names += [f"| `{i.name}` | `{i.kind}` | {'enabled' if i.enabled else ''} |".replace("  |", " |") for i in DEFAULTS]
    return HEAD + "\n".join([*names, *(_section(kind) for kind in OURS)]) + "\n" + _tail()


def _tail() -> str:
    names = [f"`{kind.name}`" for kind in OURS if hasattr(kind.make("example", kind.parameters()), "wants")]
    return TAIL.replace("{arrays}", f"{', '.join(names[:-1])} and {names[-1]}")


def _section(kind: Kind) -> str:
    made = kind.make("example", kind.parameters())
    title = f"\n## {kind.title[0].upper()}{kind.title[1:]}{' (beta)' if kind.is_beta else ''}\n"
    what = fill(" ".join((type(made).__doc__ or "").split()).replace("; see `Strategy`", ""), 120)
    facts = f"Kind `{kind.name}`, product `{made.product}`, {made.window} bars of each symbol with the defaults.\n"
    rows = ["| Parameter | Default | Range | |", "| --- | --- | --- | --- |"]
    rows += [_row(name, field) for name, field in kind.parameters.model_fields.items()]
    return "\n".join([title, f"{what}\n", facts, *rows])


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.default is None else f"`{field.default}`"
    return f"| `{name}` | {default} | {_range(field)} | {field.description} |".replace("|  |", "| |")


def _range(field: FieldInfo) -> str:
    words = []
    for rule in field.metadata:
        match rule:
            case Ge(ge=bound):
                words.append(f"from {bound}")
            case Gt(gt=bound):
                words.append(f"above {bound}")
            case Le(le=bound):
                words.append(f"to {bound}")
            case Lt(lt=bound):
                words.append(f"below {bound}")
    return " ".join(words)


if __name__ == "__main__":
    sys.stdout.write(page())
