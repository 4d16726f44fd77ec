"""The client of the engine's drill on real processes: what it notes, and what the books say of it afterwards."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drills import ledger, orders
from tests.app.credentials import Credentials
from tests.app.servers import eventually
from tests.app.stage import Role, Stage

pytestmark = pytest.mark.cluster


@contextmanager
def placing(api: Role, folder: Path) -> Iterator[Path]:
    """Place orders while the body runs; gives the ledger."""
    acked, key = folder / "acked", folder / "key"
    key.write_text(Credentials.values("api")["a"])
    flags = ["--api", f"http://127.0.0.1:{api.port}", "--run", "7", "--signed"]
    argv = [sys.executable, "-m", "drills.ledger", "orders", *flags, "--password-file", str(key), "--acked", str(acked)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as client:
        try:
            yield acked
        finally:
            client.send_signal(signal.SIGTERM)


def noted(acked: Path) -> list[ledger.Entry]:
    return ledger.read(acked) if acked.exists() else []


def books(stage: Stage) -> tuple[list[orders.Booked], str]:
    """The orders of the run, and what is wrong."""
    found = [orders.booked(row) for row in stage.query(orders.ORDERS)[0][0]]
    return found, orders.judged(found, stage.query(orders.POSITIONS)[0][0], stage.query(orders.HALTS)[0][0])


def test_every_order_that_was_acknowledged_through_a_crash_of_the_api_and_the_execution_is_booked_once(
    stage: Stage, tmp_path: Path
) -> None:
    stage.start("marketdata")
    execution, _ = stage.trade()
    api = stage.start("api")
    with placing(api, tmp_path) as acked:
        eventually(lambda: len(noted(acked)) > 3, 30, "the first orders")
        execution.stop(signal.SIGKILL)
        api.stop(signal.SIGKILL)
        again = stage.again(api)
        stage.start("execution")
        eventually(again.is_ready, 30, "the API is back")
        before = len(noted(acked))
        eventually(lambda: len(noted(acked)) > before + 3, 30, "orders after the crash")
    entries = noted(acked)
    eventually(lambda: all(order.traded_at for order in books(stage)[0]), 20, "every order is traded")
    found, wrong = books(stage)
    report = ledger.compare(entries, [order.key for order in found])
    assert {entry.outcome for entry in entries} == {"acked"}
    assert (report.lost, report.duplicated, wrong) == (0, 0, "")
    stage.query("UPDATE position SET quantity = quantity + 1 RETURNING symbol")
    assert "positions are not the sum of their fills" in books(stage)[1]
    stage.query("UPDATE orders SET status = 'CANCELLED' WHERE client_order_id = 'drill-7-1' RETURNING id")
    assert "drill-7-1: is CANCELLED, and FILLED by its events" in books(stage)[1]
