"""The adapter of an HTTP broker: one call, one answer, or an honest doubt."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from trading.costs.table import nse_equity
from trading.domain.errors import TradingError
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    Modified,
    ModifyRejected,
    OutcomeUnknown,
    Rejected,
)
from trading.domain.orders import Mode, Order, Terms
from trading.execution.broker import (
    CancelAnswer,
    ModifyAnswer,
    Report,
    SubmitAnswer,
    VenueOrder,
    VenueState,
    tag_of,
)
from trading.execution.http.wire import (
    Busy,
    Done,
    Doubt,
    Refused,
    Reply,
    is_genuine,
    order_form,
    orders_of,
    reply,
    terms_form,
)
from trading.marketdata.bars import Step

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
MAX_BODY = 8 * 2**20  # an order book of a very busy day
LOST_AFTER_S = 60.0  # much longer than any call of ours may be under way
LOST_LOOKS = 5
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEYS = ("api-key", "api-secret", "access-token")


class BrokerError(TradingError):
    """A broker that cannot be used as it is set up."""

    code = "BROKER"


class HttpBroker:
    """See the module. Takes LIVE orders only.

    Args:
        url: of the API, without a path's closing slash; https, but for a server on loopback.
        credentials: a folder with the files `api-key`, `api-secret` and `access-token`, read anew for each call, as
            brokers hand out another token every day.
        max_orders_a_second: ten is SEBI's threshold for algorithms that are not registered one by one.
        clock: seconds that never jump.

    Raises:
        BrokerError: the url or a credential cannot be used.
    """

    mode = Mode.LIVE

    def __init__(
        self,
        url: str,
        credentials: Path,
        *,
        venue: str = "http",
        timeout_s: float = TIMEOUT_S,
        max_orders_a_second: int | None = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise BrokerError(f"broker url={url}: must be https, so that nobody between reads the token")
        self.venue = venue
        self.max_orders_a_second = max_orders_a_second
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._clock = clock
        self._client = httpx.Client(base_url=url, timeout=timeout_s)
        self._costs = nse_equity()
        self._news = Event()
        self._missing: dict[UUID, tuple[float, int]] = {}
        for name in KEYS:
            self._key(name)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def submit(self, order: Order, market_time: datetime | None) -> SubmitAnswer:
        """See `BrokerAdapter.submit`."""
        if order.request.mode is not self.mode:
            return Rejected(f"mode={order.request.mode}: {self.venue} takes {self.mode} orders only")
        if not order.request.algo_id:
            return Rejected("algo_id: is empty; a LIVE order needs the exchange's tag of its algorithm")
        match self._call("POST", "/orders/regular", order_form(order)):
            case Done(data={"order_id": str(name)}) if name:
                return Accepted(name, market_time)
            case Refused(reason=reason) | Busy(reason=reason):
                return Rejected(reason)
            case Doubt(reason=reason):
                return OutcomeUnknown(reason)
            case _:
                return OutcomeUnknown("the broker did not say under which name it has the order")

    def query(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | None:
        """See `BrokerAdapter.query`: by tag. One look that does not find it proves nothing; many over a minute do."""
        theirs = self._orders()
        if theirs is None:
            return None
        found = [one for one in theirs if one.tag == tag_of(order)]
        if not found:
            since, looks = self._missing.get(order.order_id, (self._clock(), 0))
            self._missing[order.order_id] = since, looks + 1
            if looks + 1 < LOST_LOOKS or self._clock() - since < LOST_AFTER_S:
                return None
        self._missing.pop(order.order_id, None)
        if not found:
            return Rejected(f"the order never reached {self.venue}: not in {LOST_LOOKS} or more looks at its book")
        if found[0].state is VenueState.REJECTED:
            return Rejected(found[0].reason or "rejected by the venue")
        return Accepted(found[0].venue_order_id, market_time)

    def cancel(self, order: Order, market_time: datetime | None) -> CancelAnswer:
        """See `BrokerAdapter.cancel`; a refusal is looked at, as a repeated cancel is refused for being done."""
        answer = self._call("DELETE", f"/orders/regular/{order.venue_order_id}")
        self._news.set()
        match answer:
            case Done():
                return None
            case Doubt(reason=reason) | Busy(reason=reason):
                return OutcomeUnknown(reason)
        theirs = self._look(order)
        if theirs is None:
            return OutcomeUnknown(answer.reason)
        if theirs.state is VenueState.CANCELLED:
            return Cancelled(theirs.reason or "on request")
        return CancelRejected(answer.reason)

    def modify(self, order: Order, change: Terms, market_time: datetime | None) -> ModifyAnswer:
        """See `BrokerAdapter.modify`; a refusal is looked at, as a repeated change is refused for being done."""
        form = terms_form(change) | {"order_type": order.request.order_type.value}
        answer = self._call("PUT", f"/orders/regular/{order.venue_order_id}", form)
        self._news.set()
        match answer:
            case Done():
                return None
            case Doubt(reason=reason) | Busy(reason=reason):
                return OutcomeUnknown(reason)
        theirs = self._look(order)
        if theirs is None:
            return OutcomeUnknown(answer.reason)
        return Modified(*change) if theirs.terms == change else ModifyRejected(answer.reason)

    def reports(self, step: Step, previous_at: datetime | None, working: Sequence[Order]) -> Sequence[Report]:
        """Nothing: the broker has a market of its own, see `snapshot`."""
        return []

    def snapshot(self, working: Sequence[Order], market_time: datetime | None) -> Sequence[VenueOrder] | None:
        """See `BrokerAdapter.snapshot`."""
        self._news.clear()
        return self._orders()

    def has_news(self) -> bool:
        """See `BrokerAdapter.has_news`."""
        return self._news.is_set()

    def take_postback(self, body: bytes) -> bool:
        """A call of the broker's; False when its checksum is wrong.

        It is only a hint to look at the books: repeated, late or reordered ones do no harm.
        """
        try:
            genuine = is_genuine(body, self._key("api-secret"))
        except BrokerError:
            return False
        if genuine:
            self._news.set()
        return genuine

    def _look(self, order: Order) -> VenueOrder | None:
        found = [one for one in self._orders() or () if one.venue_order_id == order.venue_order_id]
        return found[0] if found else None

    def _orders(self) -> list[VenueOrder] | None:
        """The order book with its trades; None when it cannot be had or read."""
        rows = self._call("GET", "/orders")
        trades = self._call("GET", "/trades") if isinstance(rows, Done) else rows
        if not isinstance(rows, Done) or not isinstance(trades, Done):
            log.warning("the broker's books cannot be had", extra={"reason": getattr(trades, "reason", "")})
            return None
        try:
            return orders_of(rows.data, trades.data, self.venue, self._costs)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("the broker's books cannot be read", extra={"error": type(error).__name__})
            return None

    def _call(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Reply:
        """One request. Never raises: what goes wrong on the way is doubt."""
        begin = self._clock()
        try:
            headers = {"Authorization": f"token {self._key('api-key')}:{self._key('access-token')}"}
            with self._client.stream(method, path, data=form, headers=headers) as response:
                body = b""
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_BODY or self._clock() - begin > 2 * self._timeout_s:
                        return Doubt("the answer is too long, or takes too long")
            return reply(response.status_code, body)
        except (httpx.HTTPError, httpx.InvalidURL, BrokerError, OSError) as error:
            return Doubt(f"{type(error).__name__} on the way to {self.venue}")

    def _key(self, name: str) -> str:
        try:
            value = (self._credentials / name).read_text().strip()
        except OSError as error:
            raise BrokerError(f"broker credential {name}: is not mounted at {self._credentials}; mount it") from error
        if not value.isascii() or not value.isprintable() or not value:
            raise BrokerError(f"broker credential {name}: is empty or not plain text; correct the Secret")
        return value
