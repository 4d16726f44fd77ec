"""What can go wrong with the store, told apart by what the caller may conclude."""

from trading.domain.errors import TradingError


class StorageUnavailable(TradingError):
    """No connection was to be had: nothing was written."""

    code = "STORAGE_UNAVAILABLE"


class CommitUnconfirmed(TradingError):
    """The connection went away, or replication was given up, while a write was under way: it may be there or not."""

    code = "OUTCOME_UNKNOWN"


class AccountNotFound(TradingError):
    """There is no account with this name."""

    code = "ACCOUNT_NOT_FOUND"


class ClientOrderIdReused(TradingError):
    """The client order id belongs to an order with another content."""

    code = "CLIENT_ORDER_ID_REUSED"


class OrderNotFound(TradingError):
    """There is no order with this id."""

    code = "ORDER_NOT_FOUND"


class OrderOver(TradingError):
    """Nothing can be asked of the order any more: it has been filled, refused, or has ended in another way."""

    code = "ORDER_OVER"


class OrderBusy(TradingError):
    """The order waits for an answer of the venue; ask again when it has come."""

    code = "ORDER_BUSY"


class LeadershipLost(TradingError):
    """Another engine has taken over; nothing of this transaction was written."""

    code = "LEADERSHIP_LOST"
