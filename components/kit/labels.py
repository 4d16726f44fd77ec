"""The recommended Kubernetes labels, and the selectors made of the two of them that never change."""

PART_OF = "trading-platform"


def labels(app: str, component: str | None = None) -> dict[str, str]:
    """Labels of every object of an app: `app` is the workload (`postgres`), `component` its part (`sentinel`)."""
    return selector(app, component) | {
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def selector(app: str, component: str | None = None) -> dict[str, str]:
    """What selects the pods of an app: name and component only, because a selector cannot be changed later."""
    chosen = {"app.kubernetes.io/name": app}
    if component is not None:
        chosen["app.kubernetes.io/component"] = component
    return chosen
