"""Images into the nodes: archives imported into three containerds side by side, what is there skipped."""

import json
import subprocess
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from toolchain.cluster import plan
from toolchain.cluster.files import write_private
from toolchain.cluster.network import run
from toolchain.cluster.state import Cluster
from toolchain.kit.console import ToolError, say, step


def references(archive: Path) -> dict[str, str]:
    """The images in an archive of `docker save`'s format: reference -> digest of the image's configuration.

    Raises `ToolError` when it is not such an archive.
    """
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("manifest.json")
            entries = json.loads(member.read()) if member else []
        found = {tag: Path(each["Config"]).stem for each in entries for tag in each.get("RepoTags") or []}
    except (OSError, KeyError, ValueError, tarfile.TarError) as error:
        raise ToolError(f"{archive}: not an image archive ({error}); want one as `docker save` writes") from error
    if not found:
        raise ToolError(f"{archive}: its images have no name; save them with name:tag")
    return found


def load(cluster: Cluster, archives: Sequence[Path], nodes: Sequence[str] = plan.NODES) -> None:
    """Import archives into the nodes that lack them. Raises `ToolError` when a node is not running."""
    wanted = {archive: references(archive) for archive in archives}
    with ThreadPoolExecutor(len(nodes)) as pool:
        done = list(pool.map(lambda node: load_node(cluster, node, wanted), nodes))
    say(f"    images: {sum(done)} imported, {len(nodes) * len(wanted) - sum(done)} were there")


def load_with_progress(cluster: Cluster, archives: Sequence[Path]) -> None:
    """`load`, announced with its duration."""
    with step(f"load {', '.join(sorted(r for a in archives for r in references(a)))}"):
        load(cluster, archives)


def load_node(cluster: Cluster, node: str, wanted: dict[Path, dict[str, str]]) -> int:
    """Import what one node lacks; returns how many archives that were."""
    record = cluster.member(node) / "images.json"
    known: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    present = set(run(*cluster.ctr_argv(node, "images", "list", "-q")).splitlines())
    imported = 0
    for archive, images in wanted.items():
        if all(name in present and known.get(name) == digest for name, digest in images.items()):
            continue
        argv = cluster.ctr_argv(node, "images", "import", str(archive))
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"{node}: cannot import {archive}: {done.stderr.strip()}")
        known |= images
        imported += 1
        write_private(record, json.dumps(known, indent=1))
    return imported


def has_containerd(cluster: Cluster, node: str) -> bool:
    """Whether a node's containerd answers."""
    argv = cluster.ctr_argv(node, "version")
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
