"""Preview a stack's shape where its own state and cluster are not at hand: everything as a create, checked by an API.

The project is set up in a scratch folder with the stack's committed configuration, the context of the cluster at hand
and placeholders for unset secrets, on an empty state. What the program and the API server refuse is refused here too.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stacks.secrets import SECRET_KEYS
from toolchain.kit.console import say
from toolchain.kit.paths import LOCAL, ROOT
from toolchain.platform.stack import config_file
from toolchain.platform.tools import Tools

PROJECT = "trading-platform"


def scratch_project(folder: Path, stack: str, config: dict[str, Any], program: Path = ROOT) -> dict[str, str]:
    """Set up the project in another folder, so that the checkout's stack files and state stay untouched.

    Args:
        program: folder of the program that it runs.

    Returns the environment variables that make Pulumi use an empty state and a passphrase in that folder.
    """
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    project["main"] = str(program)
    project["runtime"]["options"]["virtualenv"] = str(ROOT / ".venv")
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}))
    (folder / "state").mkdir()
    passphrase = folder / "passphrase"
    passphrase.write_text("scratch")
    return {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}", "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)}


@contextmanager
def shape(tools: Tools, stack: str, program: Path = ROOT) -> Iterator[tuple[Tools, Path]]:
    """The stack on an empty throw-away state, for a preview against the current kubeconfig's cluster.

    Yields the tools and the folder to run pulumi with and in.
    """
    say(f"stack {stack} is not in this backend: a preview of its shape, on an empty state, with placeholder secrets")
    config = yaml.safe_load(config_file(stack).read_text())["config"]
    config[f"{PROJECT}:context"] = tools.output("kubectl", "config", "current-context").strip()
    LOCAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOCAL, prefix="shape-") as scratch:
        folder = Path(scratch)
        env = {k: v for k, v in tools.env.items() if k != "PULUMI_CONFIG_PASSPHRASE"}
        here = Tools(env=env | scratch_project(folder, stack, config, program), own_cluster=tools.own_cluster)
        here.output("pulumi", "stack", "init", stack, "--non-interactive", cwd=folder)
        for name in SECRET_KEYS:
            if f"{PROJECT}:{name}" not in config:
                secret = ("config", "set", "--secret", f"{PROJECT}:{name}", "placeholder", "--stack", stack)
                here.output("pulumi", *secret, "--non-interactive", cwd=folder)
        yield here, folder
