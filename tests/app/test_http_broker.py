"""The HTTP broker against a server that misbehaves: doubt where there is doubt, and never an order twice."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_broker_contract import BETTER, FAR, Bench
from tests.app.test_brokers import TIMEOUT_S, broker, server
from tests.app.test_domain import AT, STOP
from tests.app.venue_server import LOST_IN_DOUBT, SECRET, Fault, VenueServer, mount, post
from trading.domain.events import CancelRejected, OutcomeUnknown, Rejected
from trading.domain.orders import Mode, Status, Terms
from trading.execution.broker import VenueState, tag_of
from trading.execution.http.adapter import LOST_AFTER_S, LOST_LOOKS, BrokerError, HttpBroker
from trading.execution.http.postback import PostbackServer
from trading.execution.http.wire import Done, reply

__all__ = ["broker", "server"]  # fixtures


@pytest.fixture
def bench(server: VenueServer, broker: HttpBroker) -> Bench:
    return Bench(broker, lambda _: None, lambda: None, lambda: None)


@pytest.fixture
def postbacks(broker: HttpBroker) -> Iterator[PostbackServer]:
    made = PostbackServer(("127.0.0.1", 0), broker.take_postback)
    made.start()
    yield made
    made.stop()


def test_what_is_sent_carries_our_tag_and_the_tag_of_the_algorithm(bench: Bench, server: VenueServer) -> None:
    order = bench.sent({**STOP, "market_protection_percent": Decimal("2.5")})
    call, form = server.forms[0]
    assert call == "POST /orders/regular"
    assert form == {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "order_type": "SL-M",
        "product": "CNC",
        "validity": "DAY",
        "quantity": "10",
        "trigger_price": "100",
        "market_protection": "2.5",
        "tag": tag_of(order),
        "algo_id": "ALGO-1",
    }
    assert len(form["tag"]) == 20
    assert order.status is Status.TRIGGER_PENDING


@pytest.mark.parametrize("fault", LOST_IN_DOUBT, ids=lambda fault: fault.name)
def test_submit_in_doubt_is_unknown_and_found_by_its_tag_or_given_up_after_a_while(
    bench: Bench, server: VenueServer, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(bench.broker, "_clock", lambda: now)
    server.faults.append(fault)
    order = bench.place(FAR)
    bench.turn()
    if fault.is_done:
        assert bench.now(order).status is Status.ACCEPTED
    else:
        for _ in range(LOST_LOOKS + 1):
            assert bench.now(order).status is Status.UNKNOWN
            bench.dispatcher.reconcile(AT)
        now = 2 * LOST_AFTER_S
        bench.turn()
        assert bench.now(order).status is Status.REJECTED
        assert "never reached http" in str(bench.now(order).reason)
    assert len(server.venue.tagged(tag_of(order))) == int(fault.is_done)
    assert [call for call, _ in server.forms].count("POST /orders/regular") == 1


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.NO_SESSION])
def test_refusal_in_the_brokers_own_words_is_definitive(bench: Bench, server: VenueServer, fault: Fault) -> None:
    server.faults.append(fault)
    order = bench.place(FAR)
    bench.turn()
    assert bench.now(order).status is Status.REJECTED
    assert server.venue.orders == {}


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
@pytest.mark.parametrize("what", ["cancel", "modify"])
def test_cancel_or_change_in_doubt_is_asked_again_until_it_is_true(
    bench: Bench, server: VenueServer, fault: Fault, what: str
) -> None:
    now = AT
    bench.dispatcher._clock = lambda: now
    order = bench.sent(FAR)
    server.faults.append(fault)
    if what == "cancel":
        bench.books.request_cancel(order.order_id)
    else:
        bench.books.request_modify(order.order_id, BETTER)
    for _ in range(3):
        bench.turn()
        now += timedelta(seconds=5)
    after = bench.now(order)
    if fault is Fault.NO_SESSION:  # refused, and the order is as it was
        assert (after.status, after.terms) == (Status.ACCEPTED, order.terms)
    elif what == "cancel":
        assert after.status is Status.CANCELLED
    else:
        assert (after.status, after.terms) == (Status.ACCEPTED, BETTER)
    assert bench.books.halts == []


@pytest.mark.parametrize("fault", LOST_IN_DOUBT, ids=lambda fault: fault.name)
def test_books_that_cannot_be_read_change_nothing(bench: Bench, server: VenueServer, fault: Fault) -> None:
    order = bench.sent(FAR)
    for faults in ([fault], [None, fault]):
        server.book_faults.extend(one or Fault.NAMELESS for one in faults)
        assert bench.broker.snapshot([order], AT) is None
        server.book_faults.clear()
    assert bench.broker.snapshot([order], AT) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": "10"},
        {"quantity": True},
        {"quantity": None},
        {"order_id": 7},
        {"order_id": ""},
        {"price": "a lot"},
        {"price": {}},
        {"status": None, "order_type": []},
    ],
)
def test_row_of_the_wrong_shape_makes_no_guess(
    bench: Bench, server: VenueServer, wrong: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = bench.sent(FAR)
    row = server._row(server.venue.orders[str(order.venue_order_id)]) | wrong
    monkeypatch.setattr(server, "book", lambda path: [row] if path == "/orders" else [])
    seen = bench.broker.snapshot([order], AT)
    assert seen is None or seen[0].state is VenueState.PENDING
    bench.turn()
    assert bench.now(order) == order


def test_trade_numbers_begin_anew_every_day_and_are_not_mixed_up(bench: Bench, server: VenueServer) -> None:
    order = bench.sent(FAR)
    placed = server.venue.orders[str(order.venue_order_id)]
    server.venue.trade(placed.name, 4)
    first = placed.trades[0]
    placed.trades.append(replace(first, market_time=AT + timedelta(days=1)))
    bench.turn()
    assert bench.now(order).filled_quantity == 8
    assert sorted(bench.now(order).trade_ids) == [
        f"http/20260105-{first.trade_id}",
        f"http/20260106-{first.trade_id}",
    ]


def test_call_back_is_a_hint_and_needs_the_checksum(
    bench: Bench, server: VenueServer, broker: HttpBroker, postbacks: PostbackServer
) -> None:
    order = bench.sent(FAR)
    name = str(order.venue_order_id)
    assert not broker.has_news()
    assert server.call_back(postbacks.port, name, checksum="0" * 64) == 403
    assert server.call_back(postbacks.port, name, checksum="ü") == 403
    assert server.call_back(postbacks.port, "another", order_id=name) == 403
    for body in (b"", b"{", b"[]", b'"x"', b'{"order_id": 1}', b"[" * 60_000):
        assert post(postbacks.port, "/postback", body) == 403
    assert post(postbacks.port, "/postback", b"x" * 70_000) == 413
    assert post(postbacks.port, "/", b"{}") == 404
    assert not broker.has_news()
    assert server.call_back(postbacks.port, name) == 204
    assert broker.has_news()
    bench.turn()
    assert not broker.has_news()


def test_duplicated_and_reordered_call_backs_change_nothing(
    bench: Bench, server: VenueServer, postbacks: PostbackServer
) -> None:
    """nautilus #1205, #3185: what is told twice is booked once, in whichever order it is told."""
    order = bench.sent(FAR)
    name = str(order.venue_order_id)
    for part in (4, 6):
        server.venue.trade(name, part)
        for _ in range(3):
            server.call_back(postbacks.port, name, status="OPEN")  # says less than the book does
            bench.turn()
    server.call_back(postbacks.port, name, status="VALIDATION PENDING")
    bench.turn()
    kinds = [event.kind for event in bench.books.events[order.order_id][1]]
    assert kinds == ["INITIALIZED", "SUBMITTED", "ACCEPTED", "FILLED", "FILLED"]


