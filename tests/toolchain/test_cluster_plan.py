"""Addresses, names, configuration texts and command lines of the local cluster."""

import ipaddress
import itertools
import json
import tomllib
from pathlib import Path

import pytest

from toolchain.cluster import configs, daemons, manifests, plan
from toolchain.cluster.daemons import Spec


def test_addresses_do_not_overlap() -> None:
    network = ipaddress.IPv4Network(f"{plan.CONTROL_IP}/{plan.NETWORK_PREFIX}", strict=False)
    addresses = [ipaddress.ip_address(plan.address(member)) for member in plan.MEMBERS]
    pods, services = ipaddress.IPv4Network(plan.POD_CIDR), ipaddress.IPv4Network(plan.SERVICE_CIDR)
    per_node = [ipaddress.IPv4Network(plan.pod_cidr(node)) for node in plan.NODES]

    assert len(set(addresses)) == 4
    assert all(address in network for address in addresses)
    assert all(each.subnet_of(pods) for each in per_node)
    assert not any(a.overlaps(b) for a, b in itertools.combinations([network, services, *per_node], 2))
    assert all(ipaddress.ip_address(each) in services for each in (plan.API_SERVICE_IP, plan.DNS_SERVICE_IP))
    assert all(each.is_private for each in (network, pods, services))


def test_two_folders_are_two_clusters() -> None:
    one, other = plan.cluster_id(Path("/srv/a/.local")), plan.cluster_id(Path("/srv/b/.local"))

    assert one != other
    assert one == plan.cluster_id(Path("/srv/a/.local"))
    assert plan.namespace(one, "node-1") == f"{one}-node-1"


def test_unknown_node_has_no_address() -> None:
    with pytest.raises(ValueError, match="node-4"):
        plan.address("node-4")


def test_a_partition_covers_a_nodes_pods() -> None:
    assert plan.sources("node-2") == ("172.30.0.12", "10.244.2.0/24")
    assert plan.sources("control") == (plan.CONTROL_IP,)


def test_host_commands_resolve_through_the_service_on_nodes_only() -> None:
    assert f"nameserver {plan.DNS_SERVICE_IP}\n" in plan.resolver("node-3")
    assert f"nameserver {plan.CONTROL_IP}\n" in plan.resolver("control")


def test_kubelet_takes_no_anonymous_request_and_offers_a_third_of_the_machine() -> None:
    gib = 1 << 30
    config = json.loads(configs.kubelet(24 * gib, gib // 2))

    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authentication"]["x509"]["clientCAFile"] == "/run/node/pki/ca.crt"
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["failCgroupV1"] is False
    assert config["resolvConf"] == ""
    reserved = int(config["systemReserved"]["memory"])
    assert 24 * gib - reserved == 8 * gib - gib // 2


def test_containerd_configuration_is_toml_with_what_the_machine_needs() -> None:
    config = tomllib.loads(configs.containerd("localhost/pause:1"))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]

    assert config["version"] == 2
    assert cri["sandbox_image"] == "localhost/pause:1"
    assert cri["restrict_oom_score_adj"] is True
    assert cri["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False}


def test_pods_reach_themselves_through_their_service() -> None:
    [bridge] = json.loads(configs.cni("node-2"))["plugins"]

    assert bridge["hairpinMode"] is True
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.2.0/24"}]]


def test_kube_proxy_leaves_the_machines_connection_table_alone() -> None:
    config = json.loads(configs.kube_proxy())

    assert config["mode"] == "iptables"
    assert config["conntrack"] == {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    }


def test_secrets_are_written_encrypted() -> None:
    [rule] = json.loads(configs.encryption("a2V5"))["resources"]

    assert rule["resources"] == ["secrets"]
    assert list(rule["providers"][0]) == ["secretbox"]


def test_kubeconfigs() -> None:
    by_file = json.loads(configs.kubeconfig("scheduler"))
    inline = json.loads(configs.embedded_kubeconfig("https://127.0.0.1:1", b"ca", b"crt", b"key"))

    assert by_file["users"][0]["user"]["client-key"] == "/run/node/pki/scheduler.key"
    assert inline["clusters"][0]["cluster"] == {"server": "https://127.0.0.1:1", "certificate-authority-data": "Y2E="}


def test_api_server_is_closed_to_strangers() -> None:
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in daemons.api_server_flags())

    assert flags["anonymous-auth"] == "false"
    assert flags["authorization-mode"] == "Node,RBAC"
    assert flags["enable-admission-plugins"] == "NodeRestriction"
    assert "token-auth-file" not in flags
    assert flags["etcd-servers"].startswith("http://127.0.0.1:")


def test_etcd_listens_on_loopback_only() -> None:
    urls = [flag for flag in daemons.etcd_flags() if "http" in flag]

    assert len(urls) == 5
    assert all("127.0.0.1" in url for url in urls)


def test_only_the_forwarder_is_outside_the_namespace() -> None:
    runs = daemons.control(Path("/bin"), 16443)

    assert [each.name for each in runs if not each.inside] == ["forwarder"]
    assert all(each.inside for each in daemons.node("node-1", Path("/bin"), "/x/node-1"))


def test_a_members_specification_survives_its_file() -> None:
    spec = Spec("node-1", "/a", "/b", "c", "d", "/e", "/f", daemons.node("node-1", Path("/bin"), "/x/node-1"))

    assert Spec.load(json.loads(json.dumps(spec.document()))) == spec


def test_objects_are_applied_where_they_belong() -> None:
    for path, body in manifests.objects():
        assert path.endswith(f"/{body['metadata']['name']}")
        assert path.startswith(("/api/v1/", f"/apis/{body['apiVersion']}/"))


def test_no_user_of_the_cluster_itself_may_write_more_than_volumes() -> None:
    writes = {
        (body["metadata"]["name"], resource, verb)
        for _, body in manifests.objects()
        if body["kind"] == "ClusterRole"
        for rule in body["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in manifests.READ
    }

    assert writes == {("trading:provisioner", "persistentvolumes", verb) for verb in ("create", "delete")}
