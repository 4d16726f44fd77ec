"""What keeps a rotation from going on."""

from trading.domain.errors import TradingError


class RotationError(TradingError):
    """A rotation that was refused or has stopped; the text says which way out there is, never a value."""

    code = "ROTATION"
