"""Files that a power cut leaves whole."""

import os
from pathlib import Path


def write_durably(file: Path, text: str) -> None:
    """Write a file so that after a power cut there is either the old one or the new one, whole."""
    scratch = file.with_name(f".{file.name}.new")
    with open(scratch, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    scratch.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
