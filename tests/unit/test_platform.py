"""The whole platform of each stack, as recorded: what must hold for every object in it."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from components.kit.footprint import Footprint
from components.kit.restricted import restricted_problems
from components.postgres import pods as postgres_pods
from components.postgres.backup import pods as backup_pods
from components.redis import pods as redis_pods
from components.trading import roles
from stacks.arguments import arguments
from stacks.config import parse
from stacks.secrets import SECRET_KEYS
from tests.fix_pulumi import check_conventions
from toolchain.plugins.values import UNKNOWN, has_secret, unwrap, walk
from toolchain.render.manifests import manifests
from toolchain.render.recorder import PROVIDER_TYPE, Registration, fake_password
from toolchain.render.render import PLACEHOLDER, declare
from toolchain.render.stackfile import read

STACKS = ("local", "prod", "staging")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")

declared = cache(declare)
pytestmark = pytest.mark.parametrize("stack", STACKS)


class Pod(NamedTuple):
    """A pod template, where it stands, and its containers."""

    where: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    def containers(self) -> list[Mapping[str, Any]]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


def objects(stack: str, *kinds: str) -> dict[str, dict[str, Any]]:
    return {name: it for name, it in manifests(declared(stack)).items() if not kinds or it["kind"] in kinds}


def pods(stack: str) -> Iterator[Pod]:
    for name, workload in objects(stack, *WORKLOADS).items():
        spec = workload["spec"]
        template = spec["jobTemplate"]["spec"]["template"] if workload["kind"] == "CronJob" else spec["template"]
        yield Pod(name, template["metadata"]["labels"], template["spec"])


def serving(stack: str) -> list[Pod]:
    """The pods that are meant to run for ever: no job's."""
    return [pod for pod in pods(stack) if not pod.where.startswith("cronjob-")]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def custom(stack: str) -> list[Registration]:
    return [r for r in declared(stack) if r.custom and not r.type.startswith(PROVIDER_TYPE)]


def test_every_component_registers_outputs_and_has_its_children(stack: str) -> None:
    check_conventions(declared(stack))


def test_every_resource_has_the_explicit_provider_of_its_package(stack: str) -> None:
    providers = {r.type.removeprefix(PROVIDER_TYPE): r.urn for r in declared(stack) if r.type.startswith(PROVIDER_TYPE)}
    assert set(providers) == {"kubernetes", "random"}
    for resource in custom(stack):
        package = resource.type.partition(":")[0]
        assert resource.provider.rpartition("::")[0] == providers[package], resource.name


def test_protection_reaches_every_resource(stack: str) -> None:
    assert {r.protect for r in custom(stack)} == {stack == "prod"}


def test_no_secret_value_is_anywhere_but_in_secrets(stack: str) -> None:
    passwords = [r.name for r in declared(stack).of("random:index/randomPassword:RandomPassword")]
    values = {fake_password(name) for name in passwords} | {PLACEHOLDER}
    for resource in declared(stack):
        if resource.type == "kubernetes:core/v1:Secret":
            assert {key for key, value in resource.inputs.items() if has_secret(value)} == {"data"}, resource.name
            continue
        assert not has_secret(resource.inputs), resource.name
        texts = [text for text in walk(resource.inputs) if isinstance(text, str)]
        assert not [text for text in texts for value in values if value in text], resource.name


def test_nothing_that_a_pod_is_made_of_waits_for_a_value(stack: str) -> None:
    """A preview of a rotation shows the password and its Secret, because no pod template is unknown."""
    unknown = [r.name for r in declared(stack) if any(part is UNKNOWN for part in walk(r.inputs))]
    assert unknown == []


def test_every_pod_passes_pod_security_restricted(stack: str) -> None:
    assert {pod.where: restricted_problems(pod.spec) for pod in pods(stack)} == {pod.where: [] for pod in pods(stack)}


