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
        tag = content_tag(name)
        base_tag = content_tag("base") if source(name).on_base else None
    except (ValueError, FileNotFoundError) as error:
        raise ToolError(str(error)) from error
    if base_tag is not None:
        ensure_one("base")
    build_once("images", f"{name}-{tag}", partial(build, name, tag, base_tag))
    return archive(name, tag)


def archive(name: str, tag: str) -> Path:
    """Where the archive of an image is, or will be, in the cache."""
    return cache_dir() / "images" / f"{name}-{tag}" / f"{name}.tar"


def build(name: str, tag: str, base_tag: str | None, folder: Path) -> None:
    """Build one image into `folder`, on the cached base of that tag if it has one."""
    require_root_linux("building images")
    apt_ensure(PACKAGES)
    tar = folder / f"{name}.tar"
    title = reference(name, tag=tag)
    storage = cache_dir() / "images" / f".storage-{name}-{tag}"
    with step(f"image {name}"), scratch(name, storage) as buildah:
        if source(name).containerfile is None:
            build_base(buildah, title, folder)
        else:
            build_containerfile(buildah, name, title, base_tag)
        if content_tag(name) != tag:
            raise ToolError(f"image {name}: its files changed while it was being built; run the command again")
        buildah.save(title, tar)
    say(f"    image {name}: {tar.stat().st_size / 1e6:.0f} MB as {title}")
    prune(name, keep=archive(name, tag).parent)


def build_base(buildah: Buildah, title: str, folder: Path) -> None:
    """The base: a root file system of Debian packages. The apt settings of this machine stay beside the archive."""
    tar = buildah.storage / "root.tar"
    what = base.recipe()
    base.make(what, tar)
    shutil.copytree(buildah.storage / "apt", folder / "apt")
    buildah.import_root(tar, title, what.environment)


def build_containerfile(buildah: Buildah, name: str, title: str, base_tag: str | None) -> None:
    """Build a Containerfile in a context that holds nothing but the files that count for the tag."""
    context = buildah.storage / "context"
    assemble(name, context)
    options: list[str] = []
    if base_tag is not None:
        before = archive("base", base_tag)
        buildah.pull(before)
        apt = Path(shutil.copytree(before.parent / "apt", buildah.storage / "apt"))
        options = ["--build-arg", f"BASE={reference('base', tag=base_tag)}", *mounts(buildah.storage, apt)]
    if name == "pause":
        compile_pause(context)
    buildah.build(context / str(source(name).containerfile), context, title, options)


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
