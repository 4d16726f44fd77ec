"""Label selectors as Kubernetes reads them."""

from collections.abc import Mapping
from typing import Any

from policies.kit.values import Fields


def selects(selector: Fields, labels: Mapping[str, Any]) -> bool:
    """Whether a `LabelSelector` selects pods with these labels; an empty one selects all. Raises `UnknownField`."""
    wanted = selector.sub("matchLabels")
    if any(labels.get(key) != wanted[key] for key in wanted):
        return False
    return all(_holds(expression, labels) for expression in selector.each("matchExpressions"))


def _holds(expression: Fields, labels: Mapping[str, Any]) -> bool:
    key, operator = expression["key"], expression["operator"]
    value = labels.get(key)
    match operator:
        case "In":
            return value in expression.list("values")
        case "NotIn":
            return value not in expression.list("values")
        case "Exists":
            return key in labels
        case _:
            return key not in labels
