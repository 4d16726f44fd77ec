"""Send images to a registry, for those who run the platform on a cluster of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.kit.images import reference
from toolchain.images.build import ensure
from toolchain.images.buildah import scratch
from toolchain.kit.console import ToolError, step
from toolchain.kit.paths import cache_dir

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Pushed:
    """An image in a registry.

    Attributes:
        name: the image's name here.
        reference: `<registry>/<name>:<content tag>`.
        pinned: `<registry>/<name>@sha256:<64 hex digits>`, which can never mean another image.
    """

    name: str
    reference: str
    pinned: str


def push(names: Sequence[str], registry: str) -> list[Pushed]:
    """Build the images where needed and push them.

    Credentials are those of `buildah login`. TLS is required of every registry that is not on this machine itself.
    """
    archives = ensure(names)
    return [push_one(name, archive, registry.rstrip("/")) for name, archive in archives.items()]


def push_one(name: str, archive: Path, registry: str) -> Pushed:
    """Push one image."""
    host = registry.split("/")[0]
    if not host or "://" in registry:
        raise ToolError(f"registry = {registry!r}: not HOST[:PORT][/PREFIX]; leave the scheme out")
    local = host.rsplit(":", 1)[0] if host.count(":") == 1 or host.startswith("[") else host
    options = ["--tls-verify=false"] if local in LOOPBACK else []
    _, _, tag = archive.parent.name.rpartition("-")
    target = reference(name, registry, tag)
    storage = cache_dir() / "images" / f".push-{archive.parent.name}"
    with step(f"push {target}"), scratch(f"push {name}", storage) as buildah:
        buildah.pull(archive)
        digest = buildah.push(reference(name, tag=tag), target, options)
    return Pushed(name, target, f"{target.rpartition(':')[0]}@{digest}")
