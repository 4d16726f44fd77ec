"""Declare a stack against the recorder, and lay out the manifests as files."""

import shutil
from pathlib import Path

import pulumi

from components.kit.errors import NOT_SET
from stacks.config import parse
from stacks.platform import deploy
from stacks.secrets import SECRET_KEYS, secret_problems
from toolchain.kit.console import say
from toolchain.kit.paths import ROOT
from toolchain.render.manifests import manifests, to_yaml, without_tags
from toolchain.render.recorder import Recording, record
from toolchain.render.stackfile import read

SNAPSHOTS = ROOT / "tests" / "snapshots"
PLACEHOLDER = "placeholder"


def declare(stack: str) -> Recording:
    """What the program registers for the committed configuration of the stack; user secrets are placeholders.

    Raises:
        ToolError: the stack has no file.
        InvalidArgs: its configuration is wrong.
    """
    file = read(stack)
    unset = {p.field for p in secret_problems(stack, file.values, file.encrypted) if p.value is NOT_SET}
    for key in sorted(unset - file.encrypted):
        say(f"note: {key} is not set, a placeholder stands in for it")
    stand_ins = {key: PLACEHOLDER for key in SECRET_KEYS if key in unset}
    config = parse(stack, {**file.values, **stand_ins}, frozenset(stand_ins))

    def program() -> None:
        deploy(config, {key: pulumi.Output.secret(text) for key, text in stand_ins.items()})

    return record(program, stack=stack)


def files(stack: str) -> dict[str, str]:
    """File name to YAML, for every Kubernetes object of the stack."""
    return {name: to_yaml(manifest) for name, manifest in manifests(declare(stack)).items()}


def snapshot(stack: str) -> dict[str, str]:
    """As `files`, without what changes with every byte of an image."""
    return {name: without_tags(text) for name, text in files(stack).items()}


def write(texts: dict[str, str], folder: Path, *, clear: bool) -> None:
    """Write the files into the folder; `clear` empties it first, so that it holds exactly these."""
    if clear:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
