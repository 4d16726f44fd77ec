"""Container images without a registry or a daemon: Debian packages in, one archive per image out."""

from toolchain.images.build import ensure

__all__ = ["ensure"]
