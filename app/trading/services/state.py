"""The command `trading state`: look at the kill switch, or change it."""

import psycopg

from trading.risk.killswitch import KillSwitchError, TradingState
from trading.security.credentials import MountedCredential
from trading.settings import Settings
from trading.storage.connection import Connection, logins
from trading.storage.errors import StorageUnavailable
from trading.storage.tradingstate import change_state, trading_state


def state(settings: Settings, to: TradingState | None, reason: str, actor: str) -> TradingState:
    """The state, after the change if one is asked for; the same change again is none.

    Who may run this has the database's password in reach, and counts as a risk manager.

    Raises:
        KillSwitchError: no reason is given.
        StorageUnavailable: the database does not answer.
    """
    credential = MountedCredential(settings.credentials_dir, "postgres-app")
    try:
        with Connection.connect(logins=logins(settings, credential, "trading-state")) as connection:
            if to is None:
                return trading_state(connection)
            if not reason.strip():
                raise KillSwitchError("reason: is empty; say why, with --reason")
            with connection.writing():
                change_state(connection, to, reason=reason, actor=actor)
            return to
    except psycopg.OperationalError as error:
        raise StorageUnavailable(f"no writable PostgreSQL answers: {str(error).strip().splitlines()[0]}") from error
