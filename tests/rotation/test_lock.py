"""One rotation at a time; what a crash left behind is taken over, by one."""

import json
import threading
import time

import pytest

from tests.rotation.fake import Api
from trading.rotation.errors import RotationError
from trading.rotation.lock import NAME, Timing, locked

FAST = Timing(good_s=0.3, renew_s=0.05, look_s=0.02)
LEASE = f"lease/{NAME}"


def test_a_second_operator_is_refused_and_told_who_the_first_is() -> None:
    api = Api()
    with locked(api, "first@here", FAST):
        with (
            pytest.raises(RotationError, match="first@here is rotating credentials of this stack"),
            locked(api, "second@there", FAST),
        ):
            pytest.fail("two hold the lock")
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "first@here"
    assert LEASE not in api.objects


def test_a_lock_that_a_crash_left_behind_is_taken_over() -> None:
    api = Api()
    left = {"apiVersion": "v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": {"holderIdentity": "dead@there"}}
    api("create", "-f", "-", stdin=json.dumps(left))
    with locked(api, "me@here", FAST) as lock:
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "me@here"
        lock.check()


def test_of_two_who_take_over_at_once_one_gets_it() -> None:
    api = Api()
    left = {"apiVersion": "v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": {"holderIdentity": "dead@there"}}
    api("create", "-f", "-", stdin=json.dumps(left))
    held, refused, leave = [], [], threading.Event()

    def operator(name: str) -> None:
        try:
            with locked(api, name, FAST):
                held.append(name)
                leave.wait(5)
        except RotationError as error:
            refused.append(str(error))
            leave.set()

    threads = [threading.Thread(target=operator, args=(name,), daemon=True) for name in ("a@x", "b@y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(held), len(refused)) == (1, 1)


def test_it_is_kept_for_longer_than_it_is_good_for() -> None:
    api = Api()
    with locked(api, "me@here", FAST) as lock:
        deadline = time.monotonic() + 2 * FAST.good_s
        while time.monotonic() < deadline:
            lock.check()
            time.sleep(FAST.look_s)


def test_who_has_lost_it_does_nothing_more_and_leaves_it_to_the_other() -> None:
    api = Api()
    with locked(api, "me@here", FAST) as lock:
        api.objects[LEASE]["spec"]["holderIdentity"] = "other@there"
        deadline = time.monotonic() + 5
        while not lock.lost and time.monotonic() < deadline:
            time.sleep(FAST.look_s)
        with pytest.raises(RotationError, match="somebody else has taken it; run the same command again"):
            lock.check()
    assert api.objects[LEASE]["spec"]["holderIdentity"] == "other@there"
