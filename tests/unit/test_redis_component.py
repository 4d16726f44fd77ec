"""Redis as a component: what it declares, and arguments that are refused."""

from dataclasses import replace
from typing import Any

import pytest

from components.credentials.args import SECRET_NAMES
from components.kit.errors import InvalidArgs
from components.kit.resources import Resources
from components.kit.restricted import restricted_problems
from components.redis.args import RedisArgs
from components.redis.component import Redis
from components.redis.configuration import redis_conf, sentinel_conf
from components.redis.image.settings import from_environment
from tests.fix_pulumi import Record
from toolchain.render.manifests import manifests

ARGS = RedisArgs(
    namespace="trading",
    image="localhost/trading-platform/redis:0123456789ab",
    secret_names=SECRET_NAMES,
    maxmemory_mib=256,
    resources=Resources(cpu_m=100, memory_mib=512),
    storage_gib=2,
)
Files = dict[str, dict[str, Any]]


def declare(recorded: Record, args: RedisArgs = ARGS) -> Files:
    return manifests(recorded(lambda: Redis("redis", args)))


def pod(files: Files, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = files[f"statefulset-{name}.yaml"]["spec"]["template"]["spec"]
    return spec


def directives(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines())


@pytest.mark.parametrize("name", ["redis", "redis-sentinel"])
def test_every_pod_has_a_service_of_its_own_that_serves_before_it_is_ready(recorded: Record, name: str) -> None:
    files = declare(recorded)
    for ordinal in range(3):
        spec = files[f"service-{name}-{ordinal}.yaml"]["spec"]
        assert spec["selector"] == {"statefulset.kubernetes.io/pod-name": f"{name}-{ordinal}"}
        assert spec["publishNotReadyAddresses"] is True
        assert spec["type"] == "ClusterIP"
        assert "clusterIP" not in spec
        assert [port["port"] for port in spec["ports"]] == [6379 if name == "redis" else 26379, 8080]
    assert files[f"service-{name}-members.yaml"]["spec"]["clusterIP"] == "None"
    assert files[f"statefulset-{name}.yaml"]["spec"]["serviceName"] == f"{name}-members"
    assert files[f"poddisruptionbudget-{name}.yaml"]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("name", ["redis", "redis-sentinel"])
def test_pods_are_hardened_apart_and_without_a_token(recorded: Record, name: str) -> None:
    spec = pod(declare(recorded), name)
    assert restricted_problems(spec) == []
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsUser"] == 10020
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    for container in spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
        assert container["startupProbe"]
        assert container["livenessProbe"]


def test_only_data_nodes_hand_over_and_see_the_replication_password(recorded: Record) -> None:
    files = declare(recorded)
    servers, sentinels = pod(files, "redis"), pod(files, "redis-sentinel")
    assert "handover" in servers["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert "lifecycle" not in sentinels["containers"][0]
    assert servers["terminationGracePeriodSeconds"] == 90
    mounts = {m["mountPath"] for m in sentinels["containers"][0]["volumeMounts"]}
    assert "/credentials/redis-replication" not in mounts
    assert {"/credentials/redis-app", "/credentials/redis-sentinel", "/credentials/redis-admin"} < mounts


@pytest.mark.parametrize("name", ["redis", "redis-sentinel"])
def test_the_programs_find_their_settings_in_the_pods_environment(recorded: Record, name: str) -> None:
    files = declare(recorded)
    spec = pod(files, name)
    assert spec["enableServiceLinks"] is True
    links = {
        f"{service['metadata']['name'].upper().replace('-', '_')}_SERVICE_HOST": "10.0.0.1"
        for file, service in files.items()
        if file.startswith("service-")
    }
    for container in spec["containers"]:
        plain = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        known = from_environment(plain | links | {"POD_NAME": f"{name}-2", "POD_IP": "10.1.0.1"})
        assert (known.ordinal, known.quorum, len(known.members), len(known.sentinels)) == (2, 2, 3, 3)
        folders = {str(path) for path in (known.data_dir, known.run_dir, known.config_dir)}
        assert folders < {mount["mountPath"] for mount in container["volumeMounts"]}


def test_all_names_follow_from_the_instance(recorded: Record) -> None:
    names = {file.split("-", 1)[1] for file in declare(recorded, replace(ARGS, instance="cache"))}
    assert all(name.startswith("cache") for name in names)


def test_a_changed_setting_restarts_the_pods_that_read_it(recorded: Record) -> None:
    def notes(args: RedisArgs) -> list[dict[str, str]]:
        files = declare(recorded, args)
        sets = (files[f"statefulset-{name}.yaml"] for name in ("redis", "redis-sentinel"))
        return [each["spec"]["template"]["metadata"]["annotations"] for each in sets]

    before, after = notes(ARGS), notes(replace(ARGS, down_after_ms=5000))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_outputs_are_what_clients_need(recorded: Record) -> None:
    recording = recorded(lambda: Redis("redis", ARGS))
    [outputs] = [out for urn, out in recording.outputs.items() if "trading:redis:Redis::redis" in urn]
    assert outputs["sentinels"] == [f"redis-sentinel-{n}:26379" for n in range(3)]
    assert outputs["master_name"] == "trading"
    assert outputs["services"] == [f"redis-{n}" for n in range(3)] + [f"redis-sentinel-{n}" for n in range(3)]


def test_redis_conf_bounds_what_can_be_lost() -> None:
    conf = directives(redis_conf(ARGS))
    assert conf["appendonly"] == "yes"
    assert conf["appendfsync"] == "everysec"
    assert conf["min-replicas-to-write"] == "1"
    assert conf["min-replicas-max-lag"] == "10"
    assert conf["maxmemory"] == "256mb"
    assert conf["maxmemory-policy"] == "noeviction"
    assert conf["repl-diskless-sync-max-replicas"] == "2"
    assert conf["repl-diskless-load"] == "disabled"
    assert conf["repl-rdb-channel"] == "no"
    assert {conf[name] for name in conf if name.startswith("enable-")} == {"no"}
    assert "requirepass" not in conf


def test_sentinel_conf_speaks_of_the_master_by_its_name() -> None:
    lines = sentinel_conf(replace(ARGS, master_name="orders", down_after_ms=5000)).splitlines()
    assert "sentinel down-after-milliseconds orders 5000" in lines
    assert "sentinel parallel-syncs orders 1" in lines


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"sentinels": 4}, "redis.sentinels", "an odd number"),
        ({"sentinels": 1}, "redis.sentinels", "at least 3"),
        ({"members": 2}, "redis.members", "at least 3"),
        ({"maxmemory_mib": 400}, "redis.maxmemory_mib", "at most 60 % of redis.resources.memory_mib = 512"),
        ({"maxmemory_mib": 1}, "redis.maxmemory_mib", "at least 16 MiB"),
        ({"storage_gib": 0}, "redis.storage_gib", "3 x redis.maxmemory_mib = 256"),
        ({"maxmemory_policy": "lru"}, "redis.maxmemory_policy", "one of allkeys-lfu"),
        ({"down_after_ms": 1000}, "redis.down_after_ms", "at least 3000 ms"),
        ({"failover_timeout_ms": 180_000}, "redis.rto_target_s", "below the worst case of 368 s"),
        ({"failover_timeout_ms": 100}, "redis.failover_timeout_ms", "at least 5000 ms"),
        ({"grace_s": 0}, "redis.grace_s", "at least 60 s"),
        ({"instance": "Redis"}, "redis.instance", "RFC 1123"),
        ({"secret_names": {}}, "redis.secret_names", "has no 'redis-app'"),
    ],
)
def test_arguments_that_would_not_hold_are_refused(change: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InvalidArgs) as error:
        replace(ARGS, **change)
    [line, *_] = [line for line in str(error.value).splitlines() if line.startswith(field)]
    assert text in line
    assert "; " in line


def test_the_defaults_keep_the_target_even_when_the_first_failover_fails() -> None:
    assert ARGS.worst_failover_s == 28
    assert ARGS.quorum == 2
    assert replace(ARGS, sentinels=5).quorum == 3
