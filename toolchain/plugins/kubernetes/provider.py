"""The provider's calls: messages in, messages out; what happens between is in the other modules."""

import secrets as randomness
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as rpc

from toolchain.plugins.kubernetes import autoname, checkpoint, config, failures, normalize, ownership
from toolchain.plugins.kubernetes.apply import Cluster, Refused, Target
from toolchain.plugins.kubernetes.await_.loop import NotReady
from toolchain.plugins.kubernetes.check import Context as CheckContext
from toolchain.plugins.kubernetes.check import InvalidInputs, checked
from toolchain.plugins.kubernetes.client import ApiError, Interrupted, Unreachable
from toolchain.plugins.kubernetes.diff import ADD, DELETE, UPDATE, differences
from toolchain.plugins.kubernetes.discovery import Discovery, NoMatch
from toolchain.plugins.kubernetes.engine import Engine
from toolchain.plugins.kubernetes.kinds import UNSUPPORTED, Type, parse_type
from toolchain.plugins.kubernetes.objects import (
    FIELD_MANAGER,
    REPLACE_UNREADY,
    Object,
    annotation,
    full_name,
    is_true,
    kind_of,
    split_id,
)
from toolchain.plugins.kubernetes.schema import schema
from toolchain.plugins.kubernetes.session import Session, open_session
from toolchain.plugins.serve import Context, RpcFailure
from toolchain.plugins.values import has_unknown, marshal, unmarshal

VERSION: Final = "4.34.2"

CHANGE_KINDS: Final = {
    (ADD, False): rpc.PropertyDiff.ADD,
    (ADD, True): rpc.PropertyDiff.ADD_REPLACE,
    (DELETE, False): rpc.PropertyDiff.DELETE,
    (DELETE, True): rpc.PropertyDiff.DELETE_REPLACE,
    (UPDATE, False): rpc.PropertyDiff.UPDATE,
    (UPDATE, True): rpc.PropertyDiff.UPDATE_REPLACE,
}
TROUBLE: Final = (ApiError, NoMatch, NotReady, Refused, Unreachable, Interrupted)
"""What an operation on the cluster may raise."""


class KubernetesProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Kubernetes objects as resources."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session = Session(config=config.Config(), discovery=Discovery(None), unreachable="not configured")

    # --- the plugin ---------------------------------------------------------------------------------------------------

    def Handshake(self, request: rpc.ProviderHandshakeRequest, context: Context) -> rpc.ProviderHandshakeResponse:
        """Say what the provider understands."""
        return rpc.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:
        """The provider's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> Empty:
        """Speak to another engine from now on."""
        self._engine.attach(request.address)
        return Empty()

    def GetSchema(self, request: rpc.GetSchemaRequest, context: Context) -> rpc.GetSchemaResponse:
        """The package's schema."""
        return rpc.GetSchemaResponse(schema=schema(VERSION))

    def Cancel(self, request: Empty, context: Context) -> Empty:
        """End every wait at once; what was created so far is reported, and so kept in the state."""
        if self._session.client is not None:
            self._session.client.interrupt()
        return Empty()

    def Invoke(self, request: rpc.InvokeRequest, context: Context) -> rpc.InvokeResponse:
        """The official functions serve charts and YAML files only."""
        raise RpcFailure(f"function {request.tok!r}: {UNSUPPORTED}")

    def Construct(self, request: rpc.ConstructRequest, context: Context) -> rpc.ConstructResponse:
        """So do the official components."""
        raise RpcFailure(f"resource type {request.type!r}: {UNSUPPORTED}")

    # --- its configuration --------------------------------------------------------------------------------------------

    def CheckConfig(self, request: rpc.CheckRequest, context: Context) -> rpc.CheckResponse:
        """Refuse settings that this provider cannot honour."""
        found = config.failures(unmarshal(request.news))
        return rpc.CheckResponse(
            inputs=request.news, failures=[rpc.CheckFailure(property=name, reason=reason) for name, reason in found]
        )

    def DiffConfig(self, request: rpc.DiffRequest, context: Context) -> rpc.DiffResponse:
        """Another cluster replaces the provider, and with it all that it manages; other settings do not."""
        diffs, replaces = config.changes(unmarshal(request.olds), unmarshal(request.news))
        changes = rpc.DiffResponse.DIFF_SOME if diffs else rpc.DiffResponse.DIFF_NONE
        return rpc.DiffResponse(changes=changes, diffs=diffs, replaces=replaces)

    def Configure(self, request: rpc.ConfigureRequest, context: Context) -> rpc.ConfigureResponse:
        """Look for the cluster; without one, whatever needs it will fail and say why."""
        try:
            self._session = open_session(config.read(unmarshal(request.args)), self._engine)
        except (config.ConfigError, ValueError) as error:
            raise RpcFailure(str(error)) from error
        if self._session.unreachable:
            self._engine.warn("", f"configured Kubernetes cluster is unreachable: {self._session.unreachable}")
        return rpc.ConfigureResponse(acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True)

    # --- inputs -------------------------------------------------------------------------------------------------------

    def Check(self, request: rpc.CheckRequest, context: Context) -> rpc.CheckResponse:
        """Name the object, put it into its namespace, normalise it."""
        session = self._session
        kind = _type(request.urn)
        if not session.reachable and session.config.skip_update_unreachable:
            self._engine.warn(
                request.urn, "Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping..."
            )
            return rpc.CheckResponse(inputs=request.olds)
        news = unmarshal(request.news)
        naming = request.autonaming if request.HasField("autonaming") else None
        about = CheckContext(
            type=kind,
            resource=request.name or request.urn.rpartition("::")[2],
            seed=request.randomSeed,
            rule=autoname.Rule(naming.mode, naming.proposed_name) if naming else None,
            namespace=session.config.namespace,
            server_side_apply=session.config.server_side_apply,
            namespaced=session.discovery.namespaced,
        )
        try:
            inputs = checked(checkpoint.to_object(news), checkpoint.to_object(unmarshal(request.olds)), about)
        except InvalidInputs as error:
            raise RpcFailure(str(error)) from error
        if inputs.get("kind") == "CustomResourceDefinition":
            session.discovery.declare(inputs)
        return rpc.CheckResponse(inputs=marshal(checkpoint.to_properties(inputs, news)))

    def Diff(self, request: rpc.DiffRequest, context: Context) -> rpc.DiffResponse:
        """Compare what was last seen of the object, as far as the program made it, with what the program says now."""
        session = self._session
        state = checkpoint.load(unmarshal(request.olds))
        new = checkpoint.to_object(unmarshal(request.news))
        found = differences(
            state.inputs,
            state.live,
            new,
            mutable=session.config.mutable,
            namespaced=session.discovery.namespaced(kind_of(new)),
            patch=_type(request.urn).is_patch(new),
            ignore=request.ignoreChanges,
        )
        replaces = list(found.replaces)
        if is_true(new, REPLACE_UNREADY) and new.get("kind") == "Job" and session.cluster is not None:
            ready = session.cluster.is_ready(state.live)
            replaces += [] if ready else ['metadata.annotations["pulumi.com/replaceUnready"]']
        return rpc.DiffResponse(
            changes=rpc.DiffResponse.DIFF_SOME if found.changes or replaces else rpc.DiffResponse.DIFF_NONE,
            replaces=replaces,
            deleteBeforeReplace=found.delete_first,
            detailedDiff={
                change.text: rpc.PropertyDiff(
                    kind=CHANGE_KINDS[change.how, change.replaces], inputDiff=change.how == DELETE
                )
                for change in found.changes
            },
            hasDetailedDiff=True,
        )

    # --- objects ------------------------------------------------------------------------------------------------------

    def Create(self, request: rpc.CreateRequest, context: Context) -> rpc.CreateResponse:
        """Create the object and wait for it; a preview has the server check it."""
        properties = unmarshal(request.properties)
        inputs = checkpoint.to_object(properties)
        target = self._target(request.urn, inputs, properties, request.timeout)
        kind = kind_of(inputs)
        if request.preview and (
            has_unknown(inputs) or target.patch or not self._can_preview() or not self._session.discovery.exists(kind)
        ):
            return rpc.CreateResponse(properties=request.properties)
        cluster = self._cluster()
        try:
            live = cluster.create(target, preview=request.preview)
        except NotReady as error:
            state = _state(inputs, error.obj, properties, kind_of(inputs).api_version, target.manager)
            headline = (
                f'resource "{request.urn}" was successfully created, but the Kubernetes API server reported that it '
                "failed to fully initialize or become live: "
            )
            raise failures.partial(headline, error, properties, identity=full_name(error.obj), state=state) from error
        except TROUBLE as error:
            if request.preview and failures.harmless_in_preview(error):
                return rpc.CreateResponse(properties=request.properties)
            raise failures.not_created(request.urn, str(kind), error, properties) from error
        if request.preview:
            live.pop("status", None)
        state = _state(inputs, live, properties, kind.api_version, target.manager)
        return rpc.CreateResponse(id="" if request.preview else full_name(live), properties=state)

    def Update(self, request: rpc.UpdateRequest, context: Context) -> rpc.UpdateResponse:
        """Apply the new inputs and wait; a preview has the server check them."""
        olds, news = unmarshal(request.olds), unmarshal(request.news)
        old = checkpoint.load(olds)
        inputs = normalize.inputs(checkpoint.to_object(news))
        kind = kind_of(inputs)
        if request.preview and (
            has_unknown(inputs) or not self._can_preview() or not self._session.discovery.exists(kind)
        ):
            return rpc.UpdateResponse(properties=request.news)
        target = self._target(request.urn, inputs, olds, request.timeout)._replace(former=old.manager)
        cluster = self._cluster()
        try:
            live = cluster.update(target, old.live, old.inputs, list(request.ignoreChanges), preview=request.preview)
        except TROUBLE as error:
            if request.preview and isinstance(error, ApiError) and error.reason == "Forbidden":
                return rpc.UpdateResponse(properties=request.news)
            raise self._not_updated(request, error, cluster, old, target, news) from error
        state = _state(inputs, live, news, old.initial_api_version, target.manager)
        return rpc.UpdateResponse(properties=state)

    def _not_updated(
        self,
        request: rpc.UpdateRequest,
        error: Exception,
        cluster: Cluster,
        old: checkpoint.State,
        target: Target,
        news: Mapping[str, Any],
    ) -> RpcFailure:
        try:
            live = error.obj if isinstance(error, NotReady) else cluster.read(old.live, *split_id(full_name(old.live)))
        except TROUBLE:
            live = None
        if live is None:
            return RpcFailure(f'update of resource "{request.urn}" failed: {failures.plain(error, news)}')
        state = _state(target.inputs, live, news, old.initial_api_version, target.manager)
        headline = (
            f'the Kubernetes API server reported that "{full_name(live)}" failed to fully initialize or become live: '
        )
        return failures.partial(headline, error, news, identity=full_name(live), state=state)

    def Read(self, request: rpc.ReadRequest, context: Context) -> rpc.ReadResponse:
        """The object as it is now: for a refresh as far as the inputs go, for an import all of it."""
        session = self._session
        if session.cluster is None:
            return self._read_unreachable(request)
        old_properties, properties = unmarshal(request.inputs), unmarshal(request.properties)
        old_inputs = normalize.inputs(checkpoint.to_object(old_properties))
        imported = not old_inputs.get("kind")
        if imported:
            kind = _type(request.urn).kind
            old_inputs = {"apiVersion": kind.api_version, "kind": kind.kind}
        namespace, name = split_id(request.id)
        try:
            live = session.cluster.read(old_inputs, namespace or session.config.namespace, name)
        except TROUBLE as error:
            raise RpcFailure(failures.plain(error, old_properties)) from error
        if live is None:
            return rpc.ReadResponse()
        inputs = normalize.importable(live) if imported else normalize.prune(live, old_inputs)
        manager = self._manager(properties, inputs)
        initial = checkpoint.load(properties).initial_api_version or kind_of(live).api_version
        state = _state(inputs, live, old_properties, initial, manager)
        kept = marshal(checkpoint.to_properties(inputs, old_properties))
        if not imported:
            try:
                session.cluster.check_ready(request.urn, inputs, live)
            except NotReady as error:
                raise failures.partial(
                    "", error, old_properties, identity=request.id, state=state, kept=kept
                ) from error
            except TROUBLE as error:
                raise RpcFailure(failures.plain(error, old_properties)) from error
        return rpc.ReadResponse(id=request.id, properties=state, inputs=kept)

    def _read_unreachable(self, request: rpc.ReadRequest) -> rpc.ReadResponse:
        settings = self._session.config
        if settings.delete_unreachable:
            self._engine.warn(request.urn, f"forgotten, because deleteUnreachable is set: {self._session.unreachable}")
            return rpc.ReadResponse()
        if settings.skip_update_unreachable:
            self._engine.warn(
                request.urn, f"not refreshed, because skipUpdateUnreachable is set: {self._session.unreachable}"
            )
            return rpc.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        raise RpcFailure(
            f"failed to read resource state due to unreachable cluster: {self._session.unreachable}. {failures.FORGET}"
        )

    def Delete(self, request: rpc.DeleteRequest, context: Context) -> Empty:
        """Delete the object and wait until it is gone."""
        properties = unmarshal(request.properties)
        state = checkpoint.load(properties)
        if self._session.cluster is None:
            if self._session.config.delete_unreachable:
                self._engine.warn(
                    request.urn, f"forgotten, because deleteUnreachable is set: {self._session.unreachable}"
                )
                return Empty()
            raise RpcFailure(
                f"configured Kubernetes cluster is unreachable: {self._session.unreachable}. {failures.FORGET}"
            )
        target = self._target(request.urn, state.inputs, properties, request.timeout)
        try:
            self._session.cluster.delete(target, state.live)
        except NotReady as error:
            last = _state(state.inputs, error.obj, properties, state.initial_api_version, target.manager)
            raise failures.partial("", error, properties, identity=full_name(error.obj), state=last) from error
        except TROUBLE as error:
            raise RpcFailure(failures.plain(error, properties)) from error
        return Empty()

    # --- parts --------------------------------------------------------------------------------------------------------

    def _cluster(self) -> Cluster:
        if self._session.cluster is None:
            raise RpcFailure(f"configured Kubernetes cluster is unreachable: {self._session.unreachable}")
        return self._session.cluster

    def _can_preview(self) -> bool:
        return self._session.reachable and self._session.config.server_side_apply

    def _target(self, urn: str, inputs: Object, state: Mapping[str, Any], timeout_s: float) -> Target:
        return Target(urn, inputs, self._manager(state, inputs), _type(urn).is_patch(inputs), timeout_s)

    def _manager(self, state: Mapping[str, Any], inputs: Object) -> str:
        """The field manager: the annotation's, else the state's, else a new one."""
        if not self._session.config.server_side_apply:
            return ownership.PREFIX
        known = annotation(inputs, FIELD_MANAGER) or state.get(checkpoint.MANAGER)
        return str(known) if known else f"{ownership.PREFIX}-{randomness.token_hex(4)}"


def _type(urn: str) -> Type:
    try:
        return parse_type(urn.split("::")[2].rpartition("$")[2])
    except ValueError as error:
        raise RpcFailure(str(error)) from error


def _state(inputs: Object, live: Object, like: Mapping[str, Any], initial_api_version: str, manager: str) -> Struct:
    return marshal(checkpoint.save(inputs, live, like, initial_api_version=initial_api_version, manager=manager))
