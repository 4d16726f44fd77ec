"""Bodies of the process itself."""

from trading.api.schemas.base import Model, example
from trading.domain.orders import Mode


class Health(Model):
    """Whether the process is well, and each check: `ok` or why not."""

    model_config = example(status="ok", checks={"database": "ok", "keys": "ok"})

    status: str
    checks: dict[str, str]


class VersionOut(Model):
    """What runs here."""

    model_config = example(version="0.1.0", schema_version=7, mode="PAPER")

    version: str
    schema_version: int
    mode: Mode
