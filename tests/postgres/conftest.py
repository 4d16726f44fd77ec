"""Names the fixtures of this folder; nothing else belongs here."""

from tests.postgres.fix_members import image_root, made, primary, trio

__all__ = ["image_root", "made", "primary", "trio"]