def test_every_pod_is_hardened_beyond_it(stack: str) -> None:
    for pod in pods(stack):
        assert pod.spec["securityContext"]["runAsUser"] >= 10_000, pod.where
        assert pod.spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch", pod.where
        for container in pod.containers():
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, pod.where
            assert not [mount for mount in container["volumeMounts"] if "subPath" in mount], pod.where


def test_only_pods_that_call_the_api_have_a_token(stack: str) -> None:
    with_token = {
        pod.where
        for pod in pods(stack)
        if pod.spec.get("automountServiceAccountToken") is not False or "serviceAccountToken" in repr(pod.spec)
    }
    jobs = {"postgres-backup-full", "postgres-backup-diff", "postgres-backup-check", "postgres-restore-test"}
    assert with_token == {"statefulset-postgres.yaml", *(f"cronjob-{name}.yaml" for name in jobs)}


def test_every_container_has_requests_and_a_memory_limit(stack: str) -> None:
    for pod in pods(stack):
        for container in pod.containers():
            resources = container["resources"]
            assert {"cpu", "memory"} <= resources["requests"].keys(), f"{pod.where} {container['name']}"
            assert resources["limits"]["memory"] == resources["requests"]["memory"], pod.where


def test_every_served_port_has_probes(stack: str) -> None:
    for pod in serving(stack):
        main = pod.spec["containers"][0]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= main.keys(), pod.where


def test_every_workload_has_one_budget_over_all_its_pods(stack: str) -> None:
    budgets = objects(stack, "PodDisruptionBudget").values()
    for pod in serving(stack):
        own = [budget["spec"] for budget in budgets if selects(budget["spec"]["selector"], pod.labels)]
        assert [spec.get("maxUnavailable") for spec in own] == [1], pod.where


def test_every_pod_is_denied_what_no_policy_allows(stack: str) -> None:
    policies = {name: it["spec"] for name, it in objects(stack, "NetworkPolicy").items()}
    deny = policies.pop("networkpolicy-deny-all.yaml")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    del policies["networkpolicy-allow-dns.yaml"]
    for pod in pods(stack):
        own = [name for name, spec in policies.items() if selects(spec["podSelector"], pod.labels)]
        assert len(own) == 1, f"{pod.where}: {own}"
    for name, spec in policies.items():
        assert [pod for pod in pods(stack) if selects(spec["podSelector"], pod.labels)], f"{name} selects no pod"


def test_every_selector_selects_the_pods_of_one_workload(stack: str) -> None:
    for name, it in objects(stack, "PodDisruptionBudget", "Deployment", "StatefulSet").items():
        chosen = [pod.where for pod in pods(stack) if selects(it["spec"]["selector"], pod.labels)]
        assert len(chosen) == 1, f"{name} selects {chosen}"


