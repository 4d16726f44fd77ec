"""The platform and plain setups side by side: the table, the line, and the manifests of what is plain."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills import peers
from drills.peers.__main__ import CLASSES, Row, line, narrowed, side_by_side, table
from drills.run import Books, Store
from drills.stores import STORES
from tests.drills.test_summary import CRASH, outcome

PLAIN = Path(peers.__file__).parent
STORE = Store("postgres", "postgres", (CRASH,), lambda _: None, lambda _: Books([]))


def rows() -> list[Row]:
    """Two faults of one class, of which the plain setup lost writes in the second."""
    found = {"ours": [[outcome(), outcome(rto_s=4.0)]], "plain": [[outcome(rto_s=30.0), outcome(rto_s=40.0, lost=7)]]}
    return side_by_side([STORE], found)


def test_a_line_of_the_table_has_both() -> None:
    head, one = table(rows()).splitlines()
    numbers = ("p50 s", "max s", "acked", "lost")
    assert (
        head.split() == " ".join(["store class", *(f"{who} {n}" for who in ("ours", "plain") for n in numbers)]).split()
    )
    assert one.split() == ["postgres", "crash", "2.0", "4.0", "200", "0", "30.0", "40.0", "200", "7"]


def test_the_line_for_machines_has_both() -> None:
    told = json.loads(line(rows(), passed=True))
    [one] = told["classes"]
    assert (told["drill"], told["pass"], one["store"], one["class"]) == ("peers", True, "postgres", "crash")
    assert (one["ours"]["rto_max_s"], one["plain"]["lost"]) == (4.0, 7)


def test_every_class_that_is_compared_exists() -> None:
    for store in STORES.values():
        if store.name in CLASSES:
            assert [fault.name for fault in narrowed(store, "").faults] != []
            assert {fault.name for fault in narrowed(store, "").faults} == set(CLASSES[store.name])
    assert narrowed(STORE, "no-such-class").faults == []


@pytest.mark.parametrize("store", ["postgres", "redis"])
def test_what_is_plain_sets_none_of_the_times_that_the_platform_chooses(store: str) -> None:
    text = (PLAIN / f"{store}.yaml").read_text()
    manifests: list[dict[str, Any]] = list(yaml.safe_load_all(text))
    settings = "".join(value for one in manifests for value in one.get("data", {}).values())
    chosen = (
        "ttl",
        "loop_wait",
        "retry_timeout",
        "synchronous",
        "failsafe",
        "down-after",
        "failover-timeout",
        "min-repl",
    )
    assert [name for name in chosen if name in settings] == []
    assert text.count("image: IMAGE") == sum(one["kind"] == "StatefulSet" for one in manifests)
