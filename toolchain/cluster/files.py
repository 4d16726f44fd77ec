"""Files that only their owner may read, written whole or not at all."""

from pathlib import Path


def write_private(path: Path, content: bytes | str) -> None:
    """Write a file of mode 0600; its folder is made with mode 0700."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    draft.replace(path)
