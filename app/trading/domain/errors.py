"""Errors of the core, each with a stable code."""


class TradingError(Exception):
    """An error that a caller can act on; `code` is stable, the text names field, value, rule and way out."""

    code = "TRADING"


class Unfit(TradingError):
    """What no repetition mends: the process ends with it, so that it is seen and whoever led before goes on."""

    code = "UNFIT"


class InvalidOrder(TradingError):
    """An order request that is wrong by itself, whatever the state of the world."""

    code = "ORDER_INVALID"

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field, self.rule = field, rule
        super().__init__(f"{field}={value}: {rule}")


class IllegalTransition(TradingError):
    """An event that the order's state does not admit."""

    code = "ORDER_TRANSITION"
