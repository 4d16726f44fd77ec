"""A release: which commit declares it, and which images, by digest, it runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.arguments import PINNED, WORKLOAD_IMAGES
from toolchain.delivery.stackedit import with_images
from toolchain.images.push import push
from toolchain.kit import git
from toolchain.kit.console import ToolError
from toolchain.platform.stack import config_file
from toolchain.platform.tools import Tools
from toolchain.render.stackfile import PROJECT


@dataclass(frozen=True)
class Release:
    """What an environment runs.

    Attributes:
        commit: full hash of the commit whose program declares it.
        images: image name to a reference pinned by digest.
    """

    commit: str
    images: Mapping[str, str]

    def to_json(self) -> str:
        """As a file that `read` takes."""
        return json.dumps({"commit": self.commit, "images": dict(sorted(self.images.items()))}, indent=2) + "\n"


def make(registry: str) -> Release:
    """Build the images of this commit, push them, and name them by the digests that the registry now has.

    Raises `ToolError` for a checkout with changes: nobody could make the same release again.
    """
    if git.output("status", "--porcelain").strip():
        raise ToolError("there are changes that are not committed; commit them: a release is what a commit says")
    images = {pushed.name: pushed.pinned for pushed in push(WORKLOAD_IMAGES, registry)}
    return Release(commit=git.output("rev-parse", "HEAD").strip(), images=images)


def read(path: Path) -> Release:
    """The release of a file. Raises `ToolError` for one that is not whole: every image, and each by digest."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        release = Release(commit=found["commit"], images=found["images"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"RELEASE = {str(path)!r}: {error}; give a file that `make release` wrote") from None
    missing = sorted(set(WORKLOAD_IMAGES) ^ set(release.images))
    unpinned = sorted(name for name, reference in release.images.items() if not PINNED.fullmatch(reference))
    if missing or unpinned:
        raise ToolError(
            f"RELEASE = {str(path)!r}: images {', '.join(missing or unpinned)}: "
            f"each of {', '.join(WORKLOAD_IMAGES)}, and no other, as <registry>/<name>@sha256:<64 hex digits>"
        )
    return release


def pin(stack: str, path: Path) -> list[str]:
    """Write the images of a release into `Pulumi.<stack>.yaml` of this checkout; returns one line for each."""
    release = read(path)
    file = config_file(stack)
    file.write_text(with_images(file.read_text(), release.images))
    return [f"{file.name}: {name}: {reference}" for name, reference in sorted(release.images.items())]


def running(tools: Tools, stack: str) -> Release:
    """The release that the stack's last whole update brought, from the backend's own history.

    Raises `ToolError` when there is none: the stack is new, or its images were never pinned.
    """
    arguments = ("stack", "history", "--stack", stack, "--json", "--page-size", "50", "--non-interactive")
    found = last_whole(json.loads(tools.output("pulumi", *arguments)))
    if found is None:
        raise ToolError(
            f"stack {stack}: no update with pinned images has succeeded yet; there is nothing to go back to"
        )
    return found


def last_whole(history: Sequence[Mapping[str, Any]]) -> Release | None:
    """The newest update that succeeded, was of the whole stack (no canary) and had its images pinned.

    `history` is that of `pulumi stack history --json`, newest first.
    """
    for update in history:
        facts = update.get("environment", {})
        images = update.get("config", {}).get(f"{PROJECT}:images", {}).get("objectValue")
        whole = update["kind"] == "update" and update["result"] == "succeeded" and "pulumi.flag.target" not in facts
        if whole and images and facts.get("git.head"):
            return Release(commit=facts["git.head"], images=images)
    return None
