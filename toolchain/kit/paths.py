"""Where things live: the checkout, its local state, and the cache that all checkouts share."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = Path(os.environ.get("TRADING_LOCAL") or ROOT / ".local").resolve()


def cache_dir() -> Path:
    """The build cache outside the checkout: $TRADING_CACHE, else the user's cache folder."""
    if explicit := os.environ.get("TRADING_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trading-platform"
