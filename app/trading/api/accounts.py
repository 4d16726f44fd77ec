"""Which accounts a request is about: those of the caller, and no others."""

from http import HTTPStatus

from trading.api.access import own_account, principal
from trading.api.problems import refuse
from trading.storage.connection import Connection
from trading.storage.listings import capital


def mine(account: str | None) -> str | frozenset[str] | None:
    """The filter of a list: the account that is asked for, else all of the caller's; None when these are all."""
    return own_account(account) if account is not None else principal().accounts


def must_exist(connection: Connection, account: str) -> None:
    """End the request with 404 when there is no such account."""
    if capital(connection, account) is None:
        refuse(HTTPStatus.NOT_FOUND, "ACCOUNT_NOT_FOUND", "there is no such account")
