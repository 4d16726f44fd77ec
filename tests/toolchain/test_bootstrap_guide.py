"""Every command of the guides exists: targets of make, keys of the configuration, commands of the toolchain.

The guide as a whole takes minutes and a cluster; what breaks it unseen is a renamed target or key.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from stacks.secrets import SECRET_KEYS
from stacks.sections import StackConfig
from toolchain.kit.paths import ROOT

GUIDES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("bootstrap", "state-backends", "configuration")),
]


def commands(guide: Path) -> list[str]:
    """The lines of the guide's shell blocks, without comments and continuation."""
    blocks = re.findall(r"^```sh\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def every(pattern: str) -> list[str]:
    """What a pattern finds in the commands of all guides."""
    return sorted({found for guide in GUIDES for line in commands(guide) for found in re.findall(pattern, line)})


def is_key(path: str) -> bool:
    """Whether a stack's file may have a value at the path."""
    first, *rest = re.findall(r"[\w-]+|\[\"[^\"]+\"\]|\[\d+\]", path.strip("'"))
    if first in SECRET_KEYS:
        return not rest
    fields = {field.alias: field.annotation for field in StackConfig.model_fields.values()}
    here: object = fields.get(first)
    for part in rest:
        models = [a for a in (here, *get_args(here)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if models and part not in models[0].model_fields:
            return False
        # below the model are lists and maps, which take any index
        here = models[0].model_fields[part].annotation if models else dict
    return here is not None


def test_the_guides_have_commands() -> None:
    assert all(len(commands(guide)) >= 3 for guide in GUIDES)


@pytest.mark.parametrize("target", every(r"\bmake ([\w./-]+)"))
def test_a_target_of_make_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", every(r"pulumi config (?:set|rm)(?: --\w+)* ('[^']+'|[\w.-]+)"))
def test_a_key_of_the_configuration_exists(key: str) -> None:
    assert is_key(key), key


def test_a_key_that_is_none_is_seen() -> None:
    assert not is_key("redis.storag_gib")
    assert not is_key("registy")
    assert not is_key("trading.api_autoscaling.max")
    assert is_key("trading.api_autoscaling.max_replicas")


@pytest.mark.parametrize("command", every(r"python -m (toolchain\.\w+ [a-z-]+)"))
def test_a_command_of_the_toolchain_exists(command: str) -> None:
    argv = [sys.executable, "-m", *command.split(), "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
