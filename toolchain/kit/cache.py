"""Build once, keyed by content: the cache that makes a second run build nothing."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.kit.paths import cache_dir


def content_hash(paths: Iterable[Path], *extra: str, relative_to: Path) -> str:
    """12 hex digits over names, modes and bytes of the files (folders are walked), and over `extra`.

    Byte-code folders do not count. Raises FileNotFoundError for a path that is not there.
    """
    digest = hashlib.sha256()
    for text in extra:
        digest.update(text.encode() + b"\0")
    for path in sorted({f for p in paths for f in files_of(p)}):
        executable = b"x" if os.access(path, os.X_OK) else b"-"
        digest.update(str(path.relative_to(relative_to)).encode() + b"\0" + executable)
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def files_of(path: Path) -> list[Path]:
    """The regular files at or below a path, without byte code."""
    if not path.exists():
        raise FileNotFoundError(path)
    if path.is_file():
        return [path]
    return [f for f in path.rglob("*") if f.is_file() and "__pycache__" not in f.parts]


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock of the cache: of all processes that ask for the name, one at a time goes on."""
    path = cache_dir() / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_once(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder `<cache>/<kind>/<key>`, made by `build(folder)` if it is not there yet.

    The build happens in a scratch folder that is renamed when it has succeeded, so a cached folder is always whole;
    a lock per kind and key makes concurrent callers wait for one build.
    """
    target = cache_dir() / kind / key
    if target.is_dir():
        return target
    with exclusive(f"{kind}/.{key}"):
        if target.is_dir():
            return target
        scratch = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=target.parent))
        try:
            build(scratch)
            scratch.chmod(0o755)
            scratch.rename(target)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    return target
