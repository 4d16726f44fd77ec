"""Everything that `up` writes before it starts a process: keys, certificates, configuration, what each member runs."""

import json
import os
import shutil
from pathlib import Path

from toolchain.cluster import certificates, configs, daemons, plan
from toolchain.cluster.daemons import Daemon, Spec
from toolchain.cluster.files import write_private
from toolchain.cluster.state import Cluster
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT

DAEMONS_MEMORY_BYTES = 512 << 20
"""What containerd, kubelet and kube-proxy of one node take together at most, measured with a margin."""

UNSUITABLE = ("overlay", "tmpfs", "nfs", "nfs4", "9p", "virtiofs", "fuse")


def require_suitable(local: Path) -> None:
    """Raise `ToolError` when containers cannot live on the file system of `local`."""
    kind = file_system(local, Path("/proc/self/mountinfo").read_text())
    if kind.partition(".")[0] in UNSUITABLE:
        raise ToolError(
            f"{local}: containers cannot live on {kind}; set TRADING_LOCAL to a folder on ext4, xfs or btrfs"
        )


def file_system(path: Path, mountinfo: str) -> str:
    """The kind of file system that holds a path."""
    best, kind = -1, "unknown"
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        where = Path(before.split()[4].replace("\\040", " "))
        if path.is_relative_to(where) and len(where.parts) >= best:
            best, kind = len(where.parts), after.split()[0]
    return kind


def write_all(cluster: Cluster, programs: Path, pause_image: str) -> None:
    """Write every file; what lasts (keys, certificates) is kept when it is there."""
    cluster.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(cluster.folder / "port", str(cluster.port))
    for name, member in (("node", plan.NODES[0]), ("control", plan.CONTROL)):
        write_private(cluster.folder / f"resolv-{name}.conf", plan.resolver(member))
    now = certificates.utc_now()
    authority = certificates.ensure_authority(cluster.folder / "pki", now)
    certificates.ensure_issued(authority, [certificates.ADMIN], cluster.folder / "pki", now)
    for member in plan.MEMBERS:
        certificates.ensure_issued(authority, certificates.identities(member), cluster.member(member) / "pki", now)
    write_control(cluster)
    write_spec(cluster, plan.CONTROL, daemons.control(programs, cluster.port), programs)
    for node in plan.NODES:
        write_node(cluster, node, pause_image)
        write_spec(cluster, node, daemons.node(node, programs, f"/{cluster.cgroup(node)}"), programs)


def write_control(cluster: Cluster) -> None:
    """The control plane's configuration."""
    folder = cluster.member(plan.CONTROL)
    certificates.ensure_secrets(folder / "pki")
    key = (folder / "pki" / "secretbox.key").read_text()
    write_private(folder / "encryption.json", configs.encryption(key))
    write_private(folder / "Corefile", configs.corefile())
    for user in ("controller-manager", "scheduler", "coredns"):
        write_private(folder / f"{user}.kubeconfig", configs.kubeconfig(user))
    volumes = {node: str(cluster.member(node) / "volumes") for node in plan.NODES}
    write_private(folder / "provisioner.json", json.dumps({"volumes": volumes}))
    (folder / "etcd").mkdir(exist_ok=True, mode=0o700)


def write_node(cluster: Cluster, node: str, pause_image: str) -> None:
    """A node's configuration."""
    folder = cluster.member(node)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    write_private(folder / "containerd.toml", configs.containerd(pause_image))
    write_private(folder / "kubelet.json", configs.kubelet(memory, DAEMONS_MEMORY_BYTES))
    write_private(folder / "kube-proxy.json", configs.kube_proxy())
    for user in ("kubelet", "kube-proxy"):
        write_private(folder / f"{user}.kubeconfig", configs.kubeconfig(user))
    write_private(folder / "cni" / "pods.conflist", configs.cni(node))
    for name in ("containerd", "kubelet", "volumes", "pod-logs"):
        (folder / name).mkdir(exist_ok=True)


def write_spec(cluster: Cluster, member: str, runs: tuple[Daemon, ...], programs: Path) -> None:
    """What the member's init reads."""
    logs = cluster.folder / "log" / member
    logs.mkdir(parents=True, exist_ok=True)
    spec = Spec(
        member=member,
        folder=str(cluster.member(member)),
        logs=str(logs),
        cgroup=f"{cluster.cgroup(member)}/daemons",
        namespace=plan.namespace(cluster.name, member),
        path=f"{programs}:{system_path()}",
        python_path=str(ROOT),
        daemons=runs,
    )
    write_private(cluster.folder / "run" / f"{member}.spec.json", json.dumps(spec.document(), indent=1))


def system_path() -> str:
    """PATH for the daemons: where the system's programs are, whatever the caller's PATH is."""
    own = [str(Path(found).parent) for found in map(shutil.which, ("containerd", "etcd", "runc")) if found]
    usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return ":".join(dict.fromkeys([*own, *usual]))
