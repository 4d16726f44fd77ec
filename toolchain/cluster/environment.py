"""What users of a cluster source and read: `.local/kubeconfig`, `.local/endpoints.json`, `.local/env`."""

import json
import shlex

from toolchain import go
from toolchain.cluster import configs
from toolchain.cluster.files import write_private
from toolchain.cluster.forwards import read_forwards
from toolchain.cluster.state import Cluster


def write_kubeconfig(cluster: Cluster) -> None:
    """The administrator's kubeconfig, with its certificate inside."""
    pki = cluster.folder / "pki"
    parts = [(pki / name).read_bytes() for name in ("ca.crt", "admin.crt", "admin.key")]
    write_private(cluster.kubeconfig, configs.embedded_kubeconfig(cluster.address, *parts))


def write_endpoints(cluster: Cluster) -> None:
    """URL by name: `kubernetes`, and each forwarded service."""
    urls = {"kubernetes": cluster.address}
    for name, forward in read_forwards(cluster).items():
        urls[name] = f"{forward.scheme}://127.0.0.1:{forward.local}"
    write_private(cluster.endpoints_file, json.dumps(urls, indent=1) + "\n")


def env_lines(cluster: Cluster) -> list[str]:
    """Lines of shell after which `kubectl` is on PATH and means this cluster."""
    programs = go.ensure(("kube", "coredns"))
    return [
        f"export PATH={shlex.quote(str(programs))}:$PATH",
        f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}",
    ]


def write_env(cluster: Cluster) -> None:
    """`.local/env`, unless there is one: other parts of the toolchain add to it."""
    path = cluster.local / "env"
    if not path.exists():
        write_private(path, "\n".join(env_lines(cluster)) + "\n")
