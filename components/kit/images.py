"""Which files make each image, and the tag that follows from their content.

The Pulumi program and the builder both take the tag from here, so a change of content shows as a change of image in a
preview, and an image that is built already is found again.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL_REGISTRY = "localhost/trading-platform"
IGNORED = frozenset({"__pycache__", "tests"})


@dataclass(frozen=True)
class ImageSource:
    """What an image is made of; every path is relative to the repository root.

    Attributes:
        containerfile: its Containerfile; None for the base, which is made from Debian packages.
        paths: files and folders that the build sees and that count for the tag, beside the Containerfile.
        on_base: whether it stands on the image `base`, whose content then counts too.
    """

    containerfile: str | None
    paths: tuple[str, ...] = ()
    on_base: bool = True


IMAGES: Mapping[str, ImageSource] = {
    "base": ImageSource(None, ("toolchain/images/base.toml",), on_base=False),
    "pause": ImageSource("toolchain/images/pause/Containerfile", ("toolchain/images/pause",), on_base=False),
    "postgres": ImageSource("components/postgres/image/Containerfile", ("components/postgres/image",)),
    "redis": ImageSource("components/redis/image/Containerfile", ("components/redis/image",)),
    "trading": ImageSource("app/Containerfile", ("app/trading",)),
}


def source(name: str) -> ImageSource:
    """The source of an image. Raises ValueError with the known names when there is none."""
    if name not in IMAGES:
        raise ValueError(f"image = {name!r}: there is no such image; use one of {', '.join(sorted(IMAGES))}")
    return IMAGES[name]


def files(name: str, root: Path = ROOT) -> list[Path]:
    """The files that count for an image, sorted, relative to `root`; byte code and tests do not count.

    Raises FileNotFoundError for a path of the image that does not exist.
    """
    what = source(name)
    starts = (*what.paths, *([what.containerfile] if what.containerfile else []))
    return sorted({path.relative_to(root) for start in starts for path in walk(root / start)})


def walk(start: Path) -> Iterator[Path]:
    """The regular files at or below a path, without ignored folders. Raises FileNotFoundError."""
    if not start.exists():
        raise FileNotFoundError(f"{start}: a file of an image is missing; see IMAGES in components/kit/images.py")
    if start.is_file():
        yield start
        return
    for path in start.iterdir():
        if path.name not in IGNORED:
            yield from walk(path)


def content_tag(name: str, root: Path = ROOT) -> str:
    """12 hex digits over names, executable bits and bytes of an image's files, and over those of its base."""
    digest = hashlib.sha256()
    if source(name).on_base:
        digest.update(content_tag("base", root).encode())
    for path in files(name, root):
        executable = bool((root / path).stat().st_mode & 0o100)
        digest.update(f"{path.as_posix()}\0{executable}\0".encode())
        digest.update(hashlib.sha256((root / path).read_bytes()).digest())
    return digest.hexdigest()[:12]


def reference(name: str, registry: str = LOCAL_REGISTRY, tag: str | None = None) -> str:
    """The full reference `<registry>/<name>:<tag>`; the tag is the content tag unless it is given."""
    return f"{registry}/{name}:{tag or content_tag(name)}"
