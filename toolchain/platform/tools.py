"""Which pulumi, cluster and state: official tools and the user's cluster win, the built ones are the default."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.kit.console import ToolError, say, step
from toolchain.kit.paths import LOCAL, ROOT, cache_dir

PASSPHRASE = "local"  # noqa: S105 - of stack local only, see docs/adr/0008-local-state.md
OWN_BIN = LOCAL / "bin"


@dataclass(frozen=True)
class Tools:
    """The environment in which `pulumi` and `kubectl` run.

    Attributes:
        env: environment for child processes, PATH included.
        own_cluster: True when the user's KUBECONFIG names the cluster, False for the three-node local one.
    """

    env: Mapping[str, str]
    own_cluster: bool

    def run(self, *argv: str, cwd: Path = ROOT, quiet: bool = False) -> int:
        """Run a command with its output passed on (or dropped when `quiet`); returns its exit code."""
        out = subprocess.DEVNULL if quiet else None
        return subprocess.run(argv, cwd=cwd, env=dict(self.env), stdout=out, stderr=out, check=False).returncode

    def output(self, *argv: str, cwd: Path = ROOT) -> str:
        """Standard output of a command; raises `ToolError` with its error text when it fails."""
        done = subprocess.run(argv, cwd=cwd, env=dict(self.env), capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout


def users_kubeconfig(env: Mapping[str, str]) -> str | None:
    """The KUBECONFIG of the user's own cluster, or None when the local cluster is meant."""
    value = env.get("KUBECONFIG", "")
    if not value or value == str(LOCAL / "kubeconfig"):
        return None
    for name in value.split(os.pathsep):
        if not Path(name).is_file():
            raise ToolError(f"KUBECONFIG = {value!r}: {name} is not a file; give an existing one, or unset KUBECONFIG")
    return value


def users_pulumi(env: Mapping[str, str]) -> str | None:
    """The path of a pulumi that the user installed, or None when only the built one is there."""
    ours = (OWN_BIN, cache_dir())
    folders = [Path(p) for p in env.get("PATH", "").split(os.pathsep) if p]
    path = os.pathsep.join(str(p) for p in folders if not any(p.is_relative_to(own) for own in ours))
    return shutil.which("pulumi", path=path)


def pulumi_env(env: Mapping[str, str], stack: str) -> dict[str, str]:
    """What pulumi needs beside PATH: state and passphrase of stack local by default, the user's own where set."""
    new = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    if stack == "local" or users_pulumi(env) is None:
        state = LOCAL / "pulumi-state"
        state.mkdir(parents=True, exist_ok=True)
        new["PULUMI_BACKEND_URL"] = env.get("PULUMI_BACKEND_URL") or f"file://{state}"
    if stack == "local" and not any(k in env for k in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")):
        new["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file())
    if users_pulumi(env) is None:
        new["PULUMI_HOME"] = str(LOCAL / "pulumi-home")
    return new


def passphrase_file() -> Path:
    """The passphrase file of stack local, readable by its owner only."""
    path = LOCAL / "passphrase"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(PASSPHRASE)
    return path


def ensure_tools(stack: str) -> Tools:
    """Build or find pulumi, its plugins and kubectl; returns the environment to run them in."""
    env = dict(os.environ)
    kubeconfig = users_kubeconfig(env)
    path = env.get("PATH", "")
    if kubeconfig is None or users_pulumi(env) is None:
        from toolchain import go

        path = os.pathsep.join([str(go.ensure()), path])
    if users_pulumi(env) is None:
        with step("install the pulumi plugins"):
            module("toolchain.plugins", "install", "--home", str(LOCAL / "pulumi-home"), "--bin", str(OWN_BIN))
        path = os.pathsep.join([str(OWN_BIN), path])
    else:
        say(f"    pulumi: {users_pulumi(env)} (from PATH)")
    env |= pulumi_env(env, stack) | {"PATH": path, "KUBECONFIG": kubeconfig or str(LOCAL / "kubeconfig")}
    return Tools(env=env, own_cluster=kubeconfig is not None)


def write_env(tools: Tools) -> None:
    """Write `.local/env`: after `. .local/env`, plain pulumi and kubectl mean this cluster and this state."""
    added = tools.env["PATH"].removesuffix(os.environ.get("PATH", "")).rstrip(os.pathsep)
    lines = [f"export PATH={shlex.quote(added)}:$PATH"] if added else []
    names = (
        "KUBECONFIG",
        "PULUMI_HOME",
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE_FILE",
        "PULUMI_SKIP_UPDATE_CHECK",
    )
    lines += [f"export {name}={shlex.quote(tools.env[name])}" for name in names if name in tools.env]
    (LOCAL / "env").write_text("\n".join(lines) + "\n")


def module(name: str, *args: str) -> str:
    """Run another command of the toolchain, its progress passed on; returns its standard output."""
    done = subprocess.run([sys.executable, "-m", name, *args], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{name} {' '.join(args)} failed, see above")
    return done.stdout
