"""Command line: python -m toolchain.cluster up | stop | down | status | load | forward | exec | kill-node | ..."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from toolchain.cluster import environment, forwards, lifecycle, load, network, plan, status
from toolchain.cluster.forwarder import Forward
from toolchain.cluster.state import Cluster, require_member
from toolchain.kit.console import ToolError, main_guard, say
from toolchain.kit.host import require_root_linux


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    top = argparse.ArgumentParser(
        prog="toolchain.cluster",
        description="A three-node Kubernetes cluster on this machine. Every command may be repeated.",
        epilog="$TRADING_LOCAL: where its state lives (.local); $TRADING_KUBERNETES_PORT: port of its API (16443).",
    )
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, run: Callable[[argparse.Namespace], int | None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    here = Cluster.here
    command("up", "bring the cluster up, or repair what is missing of it", lambda a: lifecycle.up(here()))
    command("stop", "stop all processes and keep the data", lambda a: lifecycle.stop(here()))
    command("down", "remove the cluster and all its data", lambda a: lifecycle.down(here()))
    command("status", "nodes, pods, endpoints, cost; exit 0 when healthy", run_status)
    images = command("load", "import image archives into all nodes", run_load)
    images.add_argument("archives", nargs="+", metavar="ARCHIVE", type=Path, help="as `docker save` writes it")
    add = command("forward", "listen on loopback for a Service of the cluster", run_forward)
    add.add_argument("name", metavar="NAME", help="key in endpoints.json")
    add.add_argument("service", metavar="NAMESPACE/SERVICE:PORT", help="port of the Service")
    add.add_argument("port", metavar="LOCALPORT", type=int, help="port on 127.0.0.1")
    add.add_argument("--scheme", default="http", help="of the URL in endpoints.json (default: http)")
    remove = command("unforward", "listen no longer", run_unforward)
    remove.add_argument("name", metavar="NAME", help="as given to `forward`")
    execute = command("exec", "run a command of this machine in a node's network, with the cluster's DNS", run_exec)
    execute.add_argument("node", metavar="NODE", help=f"one of {', '.join(plan.MEMBERS)}")
    execute.add_argument("argv", metavar="-- COMMAND", nargs=argparse.REMAINDER, help="the command and its arguments")
    for name, text, run in (
        ("kill-node", "kill all processes of a node at once, and unplug it", lifecycle.kill_node),
        ("heal-node", "bring a killed node back; returns when it is Ready", lifecycle.heal_node),
    ):
        node = command(name, text, on_node(run))
        node.add_argument("node", metavar="N", help="1, 2, 3 or node-1, node-2, node-3")
    cut = command("partition", "drop all packets between two members, pods included", run_partition)
    for name in ("one", "other"):
        cut.add_argument(name, metavar=name.upper(), help="node-1, node-2, node-3 or control")
    command("heal", "remove all partitions", run_heal)
    return top


def run_status(_: argparse.Namespace) -> int:
    """Print the report; 1 when something is wrong."""
    found = status.report(Cluster.here())
    print("\n".join(found.lines))
    for problem in found.problems:
        say(f"problem: {problem}")
    return 1 if found.problems else 0


def run_load(args: argparse.Namespace) -> None:
    """Import archives."""
    cluster = Cluster.here()
    lifecycle.require_running(cluster)
    load.load_with_progress(cluster, args.archives)


def run_forward(args: argparse.Namespace) -> None:
    """Add a forward and print its URL."""
    cluster = Cluster.here()
    wanted = Forward(*forwards.parse_target(args.service), local=args.port, scheme=args.scheme)
    with cluster.lock():
        lifecycle.require_running(cluster)
        forwards.add(cluster, args.name, wanted)
        environment.write_endpoints(cluster)
    print(cluster.endpoints()[args.name])


def run_unforward(args: argparse.Namespace) -> None:
    """Remove a forward."""
    cluster = Cluster.here()
    with cluster.lock():
        lifecycle.require_running(cluster)
        forwards.remove(cluster, args.name)
        environment.write_endpoints(cluster)


def run_exec(args: argparse.Namespace) -> None:
    """Become the command."""
    cluster = Cluster.here()
    lifecycle.require_running(cluster)
    command = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    argv = cluster.exec_argv(require_member(args.node), *(command or ["sh"]))
    os.execvp(argv[0], argv)  # noqa: S606 - a shell would only be in the way


def on_node(action: Callable[[Cluster, str], None]) -> Callable[[argparse.Namespace], None]:
    """A command that takes a node."""

    def run(args: argparse.Namespace) -> None:
        cluster = Cluster.here()
        node = require_member(args.node, plan.NODES)
        lifecycle.require_running(cluster)
        action(cluster, node)

    return run


def run_partition(args: argparse.Namespace) -> None:
    """Cut two members off from each other."""
    cluster = Cluster.here()
    one, other = require_member(args.one), require_member(args.other)
    if one == other:
        raise ToolError(f"partition {one} {other}: a member is always joined to itself; name two")
    with cluster.lock():
        lifecycle.require_running(cluster)
        network.partition(cluster.name, one, other)


def run_heal(_: argparse.Namespace) -> None:
    """Join what was cut."""
    cluster = Cluster.here()
    with cluster.lock():
        network.heal(cluster.name)


def main() -> int | None:
    """Run one command."""
    args = parser().parse_args()
    require_root_linux("the local cluster")
    code: int | None = args.run(args)
    return code


if __name__ == "__main__":
    main_guard(main)
