"""What the check of a signed request costs, by kind of key: processor time of the process that checks.

    make bench-signing         (ARGS="--requests 3000")

The app is in this process and its checks run one after the other, so that the time of the process is theirs alone;
PostgreSQL and Redis are servers of their own, reached over loopback with TLS as in the platform. A user's key is looked
up at most once in `HOLDS_S`; what it costs when it must be each time is told too. One JSON line at the end; exit 1 when
a kind of key costs more than the budget.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from apiflask import APIFlask

from bench.stage import durable_stage
from tests.app.client import KEY as PLATFORM_KEY
from tests.app.fix_api import make_api
from tests.app.stage import Stage
from trading.api.knownkeys import NAME
from trading.api.signing import signer
from trading.security.access import Access
from trading.security.apikeys import PLATFORM, ApiKey, digest, mint, signing_key
from trading.security.credentials import MountedCredential
from trading.security.knownkeys import KnownKeys
from trading.security.principal import Role
from trading.security.signing import Request, Stamp, sign
from trading.storage import users

BUDGET_MS = 0.3
BODY = b'{"client_order_id":"one","symbol":"INFY","side":"BUY","quantity":1}'
WARM = 200  # requests before any is counted


def users_key(stage: Stage) -> ApiKey:
    """A key of a user, as `POST /v1/keys` makes it."""
    key, access = mint(), Access.of(MountedCredential(stage.credentials.folder, "jwt"))
    with stage.connect() as connection, connection.writing():
        users.add_user(connection, "bench", Role.TRADER, None, "no password")
        users.add_key(
            connection,
            key.id,
            owner="bench",
            label="bench",
            role=Role.TRADER,
            accounts=None,
            secret_hash=digest(key.secret),
            sealed=access.sealer.seal(key.id, signing_key(key.secret)),
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
    return key


def cost_ms(app: APIFlask, key_id: str, key: bytes, requests: int, before_each: Callable[[], None]) -> float:
    """Milliseconds of processor time a check, as the mean of so many requests, each with its own nonce."""
    request = Request("POST", "/v1/orders", "localhost", BODY)
    spent = 0.0
    for number in range(WARM + requests):
        headers = sign(request, Stamp(key_id, int(time.time()), mint().secret), key)
        with app.test_request_context(request.target, method="POST", data=BODY, headers=headers) as context:
            context.request.environ["RAW_URI"] = request.target
            before_each()
            begin = time.process_time()
            holder = signer()
            if number >= WARM:
                spent += time.process_time() - begin
            if holder is None or holder.key_id != key_id:
                raise AssertionError(f"{key_id} was not recognised")
    return spent / requests * 1000


@contextmanager
def app_on(stage: Stage) -> Iterator[APIFlask]:
    """The app on the stores of a stage."""
    for api in make_api(stage):
        app = api.client.application
        if not isinstance(app, APIFlask):
            raise TypeError(type(app))
        yield app


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.signing", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind (default 2000)")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the start")
    with durable_stage() as stage:
        key = users_key(stage)
        with app_on(stage) as app:
            known: KnownKeys = app.extensions[NAME]
            mine, platforms = signing_key(key.secret), signing_key(PLATFORM_KEY["X-API-Key"])
            found = {
                "platform": cost_ms(app, PLATFORM, platforms, args.requests, lambda: None),
                "user": cost_ms(app, key.id, mine, args.requests, lambda: None),
                "user_looked_up": cost_ms(app, key.id, mine, args.requests, known.forget),
            }
    for kind, spent in found.items():
        print(f"{kind:>16}: {spent:.3f} ms")
    is_within = max(found["platform"], found["user"]) < BUDGET_MS
    rounded = {kind: round(spent, 3) for kind, spent in found.items()}
    print(json.dumps({"bench": "signing", "cpu_ms": rounded, "budget_ms": BUDGET_MS, "pass": is_within}))
    sys.exit(not is_within)


if __name__ == "__main__":
    main()
