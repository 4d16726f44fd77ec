"""What a series of faults comes to: times, losses, two primaries, and the verdict."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills import ledger, page
from drills.faults.base import Fault, nothing, processes
from drills.ledger import Entry
from drills.run import Outcome, chosen
from drills.stores import STORES
from drills.summary import problems, quantile, summary, table
from drills.target import Target, guard
from toolchain.kit.console import ToolError
from toolchain.platform.tools import Tools
from toolchain.render.stackfile import StackFile

CRASH = Fault("crash", "a crash", lambda _: nothing, 8.0, lambda _: "postgres-0")
LOSSY = Fault("crash", "a crash", lambda _: nothing, 8.0, lambda _: "redis-0", may_lose=10.0)


def outcome(fault: Fault = CRASH, rto_s: float = 2.0, *, lost: int = 0, doubled: int = 0, back: int = 0) -> Outcome:
    """One outcome."""
    entries = [Entry(10.0, 1, "acked", "00000001"), Entry(12.0, 2, "unknown"), Entry(13.0, 3, "acked", "00000002")]
    report = ledger.Report(acked=100, lost=lost, duplicated=doubled, unknown=1, gap_s=rto_s)
    return Outcome(fault, rto_s, report, back, entries, 10.5, 12.5)


def test_an_outage_lasts_from_the_last_write_before_it_to_the_first_after() -> None:
    entries = [Entry(float(at), n, "acked") for n, at in enumerate((0, 0.1, 0.2, 5.2, 5.3))]
    assert ledger.outage_s(entries, fault_at=0.25) == pytest.approx(5.0)


def test_a_relapse_counts_whole() -> None:
    entries = [Entry(float(at), n, "acked") for n, at in enumerate((0, 0.1, 5.1, 5.2, 9.2, 9.3))]
    assert ledger.outage_s(entries, fault_at=0.2) == pytest.approx(9.1)


def test_a_pause_before_the_fault_is_not_its() -> None:
    entries = [Entry(float(at), n, "acked") for n, at in enumerate((0, 3, 3.1, 3.2))]
    assert ledger.outage_s(entries, fault_at=3.05) == 0


def test_a_write_that_an_older_timeline_acknowledged_later_is_two_primaries() -> None:
    entries = [Entry(1, 1, "acked", "00000001"), Entry(2, 2, "acked", "0000000A"), Entry(3, 3, "acked", "00000001")]
    assert ledger.steps_back(entries) == 1
    assert ledger.steps_back(entries[:2]) == 0


@given(st.lists(st.floats(0, 100), min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_one_of_the_values_and_that_share_does_not_exceed_it(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (outcome(rto_s=8.5), "p95 8.5 s > 8 s"),
        (outcome(lost=1), "acknowledged writes lost"),
        (outcome(doubled=1), "writes doubled"),
        (outcome(back=1), "two primaries took writes at one time"),
    ],
)
def test_each_broken_promise_fails_the_drill_and_is_named(bad: Outcome, says: str) -> None:
    assert problems([outcome(), bad]) == [says]
    assert not summary("postgres", [outcome(), bad]).passed
    assert says in table("postgres", [outcome(), bad])


def test_a_class_may_lose_what_its_bound_says_and_no_more() -> None:
    bound = int(LOSSY.may_lose / ledger.PAUSE_S)
    assert problems([outcome(LOSSY, lost=bound)]) == []
    assert problems([outcome(LOSSY, lost=bound + 1)]) == ["acknowledged writes lost"]


def test_a_drill_without_a_fault_has_not_passed() -> None:
    assert not summary("postgres", []).passed


def test_the_json_line_has_the_fields_that_others_read() -> None:
    line = summary("postgres", [outcome(), outcome(rto_s=4.0)]).json()
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("two_primaries") == 0
    assert found == {
        "drill": "postgres", "faults": 2, "rto_p50_s": 2.0, "rto_p95_s": 4.0, "rto_max_s": 4.0, "acked": 200,
        "lost": 0, "duplicated": 0, "unknown": 2, "refused_auth": 0, "pass": True,
    }  # fmt: skip


def test_the_page_has_a_timeline_with_fault_healing_and_promotion() -> None:
    text = page.page("postgres", [outcome()])
    for mark in (">fault<", ">healed<", ">timeline 2<", "passed", "<svg"):
        assert mark in text
    assert "src=" not in text
    assert "href=" not in text


def test_an_unknown_class_names_those_that_there_are() -> None:
    with pytest.raises(ToolError, match=r"CLASS=nope: redis has no such class of faults; give one of pod-delete, .*"):
        chosen(STORES["redis"], "nope")


@pytest.mark.parametrize("store", STORES)
def test_every_class_has_a_name_of_its_own(store: str) -> None:
    names = [fault.name for fault in STORES[store].faults]
    assert len(set(names)) == len(names)
    assert chosen(STORES[store], "") == STORES[store].faults


def test_a_stack_that_is_not_local_is_broken_only_when_it_is_named_once_more() -> None:
    with pytest.raises(ToolError, match=r"breaks what runs in stack prod; .* CONFIRM=prod"):
        guard("prod", "")
    guard("prod", "prod")
    guard("local", "")


def test_a_drill_talks_to_the_cluster_that_the_stack_names(monkeypatch: pytest.MonkeyPatch) -> None:
    named = StackFile(values={"context": "of-prod"}, encrypted=frozenset())
    monkeypatch.setattr("toolchain.platform.kube.read", lambda stack: named)
    target = Target(Tools(env={}, own_cluster=True), "prod", "trading", own_nodes=False)
    assert target.argv("get", "pods") == ["kubectl", "--context=of-prod", "-n", "trading", "get", "pods"]


def test_a_signal_reaches_every_process_of_a_name_and_no_other(spawn: Callable[[str], int]) -> None:
    one, two, other = spawn("drilled"), spawn("drilled"), spawn("spared")
    subprocess.run(["sh", "-c", processes("drilled", "STOP")], check=True)
    time.sleep(0.2)
    states = [Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in (one, two, other)]
    assert states == ["T", "T", "S"]


def test_a_signal_that_reaches_nobody_is_a_failure() -> None:
    assert subprocess.run(["sh", "-c", processes("nobody-is-called", "STOP")], check=False).returncode == 1
