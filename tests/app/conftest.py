"""Names the fixtures of this folder; nothing else belongs here."""

from tests.app.fix_stage import postgres, redis_set, stage

__all__ = ["postgres", "redis_set", "stage"]
