"""Routes of the process itself: health and metrics without a key, and its version."""

from apiflask import APIBlueprint
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from trading import __version__
from trading.api.access import requires
from trading.api.deps import dependencies
from trading.api.schemas.system import Health, VersionOut
from trading.domain.errors import TradingError
from trading.security.principal import Role
from trading.services.health import OK, answer
from trading.storage.broker import broker
from trading.storage.schema import is_current, migrations

blueprint = APIBlueprint("system", __name__, tag="system")
known = APIBlueprint("version", __name__, tag="system")  # for those who have a key
DATABASE_DEADLINE_S = 1.0


@blueprint.get("/health/live")
@blueprint.output(Health)
def live() -> Response:
    """Tell whether the process serves; asks nobody else."""
    return _answer({"serving": OK})


@blueprint.get("/health/ready")
@blueprint.output(Health)
@blueprint.doc(responses={503: "Not ready; `checks` says why."})
def ready() -> Response:
    """Tell whether orders can be taken: a writable database with the schema of this version, and keys. Not Redis."""
    return _answer({"database": _database(), "keys": _keys()})


@blueprint.get("/metrics")
@blueprint.doc(responses={200: "Prometheus text format."})
def metrics() -> Response:
    """Metrics of this process."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@known.get("/version")
@requires(Role.VIEWER)
@known.output(VersionOut)
def get_version() -> VersionOut:
    """Tell what runs here."""
    mode = dependencies().database.run(broker).mode
    return VersionOut(version=__version__, schema_version=migrations()[-1].version, mode=mode)


def _answer(checks: dict[str, str]) -> Response:
    status, body = answer(checks)
    return Response(body, status, mimetype="application/json")


def _database() -> str:
    try:
        current = dependencies().database.run(is_current, deadline_s=DATABASE_DEADLINE_S)
    except TradingError as error:
        return error.code
    return OK if current else "the schema is older than this version; run trading migrate"


def _keys() -> str:
    try:
        dependencies().keys.get()
    except TradingError as error:
        return error.code
    return OK
