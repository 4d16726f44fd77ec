"""For how long a user's key is taken for what it was."""

from datetime import UTC, datetime, timedelta

import pytest

from trading.security.knownkeys import HOLDS_S, MOST, KnownKey, KnownKeys
from trading.security.people import KeyRow, User
from trading.security.principal import Role

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OWNER = User("asha", Role.TRADER, None, False, 1, NOW, "")


class Store:
    """Keys that can be revoked, and a clock that is set."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.asked: list[str] = []
        self.revoked = False
        self.keys = KnownKeys(self.look, lambda: self.now_s)

    def look(self, key_id: str) -> KnownKey | None:
        self.asked.append(key_id)
        if key_id == "unknown":
            return None
        ends = NOW + timedelta(days=1)
        revoked_at = NOW if self.revoked else None
        row = KeyRow(key_id, "asha", "", Role.TRADER, None, NOW, ends, None, revoked_at, b"", b"", None, None, None)
        return KnownKey(row, OWNER, {})

    def is_good(self, key_id: str = "key") -> bool:
        known = self.keys.get(key_id)
        return known is not None and known.row.is_good(NOW)


def test_a_key_is_looked_up_once_while_it_holds() -> None:
    store = Store()
    assert store.is_good()
    store.now_s += HOLDS_S - 0.01
    assert store.is_good()
    assert store.asked == ["key"]


def test_a_key_that_was_revoked_elsewhere_is_refused_after_a_second_at_most() -> None:
    store = Store()
    assert HOLDS_S <= 1
    for _ in range(3):  # being used does not keep it
        assert store.is_good()
        store.revoked = True
        store.now_s += HOLDS_S / 4
    store.now_s = 100.0 + HOLDS_S
    assert not store.is_good()


def test_what_is_changed_here_holds_at_once() -> None:
    store = Store()
    assert store.is_good()
    store.revoked = True
    store.keys.forget()
    assert not store.is_good()


def test_an_answer_that_a_change_has_overtaken_is_not_kept() -> None:
    store = Store()

    def look(key_id: str) -> KnownKey | None:
        found = store.look(key_id)
        if not store.revoked:
            store.revoked = True
            keys.forget()  # another thread's change, committed while this answer was on its way
        return found

    keys = KnownKeys(look, lambda: store.now_s)
    first, second = keys.get("key"), keys.get("key")
    assert first
    assert first.row.revoked_at is None
    assert second
    assert second.row.revoked_at == NOW


def test_the_time_of_an_answer_is_that_of_the_question() -> None:
    store = Store()

    def slow(key_id: str) -> KnownKey | None:
        found = store.look(key_id)
        store.now_s += HOLDS_S  # revoked meanwhile, for all we know
        return found

    keys = KnownKeys(slow, lambda: store.now_s)
    keys.get("key")
    keys.get("key")
    assert store.asked == ["key", "key"]


def test_while_the_store_is_away_a_key_is_good_no_longer_than_else() -> None:
    store = Store()

    def look(key_id: str) -> KnownKey | None:
        if store.now_s > 100:
            raise ConnectionError
        return store.look(key_id)

    keys = KnownKeys(look, lambda: store.now_s)
    assert keys.get("key")
    store.now_s += HOLDS_S
    with pytest.raises(ConnectionError):
        keys.get("key")


def test_unknown_keys_take_no_room_and_known_ones_a_bounded_one() -> None:
    store = Store()
    assert not store.is_good("unknown")
    assert not store.is_good("unknown")
    for number in range(MOST + 1):
        store.is_good(str(number))
    assert store.is_good(str(MOST))
    assert store.is_good("0"), "it had to make room, and is looked up again"
    assert store.asked.count("unknown") == store.asked.count("0") == 2
    assert store.asked.count(str(MOST)) == 1
