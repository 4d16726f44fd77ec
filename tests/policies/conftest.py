"""Names the fixtures of this folder; nothing else belongs here."""

from tests.plugins.kubernetes.fix_lab import lab
from tests.policies.fix_pack import packed

__all__ = ["lab", "packed"]