def test_members_of_a_store_never_share_a_node(stack: str) -> None:
    for name, it in objects(stack, "StatefulSet").items():
        affinity = it["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname", name


def test_everything_stands_in_the_stacks_namespace(stack: str) -> None:
    for name, it in objects(stack).items():
        if it["kind"] not in ("Namespace", "ClusterRole", "ClusterRoleBinding"):
            assert it["metadata"]["namespace"] == "trading", name


def test_every_secret_that_a_pod_mounts_is_declared(stack: str) -> None:
    there = {it["metadata"]["name"] for it in objects(stack, "Secret").values()}
    for pod in pods(stack):
        mounted = {volume["secret"]["secretName"] for volume in pod.spec["volumes"] if "secret" in volume}
        pulled = {secret["name"] for secret in pod.spec.get("imagePullSecrets", ())}
        assert mounted | pulled <= there, pod.where
        assert bool(pulled) is (stack != "local"), pod.where


def test_the_quota_is_held_to_the_sums_of_the_manifests(stack: str) -> None:
    """What `make preview` checks before anything is changed is what the cluster will count."""
    most = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]["maxReplicas"]
        for scaler in objects(stack, "HorizontalPodAutoscaler").values()
    }
    found = Footprint()
    for pod, workload in zip(pods(stack), objects(stack, *WORKLOADS).values(), strict=True):
        # a CronJob that forbids a second run has one pod at most
        replicas = most.get(workload["metadata"]["name"]) or workload["spec"].get("replicas", 1)
        rolling = workload["spec"].get("strategy", {}).get("rollingUpdate")
        # a pod that ends still counts; the only one of a role ends when the next has come, and with it the update
        count = replicas + (rolling["maxSurge"] + (replicas > 1) if rolling else 0)
        templates = [*workload["spec"].get("volumeClaimTemplates", ())]
        templates += [v["ephemeral"]["volumeClaimTemplate"] for v in pod.spec["volumes"] if "ephemeral" in v]
        claims = [c["spec"]["resources"]["requests"] for c in templates]
        asked = [c["resources"] for c in pod.spec["containers"]]
        found += Footprint(
            pods=count,
            cpu_m=count * sum(cpu(r["requests"]["cpu"]) for r in asked),
            memory_mib=count * sum(memory(r["limits"]["memory"]) for r in asked),
            storage_gib=replicas * sum(memory(c["storage"]) for c in claims) // 1024,
            claims=replicas * len(claims),
        )
    args = arguments(parse(stack, {**read(stack).values, **dict.fromkeys(SECRET_KEYS, "set")}, SECRET_KEYS))
    assert args.postgres.backup is not None
    stores = postgres_pods.needs(args.postgres) + backup_pods.needs(args.postgres, args.postgres.backup)
    assert found == stores + redis_pods.needs(args.redis) + roles.needs(args.trading)
    hard = objects(stack, "ResourceQuota")["resourcequota-quota.yaml"]["spec"]["hard"]
    assert (args.network.quota.pods, args.network.quota.claims) == (
        int(hard["pods"]),
        int(hard["persistentvolumeclaims"]),
    )


def test_an_autoscaled_deployment_declares_no_number_of_pods(stack: str) -> None:
    scaled = {it["spec"]["scaleTargetRef"]["name"] for it in objects(stack, "HorizontalPodAutoscaler").values()}
    assert scaled == (set() if stack == "local" else {"trading-api"})
    for name, it in objects(stack, "Deployment", "StatefulSet").items():
        assert ("replicas" in it["spec"]) is (it["metadata"]["name"] not in scaled), name


def test_only_the_api_is_reached_from_outside(stack: str) -> None:
    """From other namespaces and from addresses, the policies let in to the API's port alone."""
    for name, it in objects(stack, "NetworkPolicy").items():
        for rule in it["spec"].get("ingress", ()):
            for peer in rule["from"]:
                if "podSelector" not in peer:
                    assert name == "networkpolicy-allow-trading-api.yaml"
                    assert rule["ports"] == [{"port": 8080, "protocol": "TCP"}]


def cpu(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else 1000 * int(text)


def memory(text: str) -> int:
    return int(text[:-2]) * {"Mi": 1, "Gi": 1024, "Ti": 1024**2}[text[-2:]]


def test_clients_are_told_the_addresses_that_the_components_give_out(stack: str) -> None:
    outputs = declared(stack).stack_outputs
    for pod in pods(stack):
        if pod.labels["app.kubernetes.io/name"] == "trading":
            env = {e["name"]: e.get("value") for e in pod.spec["containers"][0]["env"]}
            assert env["TRADING_POSTGRES_HOSTS"] == ",".join(outputs["postgresHosts"])
            assert env["TRADING_REDIS_SENTINELS"] == ",".join(outputs["redisSentinels"])


def test_the_key_of_the_api_leaves_the_stack_as_a_secret_only(stack: str) -> None:
    outputs: Mapping[str, Any] = declared(stack).stack_outputs
    assert {name for name, value in outputs.items() if has_secret(value)} == {"apiKey", "backupPassphrase"}
    assert unwrap(outputs["apiKey"]) == fake_password("credentials-api-b")
