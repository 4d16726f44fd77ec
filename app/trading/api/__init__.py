"""The HTTP API: APIFlask, Pydantic, problem+json."""
