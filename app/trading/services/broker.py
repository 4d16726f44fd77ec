"""The broker of the execution role: opened as the settings say, listened to where it calls back, and closed again."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from trading.domain.errors import Unfit
from trading.domain.instruments import Instrument
from trading.domain.orders import Mode
from trading.execution.broker import BrokerAdapter, TakesPostbacks
from trading.execution.http.postback import PostbackServer
from trading.execution.registry import Setup, open_broker
from trading.marketdata.source import SYNTHETIC
from trading.settings import Settings
from trading.storage.broker import Broker

FOLDER = "broker"  # of the credentials


class BrokerUnfit(Unfit):
    """The broker does not go with the other settings."""

    code = "BROKER_UNFIT"


def fit(settings: Settings) -> Broker:
    """Open the broker and close it again, so that what is wrong with it is told before anything else is done.

    Raises:
        TradingError: it cannot be used as it is set up, or does not go with the other settings.
    """
    wanted = settings.broker
    with closing(_open(settings, {})) as broker:
        if wanted.postback and not isinstance(broker, TakesPostbacks):
            host, port = wanted.postback
            raise BrokerUnfit(
                f"TRADING_BROKER_POSTBACK={host}:{port}: broker {wanted.name} has no calls back; unset it"
            )
        if broker.mode is Mode.LIVE and settings.feed_source == SYNTHETIC and not wanted.is_sandbox:
            raise BrokerUnfit(
                f"TRADING_FEED_SOURCE={SYNTHETIC}: broker {wanted.name} takes {broker.mode} orders, and these prices "
                f"are made up; name a real feed, or set TRADING_BROKER_SANDBOX=yes where nothing real is traded there"
            )
        return Broker(wanted.name, broker.mode, wanted.algo_id or None)


@contextmanager
def opened(settings: Settings, listed: Mapping[str, Instrument]) -> Iterator[BrokerAdapter]:
    """The broker, as long as the body runs, with the listener for its calls back.

    Raises:
        TradingError: it cannot be used as it is set up.
        OSError: the port for its calls back is taken.
    """
    with closing(_open(settings, listed)) as broker:
        address = settings.broker.postback
        if address is None or not isinstance(broker, TakesPostbacks):
            yield broker
            return
        server = PostbackServer(address, broker.take_postback)
        server.start()
        try:
            yield broker
        finally:
            server.stop()


def _open(settings: Settings, listed: Mapping[str, Instrument]) -> BrokerAdapter:
    setup = Setup(
        instruments=listed,
        credentials=settings.credentials_dir / FOLDER,
        url=settings.broker.url,
        timeout_s=float(settings.broker.timeout_s),
        max_orders_a_second=settings.max_orders_a_second,
        seed=settings.seed,
    )
    return open_broker(settings.broker.name, setup)
