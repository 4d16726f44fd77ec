"""The cluster's network: a namespace for each member, joined by a bridge in the control plane's. Nothing leads out.

The machine's own namespace gets no interface, no route and no rule.
"""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from toolchain.cluster import plan
from toolchain.kit.console import ToolError

NAMED = Path("/run/netns")
BRIDGE = "br0"


def run(*argv: str) -> str:
    """Run a command; its output. Raises `ToolError` with the command and its error text."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def inside(namespace: str, *argv: str) -> str:
    """Run a command in a network namespace."""
    return run("nsenter", f"--net={NAMED / namespace}", *argv)


def existing(cluster: str) -> list[str]:
    """The namespaces of a cluster that are there."""
    return sorted(each.name for each in NAMED.glob(f"{cluster}-*")) if NAMED.is_dir() else []


def require_bridge_filter() -> None:
    """Raise `ToolError` unless the kernel shows bridged packets to kube-proxy's rules, loading its module if need be.

    Without it a Service is not reached by pods on the node of its endpoint.
    """
    setting = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not setting.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    if not setting.exists():
        raise ToolError(
            "the kernel has no br_netfilter; load that module, or use a cluster of your own: KUBECONFIG=<file>"
        )


def ensure(cluster: str) -> None:
    """Make what is missing of the namespaces, the bridge, the links and the routes."""
    control = plan.namespace(cluster, plan.CONTROL)
    there = existing(cluster)
    for member in plan.MEMBERS:
        name = plan.namespace(cluster, member)
        if name not in there:
            run("ip", "netns", "add", name)
        settings = ["net/ipv6/conf/all/disable_ipv6=1", "net/ipv6/conf/default/disable_ipv6=1"]
        settings.append("net/bridge/bridge-nf-call-iptables=0" if member == plan.CONTROL else "net/ipv4/ip_forward=1")
        inside(name, "sh", "-c", set_settings(settings))
        run("ip", "-n", name, "link", "set", "lo", "up")
    if BRIDGE not in links(control):
        run("ip", "-n", control, "link", "add", BRIDGE, "type", "bridge")
    run("ip", "-n", control, "addr", "replace", f"{plan.CONTROL_IP}/{plan.NETWORK_PREFIX}", "dev", BRIDGE)
    run("ip", "-n", control, "link", "set", BRIDGE, "up")
    for node in plan.NODES:
        ensure_node(cluster, node)


def ensure_node(cluster: str, node: str) -> None:
    """The link between a node and the bridge, its address and its routes."""
    control, namespace = plan.namespace(cluster, plan.CONTROL), plan.namespace(cluster, node)
    if "eth0" not in links(namespace):
        run("ip", "link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", node, "netns", control)
    run("ip", "-n", control, "link", "set", node, "master", BRIDGE, "up")
    run("ip", "-n", namespace, "addr", "replace", f"{plan.address(node)}/{plan.NETWORK_PREFIX}", "dev", "eth0")
    run("ip", "-n", namespace, "link", "set", "eth0", "up")
    # Service addresses must have a route for their packets to get as far as kube-proxy's rules.
    run("ip", "-n", namespace, "route", "replace", plan.SERVICE_CIDR, "dev", "eth0")
    for other in plan.NODES:
        if other != node:
            run("ip", "-n", namespace, "route", "replace", plan.pod_cidr(other), "via", plan.address(other))
    run("ip", "-n", control, "route", "replace", plan.pod_cidr(node), "via", plan.address(node))


def set_settings(settings: Iterable[str]) -> str:
    """A shell script that writes `path=value` under /proc/sys where the kernel has the path."""
    lines = []
    for setting in settings:
        path, _, value = setting.partition("=")
        lines.append(f"test ! -e /proc/sys/{path} || echo {value} > /proc/sys/{path}")
    return "\n".join(lines)


def links(namespace: str) -> set[str]:
    """The interfaces of a namespace."""
    lines = run("ip", "-n", namespace, "-br", "link").splitlines()
    return {line.split()[0].partition("@")[0] for line in lines}


def set_link(cluster: str, node: str, up: bool) -> None:
    """Plug a node into the bridge, or unplug it."""
    control = plan.namespace(cluster, plan.CONTROL)
    if node in links(control):
        run("ip", "-n", control, "link", "set", node, "up" if up else "down")


def remove(cluster: str) -> None:
    """Remove the namespaces with all that is in them, and the folder of named ones when it is empty."""
    for name in existing(cluster):
        run("ip", "netns", "delete", name)
    if NAMED.is_dir() and not any(NAMED.iterdir()):
        # iproute2 mounts the folder onto itself; a busy or absent mount is somebody else's business.
        subprocess.run(["umount", str(NAMED)], capture_output=True, check=False)
        if not NAMED.is_mount() and not any(NAMED.iterdir()):
            NAMED.rmdir()


def partition(cluster: str, one: str, other: str) -> None:
    """Drop every packet between two members, pods included, in both directions.

    The rules are in table `raw`, before connection tracking and kube-proxy's rules, so that they cut existing
    connections too.
    """
    for here, there in ((one, other), (other, one)):
        namespace = plan.namespace(cluster, here)
        present = rules(namespace)
        for source in plan.sources(there):
            rule = ["PREROUTING", "-s", normal(source), "-j", "DROP"]
            if f"-A {' '.join(rule)}" not in present:
                inside(namespace, "iptables", "-w", "-t", "raw", "-A", *rule)


def heal(cluster: str) -> None:
    """Remove all partitions."""
    for namespace in existing(cluster):
        inside(namespace, "iptables", "-w", "-t", "raw", "-F", "PREROUTING")


def partitions(cluster: str) -> list[tuple[str, str]]:
    """The pairs of members that are cut off from each other."""
    cut = set()
    for member in plan.MEMBERS:
        present = rules(plan.namespace(cluster, member))
        for other in plan.MEMBERS:
            if f"-A PREROUTING -s {normal(plan.address(other))} -j DROP" in present:
                cut.add((min(member, other), max(member, other)))
    return sorted(cut)


def rules(namespace: str) -> list[str]:
    """The rules of chain PREROUTING of table raw, as iptables prints them."""
    return inside(namespace, "iptables", "-w", "-t", "raw", "-S", "PREROUTING").splitlines()


def normal(source: str) -> str:
    """An address range as iptables prints it."""
    return source if "/" in source else f"{source}/32"
