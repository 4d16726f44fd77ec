"""A page to read and try the API, from files of this machine alone: Swagger UI as its PyPI package ships it."""

from http import HTTPStatus
from importlib import resources

from flask import Blueprint, Response, abort

blueprint = Blueprint("docs", __name__)
KINDS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript", "favicon-32x32.png": "image/png"}
CACHE_S = 86_400
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trading API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<noscript>This page needs JavaScript; the document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/begin.js"></script>
</body>
</html>
"""
BEGIN = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null
});
"""


@blueprint.get("/docs")
def page() -> Response:
    """The page; what is typed into it as a key stays in the browser's memory and is gone with the page."""
    return _answer(PAGE, "text/html")


@blueprint.get("/docs/<name>")
def file(name: str) -> Response:
    """A file of the page."""
    if name == "begin.js":
        return _answer(BEGIN, "text/javascript")
    if name not in KINDS:
        abort(HTTPStatus.NOT_FOUND)
    response = _answer((resources.files("flask_swagger_ui") / "dist" / name).read_bytes(), KINDS[name])
    response.headers["Cache-Control"] = f"max-age={CACHE_S}"
    return response


def _answer(content: str | bytes, kind: str) -> Response:
    response = Response(content, mimetype=kind)
    response.headers["Content-Security-Policy"] = POLICY
    return response
