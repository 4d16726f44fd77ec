"""The ledger's arithmetic: what counts as lost, doubled and unknown."""

import signal
import time
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from drills import ledger
from drills.ledger import Entry


def test_a_lost_acknowledged_write_is_counted() -> None:
    entries = [Entry(0.0, 1, "acked"), Entry(1.0, 2, "acked"), Entry(4.5, 3, "acked")]
    report = ledger.compare(entries, [1, 3])
    assert (report.acked, report.lost, report.duplicated, report.unknown) == (3, 1, 0, 0)
    assert report.gap_s == 3.5


def test_an_unknown_write_may_be_there_or_not() -> None:
    entries = [Entry(0.0, 1, "acked"), Entry(1.0, 2, "unknown"), Entry(2.0, 3, "unknown")]
    assert ledger.compare(entries, [1, 2]).lost == 0
    assert ledger.compare(entries, [1, 2]).unknown == 2


def test_a_doubled_write_is_counted() -> None:
    assert ledger.compare([Entry(0.0, 1, "acked")], [1, 1]).duplicated == 1


@given(st.sets(st.integers(1, 50)), st.sets(st.integers(1, 50)))
def test_lost_is_exactly_acknowledged_minus_found(acked: set[int], found: set[int]) -> None:
    entries = [Entry(float(k), k, "acked") for k in sorted(acked)]
    assert ledger.compare(entries, sorted(found)).lost == len(acked - found)


def test_a_line_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("1.000 1 acked\n2.000 2 ack")
    assert ledger.read(path) == [Entry(1.0, 1, "acked")]


def test_each_outcome_is_written_before_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    seen: list[list[Entry]] = []
    answers = [None, psycopg.errors.ReadOnlySqlTransaction("no"), redis.ConnectionError("gone"), None]

    def write(key: int) -> str:
        seen.append(ledger.read(path))
        if error := answers[key - 1]:
            raise error
        return "0000000A"

    ledger.run(write, path, lambda: len(seen) < len(answers))
    assert [e.outcome for e in ledger.read(path)] == ["acked", "refused", "unknown", "acked"]
    assert [len(before) for before in seen] == [0, 1, 2, 3]


def test_a_write_has_a_deadline() -> None:
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"), ledger.deadline(0.05):
        time.sleep(5)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
