"""What a soak makes of its clients' ledgers and of what is left behind."""

import random
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from drills.ledger import Entry
from drills.run import Books
from drills.soak import Inventory, drawn, judged, left_behind, owner
from drills.stores import REDIS, STORES
from drills.target import Target
from toolchain.platform.tools import Tools

BEFORE = Inventory(Counter({"postgres": 3, "a job": 1}), frozenset({"data-postgres-0 (v1)"}), "", sessions=10, stuck=0)
ELSEWHERE = Target(Tools(env={}, own_cluster=True), "prod", "trading", own_nodes=False)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (replace(BEFORE, pods=BEFORE.pods + Counter({"drill-redis": 1})), "1 pods more of drill-redis"),
        (replace(BEFORE, pods=BEFORE.pods - Counter({"postgres": 1})), "1 pods fewer of postgres"),
        (replace(BEFORE, volumes=BEFORE.volumes | {"data-postgres-3 (v9)"}), "volume data-postgres-3 (v9)"),
        (replace(BEFORE, idle_slots="postgres_2"), "replication slots that nobody reads: postgres_2"),
        (replace(BEFORE, stuck=1), "1 sessions hold a transaction open"),
        (replace(BEFORE, sessions=21), "21 sessions in PostgreSQL, 10 before"),
    ],
)
def test_what_is_left_behind_is_named(after: Inventory, says: str) -> None:
    assert left_behind(BEFORE, after) == [says]


def test_jobs_come_and_go_by_their_schedule() -> None:
    assert left_behind(BEFORE, replace(BEFORE, pods=Counter({"postgres": 3, "a job": 4}))) == []
    assert left_behind(BEFORE, replace(BEFORE, pods=Counter({"postgres": 3}))) == []
    assert owner({"metadata": {"name": "x", "ownerReferences": [{"kind": "Job", "name": "x-1"}]}}) == "a job"
    assert owner({"metadata": {"name": "drill-redis"}}) == "drill-redis"


def test_a_store_may_lose_what_the_faults_that_it_had_may_lose() -> None:
    entries = [Entry(float(n), n, "acked") for n in range(1, 4)]
    assert judged(entries, REDIS, Books([3]), Counter({"redis sigkill": 1})).trouble == ""
    told = judged(entries, REDIS, Books([3]), Counter({"redis switchover": 1}))
    assert (told.lost, told.trouble) == (2, "2 acknowledged writes lost, 0 may be")


def test_the_same_seed_draws_the_same_faults_and_none_of_nodes_that_are_not_ours() -> None:
    first, second = (list(islice(drawn(ELSEWHERE, random.Random(7), "n"), 60)) for _ in range(2))
    assert first == second
    assert {store.name for store, _ in first} == set(STORES)
    assert not any(fault.needs_nodes for _, fault in first)
