"""What can go wrong with the store, told apart by what the caller may conclude."""

from trading.domain.errors import TradingError


class StorageUnavailable(TradingError):
    """No connection was to be had: nothing was written."""

    code = "STORAGE_UNAVAILABLE"


class CommitUnconfirmed(TradingError):
    """The connection went away, or replication was given up, while a write was under way: it may be there or not."""

    code = "OUTCOME_UNKNOWN"


class ClientOrderIdReused(TradingError):
    """The client order id belongs to an order with another content."""

    code = "CLIENT_ORDER_ID_REUSED"


class LeadershipLost(TradingError):
    """Another engine has taken over; nothing of this transaction was written."""

    code = "LEADERSHIP_LOST"
