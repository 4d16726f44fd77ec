"""Names the fixtures of this folder; nothing else belongs here."""

from tests.app.fix_api import api, caller
from tests.app.fix_stage import postgres, redis_set, stage

__all__ = ["api", "caller", "postgres", "redis_set", "stage"]
