"""`make up`, `status` and `down`: each finds what is done already and does only the rest."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from toolchain.kit.console import ToolError, say
from toolchain.kit.host import require_root_linux
from toolchain.kit.paths import LOCAL
from toolchain.platform import stack as stacks
from toolchain.platform.engine import wait_until_trading
from toolchain.platform.phases import Phases
from toolchain.platform.tools import Tools, ensure_tools, module, users_kubeconfig, write_env

API_PORT = os.environ.get("TRADING_API_PORT", "18080")
PLATFORM_IMAGES = ("postgres", "redis", "trading")


def up(stack: str) -> int:
    """Bring the platform up and wait until its engine trades; prints where it is and how long each part took."""
    stacks.config_file(stack)
    phases = Phases()
    tools = bring_cluster(stack, phases, *PLATFORM_IMAGES)
    code = phases.run("pulumi up", lambda: pulumi_up(tools, stack))
    if code:
        return code
    if not tools.own_cluster:
        namespace = stacks.outputs(tools, stack)["namespace"]
        module("toolchain.cluster", "forward", "api", f"{namespace}/trading-api:8080", API_PORT)
        say(phases.run("first trade", lambda: wait_until_trading(tools, stack, f"http://127.0.0.1:{API_PORT}")))
    say(phases.table())
    return 0


def cluster(stack: str) -> int:
    """Bring up the tools and the local cluster alone, without the platform."""
    phases = Phases()
    bring_cluster(stack, phases, "base")
    say(phases.table())
    return 0


def tools(stack: str) -> int:
    """Build or find pulumi, its plugins and kubectl; `. .local/env` then makes them the shell's own."""
    write_env(ensure_tools(stack))
    say(f"  . {LOCAL / 'env'}   then plain pulumi and kubectl work")
    return 0


def bring_cluster(stack: str, phases: Phases, *images: str) -> Tools:
    """The tools, and unless KUBECONFIG names a cluster, three nodes with the images on them."""
    if users_kubeconfig(os.environ) is not None:
        return phases.run("tools", lambda: ensure_tools(stack))
    require_root_linux("the local cluster")
    with ThreadPoolExecutor(1) as pool:
        archives = pool.submit(module, "toolchain.images", "build", *images)
        tools = phases.run("tools", lambda: ensure_tools(stack))
        phases.run("cluster", lambda: module("toolchain.cluster", "up"))
        built = phases.run("images (beside those)", archives.result)
    write_env(tools)
    phases.run("images into the nodes", lambda: module("toolchain.cluster", "load", *built.split()))
    return tools


def pulumi_up(tools: Tools, stack: str) -> int:
    """`pulumi up`: without questions for the local stack, with Pulumi's own preview and question for the others."""
    stacks.select(tools, stack)
    flags = ("--yes", "--skip-preview", "--non-interactive") if stack == "local" else ()
    return tools.run("pulumi", "up", "--stack", stack, "--suppress-outputs", *flags)


def status(stack: str) -> int:
    """What runs, where it is reached, and what it costs; exit 0 when all of it is healthy."""
    stacks.config_file(stack)
    if users_kubeconfig(os.environ) is None:
        if not (LOCAL / "kubeconfig").exists():
            raise ToolError("no local cluster here; run `make up`")
        code = subprocess.run([sys.executable, "-m", "toolchain.cluster", "status"], check=False).returncode
        if code:
            return code
    tools = ensure_tools(stack)
    namespace = str(stacks.outputs(tools, stack).get("namespace", "trading"))
    return tools.run("kubectl", "-n", namespace, "get", "pods,pvc", "-o", "wide")


def down(stack: str) -> int:
    """Remove the platform; with the local cluster, the cluster and all its state too."""
    stacks.config_file(stack)
    if users_kubeconfig(os.environ) is not None:
        tools = ensure_tools(stack)
        return tools.run("pulumi", "destroy", "--stack", stack)
    module("toolchain.cluster", "down")
    shutil.rmtree(LOCAL / "pulumi-state", ignore_errors=True)
    return 0
