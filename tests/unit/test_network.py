"""The table of flows, and the policies that are made of it."""

import pytest

from components.kit.errors import InvalidArgs
from components.network.args import NetworkArgs, Quota
from components.network.component import Network
from components.network.flows import Addresses, Flow, Namespaces, Pods, by_workload
from tests.fix_pulumi import Record
from toolchain.render.manifests import manifests

QUOTA = Quota(pods=10, cpu_m=1500, memory_mib=2048, storage_gib=10, claims=3)
CLIENT, SERVER, WATCH = Pods("client"), Pods("server", "main"), Pods("server", "watch")
FLOWS = (
    Flow(CLIENT, SERVER, (5432,)),
    Flow(WATCH, SERVER, (5432, 8008)),
    Flow(SERVER, Addresses("10.0.0.0/8"), (443,)),
    Flow(Namespaces("ingress"), CLIENT, (8080,)),
)


def test_each_end_of_a_flow_gets_its_half() -> None:
    by_slug = {policy.pods.slug: policy for policy in by_workload(FLOWS)}
    assert list(by_slug) == ["client", "server-main", "server-watch"]
    assert by_slug["server-main"].accepts == (FLOWS[0], FLOWS[1])
    assert by_slug["server-main"].opens == (FLOWS[2],)
    assert by_slug["server-watch"].accepts == ()


def declare(recorded: Record) -> dict[str, dict[str, object]]:
    args = NetworkArgs(namespace="trading", quota=QUOTA, flows=FLOWS)
    return manifests(recorded(lambda: Network("network", args)))


def test_the_namespace_enforces_restricted(recorded: Record) -> None:
    metadata = declare(recorded)["namespace-trading.yaml"]["metadata"]
    assert isinstance(metadata, dict)
    for mode in ("enforce", "audit", "warn"):
        assert metadata["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert metadata["labels"][f"pod-security.kubernetes.io/{mode}-version"] == "latest"


def test_everything_is_denied_that_no_flow_allows(recorded: Record) -> None:
    files = declare(recorded)
    assert files["networkpolicy-deny-all.yaml"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert files["networkpolicy-allow-server-watch.yaml"]["spec"] == {
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "server", "app.kubernetes.io/component": "watch"},
        },
        "policyTypes": ["Ingress", "Egress"],
        "egress": [
            {
                "ports": [{"port": 5432, "protocol": "TCP"}, {"port": 8008, "protocol": "TCP"}],
                "to": [
                    {
                        "podSelector": {
                            "matchLabels": {"app.kubernetes.io/name": "server", "app.kubernetes.io/component": "main"}
                        }
                    }
                ],
            }
        ],
    }


def test_ends_outside_the_namespace(recorded: Record) -> None:
    files = declare(recorded)
    server, client = (files[f"networkpolicy-allow-{slug}.yaml"]["spec"] for slug in ("server-main", "client"))
    assert isinstance(server, dict)
    assert isinstance(client, dict)
    assert server["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    wanted = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    assert client["ingress"][0]["from"] == [wanted]


def test_the_quota_is_in_the_text_that_the_api_writes_back(recorded: Record) -> None:
    spec = declare(recorded)["resourcequota-quota.yaml"]["spec"]
    assert isinstance(spec, dict)
    assert spec["hard"]["requests.cpu"] == "1500m"
    assert spec["hard"]["requests.memory"] == "2Gi"
    assert spec["hard"]["services.loadbalancers"] == "0"


def test_all_problems_are_named_at_once() -> None:
    quota = Quota(pods=0, cpu_m=1, memory_mib=1, storage_gib=-1, claims=1)
    flows = (Flow(CLIENT, SERVER, (0,)), Flow(SERVER, Addresses("10.0.0.1/8"), (443,)))
    with pytest.raises(InvalidArgs) as caught:
        NetworkArgs(namespace="trading", quota=quota, flows=flows)
    assert [p.field for p in caught.value.problems] == ["quota.pods", "quota.storage_gib", "network.ports", "network"]
