"""Names the fixtures of this folder; nothing else belongs here."""

from tests.plugins.kubernetes.fix_lab import lab

__all__ = ["lab"]
