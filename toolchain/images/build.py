"""Build what is not in the cache yet: one folder `images/<name>-<tag>` per image, with `<name>.tar` in it."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from components.kit.images import IMAGES, content_tag, files, reference, source
from toolchain.images import base
from toolchain.images.buildah import Buildah, scratch
from toolchain.images.machine import mounts
from toolchain.kit.cache import build_once
from toolchain.kit.console import ToolError, say, step
from toolchain.kit.host import apt_ensure, require_root_linux
from toolchain.kit.paths import ROOT, cache_dir

PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "musl-gcc": "musl-tools"}
KEPT = 3


def ensure(names: Sequence[str] = ()) -> dict[str, Path]:
    """The archives of the images, by name, built where they are not in the cache.

    Args:
        names: which ones; all of them when empty.

    Raises: `ToolError` when a name is unknown, a file is missing, or a build fails (with its last lines).
    """
    return {name: ensure_one(name) for name in (names or list(IMAGES))}


def ensure_one(name: str) -> Path:
    """The archive of one image, after that of its base."""
    try:
        key = f"{name}-{content_tag(name)}"
    except (ValueError, FileNotFoundError) as error:
        raise ToolError(str(error)) from error
    before = ensure_one("base") if source(name).on_base else None
    folder = build_once("images", key, partial(build, name, before))
    return folder / f"{name}.tar"


def build(name: str, before: Path | None, folder: Path) -> None:
    """Build one image into `folder`, on the archive of its base if it has one."""
    require_root_linux("building images")
    apt_ensure(PACKAGES)
    archive = folder / f"{name}.tar"
    storage = cache_dir() / "images" / f".storage-{name}-{content_tag(name)}"
    with step(f"image {name}"), scratch(name, storage) as buildah:
        if source(name).containerfile is None:
            build_base(buildah, name, folder)
        else:
            build_containerfile(buildah, name, before)
        buildah.save(reference(name), archive)
    say(f"    image {name}: {archive.stat().st_size / 1e6:.0f} MB as {reference(name)}")
    prune(name, keep=folder)


def build_base(buildah: Buildah, name: str, folder: Path) -> None:
    """The base: a root file system of Debian packages. The apt settings of this machine stay beside the archive."""
    tar = buildah.storage / "root.tar"
    what = base.recipe()
    base.make(what, tar)
    shutil.copytree(buildah.storage / "apt", folder / "apt")
    buildah.import_root(tar, reference(name), what.environment)


def build_containerfile(buildah: Buildah, name: str, before: Path | None) -> None:
    """Build a Containerfile in a context that holds nothing but the files that count for the tag."""
    context = buildah.storage / "context"
    assemble(name, context)
    options: list[str] = []
    if before is not None:
        buildah.pull(before)
        apt = buildah.storage / "apt"
        shutil.copytree(before.parent / "apt", apt)
        options = ["--build-arg", f"BASE={reference('base')}", *mounts(buildah.storage, apt)]
    if name == "pause":
        compile_pause(context)
    buildah.build(context / str(source(name).containerfile), context, reference(name), options)


def assemble(name: str, context: Path) -> None:
    """Copy the files of an image into a build context, with modes that do not depend on the checkout's umask."""
    for path in files(name):
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
        target.chmod(0o755 if (ROOT / path).stat().st_mode & 0o100 else 0o644)


def compile_pause(context: Path) -> None:
    """Compile the program of the pause image, static and without the machine's C library."""
    folder = context / "toolchain/images/pause"
    argv = ["musl-gcc", "-static", "-Os", "-s", "-o", str(folder / "pause"), str(folder / "pause.c")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"pause.c does not compile:\n{done.stderr[-2000:]}")


def prune(name: str, keep: Path) -> None:
    """Remove all but the newest archives of an image, so that a day of edits does not fill the disk."""
    others = [path for path in (cache_dir() / "images").glob(f"{name}-*") if path != keep]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
