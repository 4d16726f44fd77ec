"""A credentials folder that changes as the kubelet changes it: one link is moved."""

import time
from pathlib import Path

KINDS = ("postgres-app", "redis-app", "api", "jwt")


class Credentials:
    """The mounted Secrets of one pod."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in KINDS:
            self.mount(kind, self.values(kind), current="a", epoch=0)

    @staticmethod
    def values(kind: str, generation: int = 0) -> dict[str, str]:
        """The values of the two slots in a generation."""
        return {slot: f"{kind.replace('-', '')}{slot}{generation}".ljust(32, "x") for slot in "ab"}

    def mount(self, kind: str, values: dict[str, str], *, current: str, epoch: int) -> None:
        """Swap a kind's files at once."""
        folder = self.folder / kind
        snapshot = folder / f"..{time.monotonic_ns()}"
        snapshot.mkdir(parents=True)
        for name, value in (values | {"current": current, "epoch": str(epoch)}).items():
            (snapshot / name).write_text(value)
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        fresh = folder / "..data_tmp"
        fresh.symlink_to(snapshot.name)
        fresh.rename(folder / "..data")
