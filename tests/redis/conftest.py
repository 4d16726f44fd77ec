"""Names the fixtures of this folder; nothing else belongs here."""

from tests.redis.fix_nodes import image_root, site

__all__ = ["image_root", "site"]
