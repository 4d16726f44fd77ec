"""The Flask app: routes, key check, limits, problems, metrics, and the OpenAPI document that follows from them."""

import time
from functools import partial

from apiflask import APIBlueprint, APIFlask
from flask import Response, g, request
from prometheus_client import Histogram

from trading import __version__
from trading.api import (
    access,
    addresses,
    admin,
    allowlist,
    auth,
    backtests,
    docs,
    keys,
    knownkeys,
    marketdata,
    openapi,
    orders,
    portfolio,
    positions,
    problems,
    ratelimit,
    reading,
    risk,
    strategies,
    system,
)
from trading.api.deps import NAME, Dependencies

MAX_BODY_BYTES = 16 * 1024
SECONDS = Histogram(
    "trading_http_request_seconds",
    "Time to answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
RESOURCES = (
    orders.blueprint,
    positions.blueprint,
    portfolio.blueprint,
    strategies.blueprint,
    marketdata.blueprint,
    risk.blueprint,
    backtests.blueprint,
    system.known,
    auth.blueprint,
    keys.blueprint,
    admin.blueprint,
    allowlist.blueprint,
)


def create_app(given: Dependencies | None) -> APIFlask:
    """The app; without dependencies it can only describe itself."""
    app = APIFlask("trading.api", title="Trading API", version=__version__, docs_path=None)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        OPENAPI_VERSION="3.1.0",
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        AUTO_SERVERS=False,
        INFO={"description": "Orders, portfolios, strategies, market data and risk of the engine. It trades on paper."},
    )
    app.json = reading.JsonProvider(app)
    app.security_schemes = access.SCHEMES
    problems.install(app)
    app.register_blueprint(system.blueprint)
    app.register_blueprint(docs.blueprint)
    app.register_blueprint(_v1())
    app.spec_processor(partial(openapi.complete, app))
    app.before_request(_begin)
    if given:
        app.before_request(addresses.check_address)
    app.after_request(_observe)
    if given:
        app.extensions[NAME] = given
        app.extensions[knownkeys.NAME] = knownkeys.keys_in(given.database, given.access.sealer)
        app.extensions[ratelimit.NAME] = ratelimit.RateLimiter(given.cache, given.requests_a_minute)
    return app


def _v1() -> APIBlueprint:
    """Everything that needs a key; checked before the body is looked at."""
    v1 = APIBlueprint("v1", __name__, url_prefix="/v1")
    v1.before_request(access.recognise)
    v1.before_request(ratelimit.limit)
    v1.before_request(reading.require_json)
    v1.after_request(ratelimit.tell)
    v1.after_request(_keep_private)
    for resource in RESOURCES:
        v1.register_blueprint(resource)
    return v1


def _begin() -> None:
    g.begin = time.perf_counter()


def _observe(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    SECONDS.labels(request.method, route, response.status_code).observe(time.perf_counter() - g.begin)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
