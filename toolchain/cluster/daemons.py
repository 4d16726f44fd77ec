"""Which processes a member runs, and how. Pure: paths and flags in, command lines out."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolchain.cluster import configs, plan

INSIDE = plan.INSIDE
PKI = configs.PKI
NETWORK_DESCRIPTOR = "{network}"
"""In a command line: the number of an open file that names the member's network namespace."""


@dataclass(frozen=True)
class Daemon:
    """One process that a member's init keeps alive.

    Attributes:
        name: of its log file.
        argv: command line; `{network}` in it becomes the descriptor of the member's network namespace.
        inside: whether it runs in the member's network namespace (all but the forwarder do).
        env: environment on top of PATH and HOME.
    """

    name: str
    argv: tuple[str, ...]
    inside: bool = True
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """What a member's init needs to know; it reads it from a JSON file."""

    member: str
    folder: str
    logs: str
    cgroup: str
    namespace: str
    path: str
    python_path: str
    daemons: tuple[Daemon, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> "Spec":
        """The inverse of `document`."""
        daemons = tuple(Daemon(**{**each, "argv": tuple(each["argv"])}) for each in document["daemons"])
        return cls(**{**document, "daemons": daemons})


def control(programs: Path, api_port: int) -> tuple[Daemon, ...]:
    """The control plane: etcd, the Kubernetes masters, DNS, the volume provisioner and the loopback forwarder."""
    # No leader election: there is one of each. Port 0: nobody asks these for their metrics.
    alone = ("--leader-elect=false", "--secure-port=0")
    return (
        Daemon("etcd", ("etcd", *etcd_flags())),
        Daemon("kube-apiserver", (str(programs / "kube-apiserver"), *api_server_flags())),
        Daemon(
            "kube-controller-manager",
            (
                str(programs / "kube-controller-manager"),
                f"--kubeconfig={INSIDE}/controller-manager.kubeconfig",
                f"--root-ca-file={PKI}/ca.crt",
                f"--service-account-private-key-file={PKI}/service-account.key",
                "--use-service-account-credentials=true",
                *alone,
            ),
        ),
        Daemon(
            "kube-scheduler",
            (str(programs / "kube-scheduler"), f"--kubeconfig={INSIDE}/scheduler.kubeconfig", *alone),
        ),
        Daemon("coredns", (str(programs / "coredns"), "-conf", f"{INSIDE}/Corefile")),
        python_daemon("provisioner", f"{INSIDE}/provisioner.json"),
        python_daemon("forwarder", str(api_port), f"{INSIDE}/forwards.json", NETWORK_DESCRIPTOR, inside=False),
    )


def python_daemon(name: str, *args: str, inside: bool = True) -> Daemon:
    """A daemon that is a module of this package."""
    return Daemon(name, (sys.executable, "-m", f"toolchain.cluster.{name}", *args), inside=inside)


def etcd_flags() -> tuple[str, ...]:
    """etcd listens on the loopback of the control namespace only: nobody but the API server is there."""
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return (
        f"--data-dir={INSIDE}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--snapshot-count=5000",
        "--logger=zap",
        "--log-level=warn",
    )


def api_server_flags() -> tuple[str, ...]:
    """The API server: Node and RBAC authorization, no anonymous access, Secrets encrypted at rest."""
    return (
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={plan.API_PORT}",
        f"--advertise-address={plan.CONTROL_IP}",
        f"--service-cluster-ip-range={plan.SERVICE_CIDR}",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--client-ca-file={PKI}/ca.crt",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{plan.DNS_DOMAIN}",
        f"--service-account-key-file={PKI}/service-account.pub",
        f"--service-account-signing-key-file={PKI}/service-account.key",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--enable-admission-plugins=NodeRestriction",
        f"--encryption-provider-config={INSIDE}/encryption.json",
        "--allow-privileged=true",
        "--profiling=false",
    )


def node(name: str, programs: Path, cgroup: str) -> tuple[Daemon, ...]:
    """A node: containerd, kubelet and kube-proxy.

    Args:
        name: the node.
        programs: folder of the Kubernetes binaries.
        cgroup: the node's cgroup, under which the kubelet makes those of the pods.
    """
    return (
        Daemon("containerd", ("containerd", f"--config={INSIDE}/containerd.toml", "--log-level=warn")),
        Daemon(
            "kubelet",
            (
                str(programs / "kubelet"),
                f"--config={INSIDE}/kubelet.json",
                f"--kubeconfig={INSIDE}/kubelet.kubeconfig",
                f"--root-dir={INSIDE}/kubelet",
                f"--hostname-override={name}",
                f"--node-ip={plan.address(name)}",
                f"--node-labels=topology.kubernetes.io/zone={plan.zone(name)}",
                f"--cgroup-root={cgroup}",
            ),
        ),
        Daemon(
            "kube-proxy",
            (str(programs / "kube-proxy"), f"--config={INSIDE}/kube-proxy.json", f"--hostname-override={name}"),
        ),
    )
