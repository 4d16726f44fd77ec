"""The configuration files of the cluster's programs. Pure: values in, texts out; paths are those inside a member."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from toolchain.cluster import plan

INSIDE = plan.INSIDE
PKI = INSIDE / "pki"
API_URL = f"https://{plan.CONTROL_IP}:{plan.API_PORT}"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CNI_PLUGINS = "/usr/lib/cni"

Document = Mapping[str, Any]


def text(document: Document) -> str:
    """A document as JSON, which every reader of YAML takes."""
    return json.dumps(document, indent=1) + "\n"


def kubeconfig(user: str, server: str = API_URL, folder: str = str(PKI)) -> str:
    """A kubeconfig that points to ca.crt and `<user>.crt/.key` in `folder`."""
    return text(
        kubeconfig_document(
            server,
            {"certificate-authority": f"{folder}/ca.crt"},
            {"client-certificate": f"{folder}/{user}.crt", "client-key": f"{folder}/{user}.key"},
        )
    )


def embedded_kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """A kubeconfig that holds its certificates, so that the file can be copied."""

    def encoded(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    return text(
        kubeconfig_document(
            server,
            {"certificate-authority-data": encoded(authority)},
            {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)},
        )
    )


def kubeconfig_document(server: str, cluster: Document, user: Document) -> Document:
    """A kubeconfig with one cluster, one user and one context, all named `local`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "local", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
        "current-context": "local",
    }


def encryption(key: str) -> str:
    """Secrets are encrypted in etcd with secretbox; what was written before is still readable."""
    providers = [{"secretbox": {"keys": [{"name": "key1", "secret": key}]}}, {"identity": {}}]
    return text(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
    )


def corefile() -> str:
    """CoreDNS for the cluster's names only: there is no way out, so any other name does not exist."""
    return f""".:53 {{
    errors
    kubernetes {plan.DNS_DOMAIN} in-addr.arpa {{
        kubeconfig {INSIDE}/coredns.kubeconfig
        ttl 5
    }}
}}
"""


def kubelet(memory_bytes: int, reserved_bytes: int) -> str:
    """The kubelet's configuration.

    Args:
        memory_bytes: the machine's memory; each node offers a third of it to pods.
        reserved_bytes: what the node's own daemons are given out of that third.
    """
    third = memory_bytes // len(plan.NODES)
    kept_back = memory_bytes - third + reserved_bytes
    return text(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{PKI}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{PKI}/kubelet-server.crt",
            "tlsPrivateKeyFile": f"{PKI}/kubelet-server.key",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "clusterDNS": [plan.DNS_SERVICE_IP],
            "clusterDomain": plan.DNS_DOMAIN,
            "resolvConf": "",
            "podLogsDir": f"{INSIDE}/pod-logs",
            "containerLogMaxSize": "5Mi",
            "containerLogMaxFiles": 2,
            "volumePluginDir": "/run/kubelet-plugins",
            "healthzPort": 0,
            "oomScoreAdj": 0,
            "failSwapOn": False,
            "maxPods": 60,
            "systemReserved": {"memory": str(kept_back), "cpu": "200m"},
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            # Images come by `load` only and cannot be fetched again.
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
            # A mounted Secret follows its object within this period (Kubernetes' default is 1 minute).
            "syncFrequency": "15s",
            "shutdownGracePeriod": "0s",
        }
    )


def kube_proxy() -> str:
    """kube-proxy's configuration; conntrack limits belong to the whole machine and are left alone."""
    return text(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{INSIDE}/kube-proxy.kubeconfig"},
            "mode": "iptables",
            "clusterCIDR": plan.POD_CIDR,
            "detectLocalMode": "ClusterCIDR",
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "oomScoreAdj": 0,
        }
    )


def cni(node: str) -> str:
    """A bridge per node; with hairpin mode a pod reaches itself through its own Service."""
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": plan.pod_cidr(node)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return text({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]})


def containerd(pause_image: str) -> str:
    """containerd's configuration (version 2, which containerd 1.6 to 2.x read)."""
    return f"""version = 2
root = "{INSIDE}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = "/run/containerd/opt"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  max_concurrent_downloads = 3

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{INSIDE}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
