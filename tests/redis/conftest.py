"""Names the fixtures of this folder; nothing else belongs here."""

from tests.redis.fix_nodes import image_root, new_site, shared_site, site

__all__ = ["image_root", "new_site", "shared_site", "site"]
