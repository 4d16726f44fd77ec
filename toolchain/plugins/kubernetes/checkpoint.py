"""A resource's state in Pulumi: the live object, and beside it what the provider needs next time."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from toolchain.plugins.kubernetes import normalize, secrets
from toolchain.plugins.kubernetes.objects import Object, text, without_nulls
from toolchain.plugins.values import unwrap

INPUTS: Final = "__inputs"
INITIAL_API_VERSION: Final = "__initialApiVersion"
MANAGER: Final = "__fieldManager"


class State(NamedTuple):
    """What a state says: the inputs applied last, the live object as last seen, and how it is managed."""

    inputs: Object
    live: Object
    initial_api_version: str
    manager: str


def to_object(properties: Mapping[str, Any]) -> Object:
    """Properties as a Kubernetes object: plain values (unknowns stay), no nulls, a CRD's keys with dashes."""
    obj: Object = without_nulls(normalize.rename_keys(unwrap(properties), normalize.DASHED))
    return obj


def to_properties(obj: Object, like: Mapping[str, Any]) -> Object:
    """A Kubernetes object as properties, secret where the properties `like` are."""
    return secrets.annotate(normalize.rename_keys(obj, normalize.UNDERSCORED), like)


def save(inputs: Object, live: Object, like: Mapping[str, Any], *, initial_api_version: str, manager: str) -> Object:
    """The state to keep of a resource.

    Args:
        inputs: as applied.
        live: as the server returned it.
        like: the properties that say what is secret.
    """
    state = to_properties(live, like)
    state[INPUTS] = to_properties(inputs, like)
    state[INITIAL_API_VERSION] = initial_api_version
    state[MANAGER] = manager
    return state


def load(properties: Mapping[str, Any]) -> State:
    """Read a state; one that says nothing of inputs (a fresh import) has empty ones."""
    plain = to_object(properties)
    inputs = plain.pop(INPUTS, {})
    initial = text(plain.pop(INITIAL_API_VERSION, "")) or text(inputs.get("apiVersion"))
    manager = text(plain.pop(MANAGER, ""))
    return State(inputs, plain, initial, manager)
