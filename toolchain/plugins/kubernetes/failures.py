"""How the engine is told that something failed: with the official provider's words, and with what there is to keep."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as rpc

from toolchain.plugins.kubernetes import secrets
from toolchain.plugins.kubernetes.await_.loop import NotReady
from toolchain.plugins.kubernetes.client import ApiError
from toolchain.plugins.kubernetes.discovery import NoMatch
from toolchain.plugins.serve import RpcFailure

FORGET: Final = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


def harmless_in_preview(error: Exception) -> bool:
    """Whether a refused dry run says nothing about the object itself.

    Its namespace or kind may be created in the same update, it may be about to be replaced, or a webhook or the user's
    rights do not let dry runs through.
    """
    if isinstance(error, NoMatch):
        return True
    return isinstance(error, ApiError) and (
        error.namespace_missing
        or error.reason in ("AlreadyExists", "Forbidden")
        or "does not support dry run" in str(error)
    )


def not_created(urn: str, kind: str, error: Exception, inputs: Mapping[str, Any]) -> RpcFailure:
    """The failure of a creation that left nothing behind."""
    if isinstance(error, NoMatch):
        return RpcFailure(
            f'creation of resource "{urn}" with kind {kind} failed because the Kubernetes API server reported '
            "that the apiVersion for this resource does not exist. "
            f"Verify that any required CRDs have been created: {error}"
        )
    text = plain(error, inputs)
    return RpcFailure(f'resource "{urn}" was not successfully created by the Kubernetes API server: {text}')


def plain(error: Exception, inputs: Mapping[str, Any]) -> str:
    """What an error says, without the secrets of the inputs."""
    return secrets.redact(str(error) or "the operation was cancelled", inputs)


def partial(
    headline: str,
    error: Exception,
    inputs: Mapping[str, Any],
    *,
    identity: str,
    state: Struct,
    kept: Struct | None = None,
) -> RpcFailure:
    """A failure that leaves an object behind: the engine keeps its state and tries an update next time."""
    problems = error.problems if isinstance(error, NotReady) else ()
    first, *others = (headline + plain(error, inputs), *(secrets.redact(text, inputs) for text in problems))
    detail = rpc.ErrorResourceInitFailed(id=identity, properties=state, reasons=[first, *others], inputs=kept)
    return RpcFailure(first, detail)