@pytest.mark.parametrize("skew_s", [-86_400, -600, 600, 86_400])
def test_clock_of_the_broker_may_be_off(
    bench: Bench, server: VenueServer, postbacks: PostbackServer, skew_s: int
) -> None:
    server.skew_s = skew_s
    order = bench.sent(FAR)
    placed = server.venue.orders[str(order.venue_order_id)]
    server.venue.trade(placed.name, 10)
    placed.trades[0] = replace(placed.trades[0], market_time=AT + timedelta(seconds=skew_s))
    assert server.call_back(postbacks.port, placed.name) == 204
    bench.turn()
    assert bench.now(order).status is Status.FILLED
    assert bench.books.halts == []


def test_venue_that_refuses_after_its_door_has_accepted_is_believed(bench: Bench, server: VenueServer) -> None:
    order = bench.sent(FAR)
    placed = server.venue.orders[str(order.venue_order_id)]
    placed.state, placed.reason = VenueState.REJECTED, "RMS: margin exceeds"
    bench.turn()
    assert (bench.now(order).status, bench.now(order).reason) == (Status.REJECTED, "RMS: margin exceeds")
    assert isinstance(bench.broker.cancel(order, AT), CancelRejected)


def test_order_placed_by_hand_at_the_broker_halts_by_name(bench: Bench, server: VenueServer) -> None:
    bench.sent(FAR)
    server.venue.place("", "SELL 5 TCS", Terms(5, Decimal(3000)))
    for _ in range(3):
        bench.turn()
    assert bench.books.halts == ["orphan: the venue has SELL 5 TCS as V000002, which is not ours"]


