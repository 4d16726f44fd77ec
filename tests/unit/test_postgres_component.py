"""What the PostgreSQL component declares."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from components.kit.resources import Resources
from components.kit.restricted import restricted_problems
from components.postgres.args import KINDS, PostgresArgs
from components.postgres.component import Postgres
from components.postgres.dsn import dsn
from components.postgres.image.member.dynamic import changes
from components.postgres.names import STATE_OBJECTS, member_hosts
from components.postgres.patroni import access_rules, common, dynamic, restart_hash
from tests.fix_pulumi import Record
from toolchain.render.manifests import manifests

ARGS = PostgresArgs(
    namespace="trading", image="postgres:tag", secret_names={kind: f"credentials-{kind}" for kind in KINDS}
)


@pytest.fixture
def declared(recorded: Record) -> dict[str, dict[str, Any]]:
    """Every object, by file name."""
    return manifests(recorded(lambda: Postgres("postgres", ARGS)))


def pod(declared: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The members' pod spec."""
    spec: dict[str, Any] = declared["statefulset-postgres.yaml"]["spec"]["template"]["spec"]
    return spec


def test_the_api_token_reaches_patroni_and_nobody_else(declared: dict[str, dict[str, Any]]) -> None:
    spec = pod(declared)
    assert spec["automountServiceAccountToken"] is False
    assert declared["serviceaccount-postgres.yaml"]["automountServiceAccountToken"] is False
    mounting = [c["name"] for c in spec["containers"] if any(m["name"] == "token" for m in c["volumeMounts"])]
    assert mounting == ["patroni"]


def test_patroni_may_do_what_it_must_and_no_more(declared: dict[str, dict[str, Any]]) -> None:
    rules = declared["role-postgres.yaml"]["rules"]
    assert "*" not in json.dumps(rules)
    assert {resource for rule in rules for resource in rule["resources"]} == {"configmaps", "pods"}
    changing = [rule for rule in rules if "patch" in rule["verbs"] and "configmaps" in rule["resources"]]
    assert [rule["resourceNames"] for rule in changing] == [list(STATE_OBJECTS)]
    assert not any("delete" in rule["verbs"] for rule in rules)


def test_the_state_is_declared_so_that_a_destroy_takes_it_away(declared: dict[str, dict[str, Any]]) -> None:
    found = common(ARGS)["kubernetes"]
    marked = found["labels"] | {found["scope_label"]: common(ARGS)["scope"]}
    for name in STATE_OBJECTS:
        state = declared[f"configmap-{name}.yaml"]
        assert marked.items() <= state["metadata"]["labels"].items(), "Patroni would not find it, and fail to make it"
        assert "data" not in state


def test_patroni_finds_its_pods_and_the_services_their_role(declared: dict[str, dict[str, Any]]) -> None:
    found = common(ARGS)["kubernetes"]
    marked = found["labels"] | {found["scope_label"]: common(ARGS)["scope"]}
    template = declared["statefulset-postgres.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert marked.items() <= template.items()
    roles = {"postgres-rw": found["leader_label_value"], "postgres-ro": found["follower_label_value"]}
    for name, role in roles.items():
        selector = declared[f"service-{name}.yaml"]["spec"]["selector"]
        assert selector == marked | {found["role_label"]: role}


def test_the_pod_is_restricted_and_keeps_its_distance(declared: dict[str, dict[str, Any]]) -> None:
    spec = pod(declared)
    assert not restricted_problems(spec)
    assert all(c["securityContext"]["readOnlyRootFilesystem"] for c in spec["containers"])
    assert "requiredDuringSchedulingIgnoredDuringExecution" in spec["affinity"]["podAntiAffinity"]
    assert spec["terminationGracePeriodSeconds"] == ARGS.grace_period_s
    assert declared["poddisruptionbudget-postgres.yaml"]["spec"]["maxUnavailable"] == 1


def test_liveness_never_asks_postgresql(declared: dict[str, dict[str, Any]]) -> None:
    patroni = pod(declared)["containers"][0]
    assert patroni["livenessProbe"]["httpGet"]["path"] == "/liveness"
    assert patroni["readinessProbe"]["httpGet"]["path"] == "/readiness"
    budget = patroni["startupProbe"]["periodSeconds"] * patroni["startupProbe"]["failureThreshold"]
    assert budget == ARGS.startup_budget_s


@pytest.mark.parametrize(("keep", "policy"), [(True, "Retain"), (False, "Delete")])
def test_volumes_stay_unless_told_otherwise(recorded: Record, keep: bool, policy: str) -> None:
    objects = manifests(recorded(lambda: Postgres("postgres", replace(ARGS, keep_volumes=keep))))
    kept = objects["statefulset-postgres.yaml"]["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert kept == {"whenDeleted": policy, "whenScaled": "Retain"}


def test_no_secret_value_is_in_the_settings(declared: dict[str, dict[str, Any]]) -> None:
    data = declared["configmap-postgres-settings.yaml"]["data"]
    assert "password:" not in data["patroni.yml"]
    assert yaml.safe_load(data["patroni.yml"])["bootstrap"]["dcs"] == json.loads(data["dynamic.json"])


def test_what_keeps_an_acknowledged_commit_is_on() -> None:
    settings = dynamic(ARGS)
    assert settings["synchronous_mode"] == "quorum"
    assert settings["synchronous_mode_strict"] is True
    assert settings["failsafe_mode"] is True
    assert settings["check_timeline"] is True
    assert not {"fsync", "synchronous_commit", "full_page_writes"} & settings["postgresql"]["parameters"].keys()


def test_the_last_rules_of_access_reject() -> None:
    rules = access_rules()
    assert rules[-2:] == ["local all all reject", "host all all all reject"]
    assert all("scram-sha-256" in rule for rule in rules if rule.startswith("hostssl"))
    assert not any("trust" in rule or "md5" in rule for rule in rules)


def test_only_settings_that_need_a_restart_roll_the_pods() -> None:
    assert restart_hash(replace(ARGS, ttl_s=30)) == restart_hash(ARGS)
    assert restart_hash(replace(ARGS, max_connections=50)) != restart_hash(ARGS)
    more = replace(ARGS, resources=Resources(cpu_m=500, memory_mib=2048))
    assert restart_hash(more) != restart_hash(ARGS)


def test_settings_are_patched_where_they_differ_and_a_pause_is_left_alone() -> None:
    have = {"ttl": 60, "pause": True, "extra": 1, "postgresql": {"parameters": {"a": "1", "b": 2}}}
    want = {"ttl": 20, "postgresql": {"parameters": {"a": 1, "c": 3}}}
    assert changes(have, want) == {"ttl": 20, "extra": None, "postgresql": {"parameters": {"b": None, "c": 3}}}
    assert changes(want, want) == {}


def test_clients_name_every_member() -> None:
    text = dsn(member_hosts(3), "trading", "trading_a")
    settings = dict(part.split("=") for part in text.split())
    assert settings["host"] == "postgres-0.postgres-repl,postgres-1.postgres-repl,postgres-2.postgres-repl"
    assert settings["port"] == "5432,5432,5432"
    assert settings["target_session_attrs"] == "read-write"
    assert settings["sslmode"] == "require"
    assert "password" not in settings
