"""Waivers: an annotation on the object says which rules do not hold for it, and why."""

from collections.abc import Mapping

from components.kit.waivers import ANNOTATION
from policies.kit.objects import Object
from policies.kit.values import UnknownField


def waivers(obj: Object) -> Mapping[str, str]:
    """Rule id to reason, one `<id>: <reason>` a line; an empty reason stays empty, and waives nothing.

    An annotation that is not known yet waives nothing: a finding too many is better than one too few.
    """
    try:
        text = obj.annotations.get(ANNOTATION)
    except UnknownField:
        return {}
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    parts = (line.partition(":") for line in lines)
    return {rule.strip(): reason.strip() for rule, _, reason in parts}
