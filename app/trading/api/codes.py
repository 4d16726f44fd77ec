"""The codes of problems, all of them, and the page on them: `python -m trading.api.codes > docs/engine/errors.md`."""

import sys
from dataclasses import dataclass
from http import HTTPStatus

from trading.risk.codes import DenyCode

BAD, UNKNOWN, FORBIDDEN, GONE, NO_METHOD, CONFLICT, INVALID, BUSY, AWAY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


@dataclass(frozen=True, slots=True)
class Code:
    """A reason why a request was not done: its HTTP status, and what it means and what to do."""

    status: HTTPStatus
    text: str


CODES = {
    "BAD_REQUEST": Code(BAD, "The request cannot be read: its JSON or its headers are broken."),
    "IDEMPOTENCY_KEY_INVALID": Code(BAD, "The header `Idempotency-Key` is not 1 to 64 of `A-Z a-z 0-9 _ . : -`."),
    "KEY_REFUSED": Code(UNKNOWN, "The key is missing or wrong."),
    "TOKEN_REFUSED": Code(UNKNOWN, "The token is not good, or not any more; refresh it or log in."),
    "LOGIN_REFUSED": Code(UNKNOWN, "Name and password do not fit, or the user is disabled."),
    "SIGNATURE_REFUSED": Code(UNKNOWN, "The signature is missing, wrong, too old, or was used before."),
    "ADDRESS_REFUSED": Code(FORBIDDEN, "The address that the request comes from is not on the list."),
    "ADDRESS_UNKNOWN": Code(FORBIDDEN, "It cannot be said from which address the request comes."),
    "LOGIN_NEEDED": Code(FORBIDDEN, "It takes a user who has logged in; a key cannot do it."),
    "ROLE_REFUSED": Code(FORBIDDEN, "What was asked for takes a higher role."),
    "NOT_FOUND": Code(GONE, "There is no such path."),
    "ACCOUNT_NOT_FOUND": Code(GONE, "There is no such account, or it is not yours."),
    "ORDER_NOT_FOUND": Code(GONE, "There is no such order, or it is not yours."),
    "STRATEGY_NOT_FOUND": Code(GONE, "There is no such strategy."),
    "BACKTEST_NOT_FOUND": Code(GONE, "There is no such backtest."),
    "SYMBOL_NOT_FOUND": Code(GONE, "There is no such symbol."),
    "QUOTE_NOT_FOUND": Code(GONE, "The symbol has no quote."),
    "INDEX_NOT_FOUND": Code(GONE, "There is no such index, or no list of it for that day."),
    "USER_NOT_FOUND": Code(GONE, "There is no such user."),
    "KEY_NOT_FOUND": Code(GONE, "There is no such key, or it is not yours."),
    "METHOD_NOT_ALLOWED": Code(NO_METHOD, "The path has no such method; `Allow` names those it has."),
    "CLIENT_ORDER_ID_REUSED": Code(CONFLICT, "The client order id names another order; take a new one."),
    "IDEMPOTENCY_KEY_REUSED": Code(CONFLICT, "The key came with another request before; take a new one."),
    "ORDER_OVER": Code(CONFLICT, "The order has ended; nothing can be asked of it any more."),
    "ORDER_BUSY": Code(CONFLICT, "The order waits for an answer of the venue; ask again when that has come."),
    "STRATEGY_VERSION": Code(CONFLICT, "The strategy has changed since the version that was named; read it again."),
    "VERSION_STALE": Code(CONFLICT, "It has changed since the version that was named; read it again."),
    "USER_EXISTS": Code(CONFLICT, "The name is taken."),
    "USER_IS_SELF": Code(CONFLICT, "Nobody changes their own rights; ask another administrator."),
    "KEYS_TOO_MANY": Code(CONFLICT, "There are as many keys as one may have; revoke one."),
    "KEY_ENDED": Code(CONFLICT, "The key is revoked or expired; create another."),
    "ALLOWLIST_FULL": Code(CONFLICT, "The list has as many networks as it may have; remove one."),
    "ALLOWLIST_LOCKS_OUT": Code(CONFLICT, "The change would lock out the address that it comes from; list that first."),
    "NETWORK_IN_FILE": Code(CONFLICT, "The network is in the deployment's file; remove it there."),
    "BACKTEST_NOT_DONE": Code(CONFLICT, "The backtest has no result (yet); its status says why."),
    "REQUEST_ENTITY_TOO_LARGE": Code(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is longer than 16 KiB."),
    "UNSUPPORTED_MEDIA_TYPE": Code(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is not `application/json`."),
    "REQUEST_INVALID": Code(INVALID, "Fields break rules; `errors` names each field and its rule."),
    "ORDER_INVALID": Code(INVALID, "The order is wrong by itself: its prices do not suit its type and side."),
    "STRATEGY_INVALID": Code(INVALID, "Parameters do not suit the kind of strategy; `errors` names each field."),
    "BACKTEST_INVALID": Code(INVALID, "A strategy or a combination of the sweep cannot be built."),
    "STRATEGY_REASON": Code(INVALID, "A change of a strategy needs a reason."),
    "ACCOUNT_UNKNOWN": Code(INVALID, "A user is given an account that is not there."),
    "PASSWORD_INVALID": Code(INVALID, "The new password is too weak."),
    "NETWORK_INVALID": Code(INVALID, "It is neither an address nor a network."),
    "KILL_SWITCH": Code(INVALID, "The kill switch cannot be changed so."),
    "RATE_LIMITED": Code(BUSY, "Too many requests of this caller; `Retry-After` says when to come back."),
    "LOGIN_THROTTLED": Code(BUSY, "Too many tries to log in; `Retry-After` says when to come back."),
    "STREAMS_EXHAUSTED": Code(BUSY, "This process has as many streams open as it serves."),
    "INTERNAL": Code(HTTPStatus.INTERNAL_SERVER_ERROR, "An error of ours; it has been logged."),
    "LOGIN_BUSY": Code(AWAY, "Too many passwords are being checked. Try again."),
    "ALLOWLIST_UNKNOWN": Code(AWAY, "It has not been read yet from where the API may be used. Try again."),
    "STORAGE_UNAVAILABLE": Code(AWAY, "PostgreSQL has no writable member; nothing was done. Try again."),
    "OUTCOME_UNKNOWN": Code(AWAY, "It may have been done or not. Send the same again, with the same id or key."),
    "CACHE_UNAVAILABLE": Code(AWAY, "Redis is away; what needs no quotes still works. Try again."),
    "CREDENTIALS": Code(AWAY, "The keys to compare with are not mounted."),
}

HEAD = """# Errors

Every answer from 400 on is `application/problem+json` (RFC 9457) with a `code` that never changes its meaning; title
and detail are for people and may. What was sent is never repeated in it. This page is made by
`python -m trading.api.codes`; a test holds it current and complete.

| Code | Status | |
|---|---|---|
"""
FOOT = """
An order that the risk check denies is booked and answered with 422 and one of the codes `RISK_*`: see
[risk checks](risk.md).

## Sending again

- `GET`, `PUT` and `PATCH`, cancels, and placing an order under the same `client_order_id` are safe to send again.
- Other requests that change something take an `Idempotency-Key` of your choice. The first answer is kept for a day and
  given again, whatever has happened since; a refusal is not kept.
- 503 carries `Retry-After`. `OUTCOME_UNKNOWN` is the one answer after which it is not known what was done: send the
  same request again to find out.
"""


def page() -> str:
    """The page as Markdown."""
    rows = (f"| `{name}` | {code.status.value} | {code.text} |" for name, code in CODES.items())
    return HEAD + "\n".join(rows) + "\n" + FOOT


def status_of(code: str) -> HTTPStatus | None:
    """The status of an error that came up below the API; None for what must not come up there."""
    if code in CODES:
        return CODES[code].status
    return INVALID if code in list(DenyCode) else None


if __name__ == "__main__":
    sys.stdout.write(page())
