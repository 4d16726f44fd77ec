"""Inputs as the provider wants them: named, in a namespace, normalised; or the reason why they cannot be used."""

from collections.abc import Callable
from typing import Final, NamedTuple

from toolchain.plugins.kubernetes import autoname, await_, normalize
from toolchain.plugins.kubernetes.kinds import Type
from toolchain.plugins.kubernetes.objects import WAIT_FOR, Kind, Object, annotation, dig, kind_of, name_of

MANAGED_BY: Final = "app.kubernetes.io/managed-by"


class InvalidInputs(Exception):
    """Inputs that no object can be made of; one line."""


class Context(NamedTuple):
    """What of the provider and the engine the inputs depend on."""

    type: Type
    resource: str
    """The resource's name in the program."""
    seed: bytes
    rule: autoname.Rule | None
    namespace: str
    server_side_apply: bool
    namespaced: Callable[[Kind], bool]


def checked(new: Object, old: Object, context: Context) -> Object:
    """The inputs to use.

    Args:
        new: what the program says.
        old: the inputs of the last time, empty for a new resource or a replacement.

    Raises:
        InvalidInputs: see its text.
    """
    _refuse(new, context)
    inputs = normalize.inputs(new)
    try:
        inputs = (
            autoname.adopt(inputs, old)
            if old
            else autoname.assign(inputs, context.resource, context.seed, context.rule)
        )
        if waits := annotation(inputs, WAIT_FOR):
            await_.wait_for.parse(waits)
    except ValueError as error:
        raise InvalidInputs(str(error)) from error
    labelled = dig(old, "metadata", "labels", MANAGED_BY) == "pulumi" if old else not context.server_side_apply
    if labelled:
        inputs = _with_label(inputs)
    metadata = inputs.get("metadata", {})
    if (
        context.namespace
        and isinstance(metadata, dict)
        and not metadata.get("namespace")
        and context.namespaced(kind_of(inputs))
    ):
        inputs = {**inputs, "metadata": {**metadata, "namespace": context.namespace}}
    return inputs


def _refuse(inputs: Object, context: Context) -> None:
    if context.type.is_list(inputs):
        raise InvalidInputs(
            "list resources exist for compatibility with YAML manifests and Helm charts, "
            "and cannot be created directly. Use the underlying resource type instead"
        )
    if context.type.is_patch(inputs) and not context.server_side_apply:
        raise InvalidInputs(
            "patch resources require Server-Side Apply mode, "
            "which is enabled using the `enableServerSideApply` Provider config"
        )
    if context.type.is_patch(inputs) and not dig(inputs, "metadata", "name"):
        raise InvalidInputs("patch resources require the `.metadata.name` field to be set")
    if context.server_side_apply and not name_of(inputs) and dig(inputs, "metadata", "generateName"):
        raise InvalidInputs("the `.metadata.generateName` field is not supported in Server-Side Apply mode")


def _with_label(inputs: Object) -> Object:
    metadata = inputs.get("metadata") or {}
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(labels, dict | None):
        return inputs  # not known yet
    return {**inputs, "metadata": {**metadata, "labels": {**(labels or {}), MANAGED_BY: "pulumi"}}}
