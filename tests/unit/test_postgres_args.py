"""What PostgreSQL's arguments refuse, and with which words."""

from dataclasses import fields
from typing import Any

import pytest

from components.kit.errors import InvalidArgs
from components.kit.resources import Resources
from components.postgres.args import KINDS, PostgresArgs
from components.postgres.recovery import cases_s

GIVEN: dict[str, Any] = {
    "namespace": "trading",
    "image": "postgres",
    "secret_names": {kind: f"credentials-{kind}" for kind in KINDS},
}


def refused(**values: object) -> dict[str, str]:
    """Field to rule of all problems."""
    with pytest.raises(InvalidArgs) as caught:
        PostgresArgs(**GIVEN | values)
    assert all(problem.fix for problem in caught.value.problems)
    return {problem.field: problem.rule for problem in caught.value.problems}


def test_the_defaults_are_accepted() -> None:
    args = PostgresArgs(**GIVEN)
    assert args.buffers_mib == args.resources.memory_mib // 4
    assert max(cases_s(args).values()) < 120


@pytest.mark.parametrize(
    ("values", "field", "rule"),
    [
        ({"namespace": "Trading"}, "namespace", "RFC 1123"),
        ({"secret_names": {}}, "postgres.secret_names", "has no"),
        ({"members": 1}, "postgres.members", "at least 3 members"),
        ({"members": 2}, "postgres.members", "an odd number"),
        ({"members": 4}, "postgres.members", "an odd number"),
        ({"synchronous_standbys": 0}, "postgres.synchronous_standbys", "lose acknowledged commits"),
        ({"synchronous_standbys": 2}, "postgres.synchronous_standbys", "at most 1"),
        ({"ttl_s": 15, "loop_wait_s": 1}, "postgres.ttl_s", "at least 20"),
        ({"retry_timeout_s": 10}, "postgres.ttl_s", "loop_wait_s + 2 * retry_timeout_s = 25"),
        ({"retry_timeout_s": 2}, "postgres.retry_timeout_s", "at least 3"),
        ({"grace_period_s": 0}, "postgres.grace_period_s", "at least 60"),
        ({"grace_period_s": 60, "primary_stop_timeout_s": 40}, "postgres.grace_period_s", "at least 70"),
        ({"primary_start_timeout_s": 300}, "postgres.rto_target_s", "crash of the primary, takes 331 s"),
        ({"wal_timeout_s": 60}, "postgres.wal_timeout_s", "at most 20"),
        ({"storage_gib": 5}, "postgres.storage_gib", "exceed 60 % of it, 3072 MiB"),
        ({"shared_buffers_mib": 900}, "postgres.shared_buffers_mib", "40 % of resources.memory_mib"),
        ({"max_connections": 1000}, "postgres.max_connections", "of 1024 MiB memory"),
        ({"startup_budget_s": 10}, "postgres.startup_budget_s", "at least 300"),
        ({"resources": Resources(cpu_m=0, memory_mib=1024)}, "postgres.resources.cpu_m", "at least 1"),
    ],
)
def test_a_broken_rule_names_its_field(values: dict[str, Any], field: str, rule: str) -> None:
    assert rule in refused(**values)[field]


def test_all_problems_come_at_once() -> None:
    assert set(refused(members=1, ttl_s=5, storage_gib=1)) >= {
        "postgres.members",
        "postgres.ttl_s",
        "postgres.storage_gib",
    }


def test_five_members_may_wait_for_two() -> None:
    assert PostgresArgs(**GIVEN | {"members": 5, "synchronous_standbys": 2}).members == 5
    assert "at most 2" in refused(members=5, synchronous_standbys=3)["postgres.synchronous_standbys"]


def test_every_field_is_explained() -> None:
    assert PostgresArgs.__doc__ is not None
    assert [f.name for f in fields(PostgresArgs) if f"    {f.name}: " not in PostgresArgs.__doc__] == []
