"""The codes with which an order is denied. They are part of the API: a code never changes its meaning."""

from enum import StrEnum


class DenyCode(StrEnum):
    """A reason to deny, in the order in which the checks are made; `text` says what it means and what to do."""

    HALTED = "RISK_HALTED"
    REDUCING = "RISK_REDUCING"
    SESSION = "RISK_SESSION"
    ALGO = "RISK_ALGO"
    SYMBOL = "RISK_SYMBOL"
    RATE = "RISK_RATE"
    DUPLICATE = "RISK_DUPLICATE"
    QUANTITY = "RISK_QTY"
    FREEZE = "RISK_FREEZE"
    LOT = "RISK_LOT"
    TICK = "RISK_TICK"
    PROTECTION = "RISK_PROTECTION"
    NO_PRICE = "RISK_NO_PRICE"
    BAND = "RISK_BAND"
    DEVIATION = "RISK_DEVIATION"
    NOTIONAL = "RISK_NOTIONAL"
    HOLDING = "RISK_HOLDING"
    POSITION = "RISK_POSITION"
    EXPOSURE = "RISK_EXPOSURE"
    STRATEGY = "RISK_STRATEGY"
    CASH = "RISK_CASH"
    ERROR = "RISK_ERROR"

    @property
    def text(self) -> str:
        """One line for people."""
        return TEXTS[self]


TEXTS = {
    DenyCode.HALTED: "The kill switch is on: nothing but cancels passes until somebody resets it.",
    DenyCode.REDUCING: "Only orders that shrink a position pass, beside cancels.",
    DenyCode.SESSION: "The exchange takes no orders now.",
    DenyCode.ALGO: "A LIVE order without the exchange's tag of its algorithm; give the strategy its `algo_id`, or the "
    "broker one for orders of people.",
    DenyCode.SYMBOL: "The symbol is not listed.",
    DenyCode.RATE: "More orders within one second than allowed, all strategies together; send it again later.",
    DenyCode.DUPLICATE: "An equal order was placed a moment ago; taken for a double dispatch.",
    DenyCode.QUANTITY: "More shares in one order than allowed; split it.",
    DenyCode.FREEZE: "More shares than the exchange takes in one order before it freezes it; split it.",
    DenyCode.LOT: "Not a multiple of the lot.",
    DenyCode.TICK: "A price that is not on the instrument's tick.",
    DenyCode.PROTECTION: "MARKET and SL-M need a market protection percentage within the limit.",
    DenyCode.NO_PRICE: "The symbol has not traded yet, so that nothing can be measured.",
    DenyCode.BAND: "A price outside the day's circuit limits.",
    DenyCode.DEVIATION: "A price too far from the last one.",
    DenyCode.NOTIONAL: "More rupees in one order than allowed; split it.",
    DenyCode.HOLDING: "A delivery sale of shares that are not held, or that another open order sells.",
    DenyCode.POSITION: "More rupees in one symbol than allowed, open orders counted as filled.",
    DenyCode.EXPOSURE: "More rupees in the account's positions and open orders than allowed.",
    DenyCode.STRATEGY: "More rupees in the strategy's positions and open orders than allowed.",
    DenyCode.CASH: "Buying power does not pay for it, open orders and charges counted.",
    DenyCode.ERROR: "A check could not be made. What cannot be checked does not pass.",
}
