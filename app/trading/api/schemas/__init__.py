"""Bodies and parameters of the API, a module a resource."""
