"""The plan without an API: the manifests of the working tree against those of a base revision.

The base has its manifests committed, without the tags of images; these are computed from the files of that revision.
What only a cluster or a state knows is not seen: drift, passwords beyond their epoch, fields that a server fills in.
"""

import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from components.credentials.args import EPOCH_ANNOTATION, SECRET_NAMES
from components.credentials.component import Credentials
from components.credentials.epochs import slot_epochs
from components.kit.images import IMAGES, content_tag
from toolchain.kit import git
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT
from toolchain.plugins.kubernetes.immutable import Mutable, force_new, forces
from toolchain.plugins.values import property_path
from toolchain.render.render import SNAPSHOTS, files
from toolchain.report.steps import PASSWORD, Operation, Step, dig
from toolchain.report.values import differences

Manifests = Mapping[str, Mapping[str, Any]]
MAIN = ("main", "origin/main")


def base_revision(asked: str | None) -> str:
    """The commit to compare with: the one asked for, else where the branch left main, else HEAD.

    Raises:
        ToolError: git does not know it.
    """
    if asked is not None:
        done = git.attempt("rev-parse", "--verify", "--quiet", f"{asked}^{{commit}}")
        if done.returncode:
            raise ToolError(f"--base = {asked!r}: git knows no such revision; fetch it, or name another")
        return done.stdout.decode().strip()
    for main in MAIN:
        done = git.attempt("merge-base", "HEAD", main)
        if done.returncode == 0:
            return done.stdout.decode().strip()
    return git.output("rev-parse", "HEAD").strip()


def rendered(stack: str) -> dict[str, Any]:
    """File name to object, as the working tree declares them.

    Raises:
        InvalidArgs: the configuration is wrong.
    """
    return {name: yaml.safe_load(text) for name, text in files(stack).items()}


def committed(stack: str, revision: str) -> dict[str, Any]:
    """File name to object, as the revision has them; empty for a stack that it does not know."""
    folder = f"{SNAPSHOTS.relative_to(ROOT).as_posix()}/{stack}"
    if not git.output("ls-tree", revision, "--", folder).strip():
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        paths = [path for path in _image_paths() if git.output("ls-tree", revision, "--", path).strip()]
        archive = git.binary("archive", revision, "--", folder, *paths)
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(root, filter="data")
        tags = dict(_tags(root))
        found = {path.name: path.read_text() for path in sorted((root / folder).glob("*.yaml"))}
    return {name: yaml.safe_load(_with_tags(text, tags)) for name, text in found.items()}


def _image_paths() -> list[str]:
    chosen = [(*source.paths, *([source.containerfile] if source.containerfile else [])) for source in IMAGES.values()]
    return sorted({path for paths in chosen for path in paths})


def _tags(root: Path) -> Iterator[tuple[str, str]]:
    for name in IMAGES:
        try:
            yield name, content_tag(name, root)
        except FileNotFoundError:
            continue  # an image that the revision did not have yet


def _with_tags(text: str, tags: Mapping[str, str]) -> str:
    for name, tag in tags.items():
        text = text.replace(f"/{name}:[tag]", f"/{name}:{tag}")
    return text


def compare(before: Manifests, after: Manifests) -> tuple[Step, ...]:
    """The steps that lead from one set of manifests to another, one for each object and each password's epoch."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        step = _step(before.get(name), after.get(name))
        found += [step, *_passwords(step)]
    return tuple(found)


def _step(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Step:
    obj = new or old or {}
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    token, name = f"kubernetes:{group or 'core'}/{version}:{obj['kind']}", str(obj["metadata"]["name"])
    if old is None or new is None:
        return Step(operation="create" if old is None else "delete", type=token, logical=name, old=old, new=new)
    changed = differences(old, new)
    patterns = force_new(dict(new), Mutable(config_map=True, secret=True), patch=False)
    keys = tuple(property_path(d.path) for d in changed if forces(patterns, d.path, d.new))
    operation: Operation = "replace" if keys else "update" if changed else "same"
    return Step(operation=operation, type=token, logical=name, old=old, new=new, replaced_by=keys)


def _passwords(secret: Step) -> Iterator[Step]:
    """The passwords behind a credential, which are no manifests: its epoch says which of them are replaced."""
    kind = next((kind for kind, name in SECRET_NAMES.items() if secret.is_secret and secret.name == name), None)
    epochs = [dig(state, "metadata", "annotations", EPOCH_ANNOTATION) for state in (secret.old, secret.new)]
    if kind is None or secret.operation not in ("update", "replace") or epochs[0] == epochs[1] or None in epochs:
        return
    before, after = (slot_epochs(int(epoch))._asdict() for epoch in epochs)
    for slot in before:
        yield Step(
            operation="same" if before[slot] == after[slot] else "replace",
            type=PASSWORD,
            logical=f"credentials-{kind}-{slot}",
            parent=Credentials.token,
            old={"keepers": {"epoch": str(before[slot])}},
            new={"keepers": {"epoch": str(after[slot])}},
            replaced_by=("keepers",),
        )
