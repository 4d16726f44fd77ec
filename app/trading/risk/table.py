"""The deny codes as a document: `python -m trading.risk.table > docs/engine/risk.md`."""

import sys
from dataclasses import fields

from trading.risk.checks import Limits
from trading.risk.codes import DenyCode

HEAD = """# Risk checks

Every order is checked before it is booked as to be sent; the first check that fails denies it, with a code that never
changes its meaning. A denied order is booked too, as `DENIED` with the code and the numbers behind it. A check that
cannot be made denies. Cancels are not checked and pass in every state. This page is made by
`python -m trading.risk.table`; a test holds it current.

"""

STATES = """
## Limits of an account

Rupees, shares, percent, and seconds as the names say.

"""

SWITCH = """
## Kill switch

| State | What passes |
| --- | --- |
| `ACTIVE` | everything that the checks let pass |
| `REDUCING` | cancels, and orders that can only shrink a position |
| `HALTED` | cancels |

It tightens by itself when equity has fallen too far from its peak, when that cannot be measured, and when an order's
row does not agree with its events. Anybody who trades may tighten it. Only a risk manager loosens it, with a reason;
drawdown is measured anew from there. Each change is a stored event and the newest one is the state, so a restart
changes nothing. `trading state` shows it, `trading state --to HALTED --reason …` changes it.
"""


def page() -> str:
    """The document."""
    codes = ["| Code | Meaning |", "| --- | --- |", *(f"| `{code}` | {code.text} |" for code in DenyCode)]
    limits = Limits()
    table = [f"| `{field.name}` | {getattr(limits, field.name)} |" for field in fields(limits)]
    return "\n".join([HEAD + "\n".join(codes), STATES + "\n".join(["| Limit | |", "| --- | --- |", *table]), SWITCH])


if __name__ == "__main__":
    sys.stdout.write(page())
