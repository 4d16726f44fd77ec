"""Preview a stack's shape where its own state and cluster are not at hand: everything as a create, checked by an API.

The stack's committed configuration is copied with the cluster's context and placeholders for unset secrets, and
previewed on an empty state of its own. What the program and the API server refuse is refused here too.
"""

import tempfile
from pathlib import Path

import yaml

from toolchain.kit.console import say
from toolchain.kit.paths import LOCAL
from toolchain.platform.stack import config_file
from toolchain.platform.tools import Tools

PROJECT = "trading-platform"
USER_SECRETS = ("registryUsername", "registryPassword")


def preview_shape(tools: Tools, stack: str) -> int:
    """`pulumi preview` of the stack on an empty throw-away state against the current kubeconfig's cluster."""
    say(f"stack {stack} is not in this backend: a preview of its shape, on an empty state, with placeholder secrets")
    context = tools.output("kubectl", "config", "current-context").strip()
    LOCAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOCAL, prefix="shape-") as folder:
        state = Path(folder) / "state"
        state.mkdir()
        passphrase = Path(folder) / "passphrase"
        passphrase.write_text("shape")
        copied = Path(folder) / config_file(stack).name
        config = yaml.safe_load(config_file(stack).read_text())
        config.pop("encryptionsalt", None)
        config["config"][f"{PROJECT}:context"] = context
        copied.write_text(yaml.safe_dump(config))
        env = {k: v for k, v in tools.env.items() if k != "PULUMI_CONFIG_PASSPHRASE"}
        env |= {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)}
        here = Tools(env=env, own_cluster=tools.own_cluster)
        at = ("--stack", stack, "--config-file", str(copied), "--non-interactive")
        here.output("pulumi", "stack", "init", stack, "--non-interactive", "--config-file", str(copied))
        for name in USER_SECRETS:
            if f"{PROJECT}:{name}" not in config["config"]:
                here.output("pulumi", "config", "set", "--secret", f"{PROJECT}:{name}", "placeholder", *at)
        return here.run("pulumi", "preview", *at)