def test_paper_order_makes_no_call_at_all(bench: Bench, server: VenueServer) -> None:
    order = bench.place({**FAR, "mode": Mode.PAPER})
    assert bench.broker.submit(order, AT) == Rejected("mode=PAPER: http takes LIVE orders only")
    assert server.forms == []


def test_new_token_is_used_without_a_restart(server: VenueServer, tmp_path: Path) -> None:
    """Indian brokers hand out another token every day."""
    folder = mount(tmp_path / "broker", **{"access-token": "yesterday"})
    with closing(HttpBroker(server.url, folder, timeout_s=TIMEOUT_S)) as broker:
        made = Bench(broker, lambda _: None, lambda: None, lambda: None)
        assert made.sent(FAR).status is Status.REJECTED
        mount(folder)
        assert made.sent(FAR, "two").status is Status.ACCEPTED


def test_token_that_is_gone_leaves_doubt(server: VenueServer, broker: HttpBroker, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "broker" / "access-token").unlink()
    answer = broker.submit(bench.place(FAR), AT)
    assert answer == OutcomeUnknown("BrokerError on the way to http")
    assert server.forms == []


@pytest.mark.parametrize(
    ("url", "file", "value", "said"),
    [
        ("http://broker.example", "api-key", "k", "broker url=http://broker.example: must be https"),
        ("ftp://127.0.0.1", "api-key", "k", "must be https"),
        ("https://broker.example", "api-key", "", "broker credential api-key: is empty"),
        ("https://broker.example", "access-token", "a\nb", "broker credential access-token: is empty or not plain"),
    ],
)
def test_unusable_set_up_is_refused_in_one_line(tmp_path: Path, url: str, file: str, value: str, said: str) -> None:
    with pytest.raises(BrokerError, match=said) as error:
        HttpBroker(url, mount(tmp_path / "broker", **{file: value}))
    assert "\n" not in str(error.value)
    with pytest.raises(BrokerError, match="broker credential api-key: is not mounted"):
        HttpBroker("https://broker.example", tmp_path)


def test_no_secret_is_logged_or_shown(bench: Bench, server: VenueServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults.append(Fault.ERROR_BEFORE)
    order = bench.place(FAR)
    bench.turn()
    shown = caplog.text + str(bench.now(order)) + repr(bench.broker)
    assert not any(secret in shown for secret in SECRET.values())


@given(
    st.integers(100, 599),
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["status", "data", "error_type", "message", "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
def test_any_answer_is_taken_without_an_error(status: int, body: bytes) -> None:
    answer = reply(status, body)
    assert not isinstance(answer, Done) or status == 200
