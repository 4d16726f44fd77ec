"""The Python client that is generated from the committed document, used on a real API."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.app.credentials import Credentials
from tests.app.stage import Stage
from tests.app.test_storage import open_market
from toolchain.checks.scanners import ENVIRONMENTS
from toolchain.client import GENERATOR, PACKAGE, generate

pytestmark = [pytest.mark.cluster, pytest.mark.scanner]

# It runs where the generator is installed, as the client's own needs are not the project's.
SCRIPT = """
import json, sys
from trading_client import AuthenticatedClient
from trading_client.api.market_data import list_symbols
from trading_client.api.orders import cancel_order, list_order_events, place_order, preview_order
from trading_client.api.positions import square_off
from trading_client.models import OrderType, PlaceOrder, Problem, Side, SquareOff, Ticket

url, key = sys.argv[1], sys.stdin.read()
client = AuthenticatedClient(
    base_url=url, token=key, prefix="", auth_header_name="X-API-Key", raise_on_unexpected_status=True
)
ticket = {"symbol": "RELIANCE", "side": Side.BUY, "quantity": 10, "type_": OrderType.LIMIT, "limit_price": "99.00"}
preview = preview_order.sync(client=client, body=Ticket(**ticket))
placed = place_order.sync(client=client, body=PlaceOrder(client_order_id="one", **ticket))
again = place_order.sync_detailed(client=client, body=PlaceOrder(client_order_id="one", **ticket))
other = place_order.sync(client=client, body=PlaceOrder(client_order_id="one", **(ticket | {"quantity": 5})))
gone = cancel_order.sync(placed.id, client=client)
events = list_order_events.sync(placed.id, client=client)
squared = square_off.sync(client=client, body=SquareOff(), idempotency_key="today")
symbols = list_symbols.sync(client=client, limit=1)
print(json.dumps({
    "preview": [preview.is_allowed, preview.value],
    "again": [int(again.status_code), again.parsed.id == placed.id],
    "other": [isinstance(other, Problem), other.code],
    "gone": gone.status.value,
    "events": [event.kind for event in events.events],
    "squared": squared.orders,
    "symbols": [symbols.symbols[0].symbol, symbols.next_cursor],
}))
"""


def test_generated_client_trades(stage: Stage, tmp_path: Path) -> None:
    open_market(stage)
    folder = generate(tmp_path / "client")
    assert (folder / PACKAGE / "py.typed").exists()
    api = stage.start("api")
    done = subprocess.run(
        [ENVIRONMENTS / GENERATOR / "bin" / "python", "-c", SCRIPT, f"http://127.0.0.1:{api.port}"],
        input=Credentials.values("api")["a"],
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "preview": [True, "990.00"],
        "again": [200, True],
        "other": [True, "CLIENT_ORDER_ID_REUSED"],
        "gone": "CANCELLED",
        "events": ["INITIALIZED", "CANCELLED"],
        "squared": [],
        "symbols": ["RELIANCE", None],
    }
