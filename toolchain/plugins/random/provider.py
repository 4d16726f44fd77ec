"""The provider's calls. There is nothing outside the state: reading and deleting touch only what the engine has."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as rpc

from toolchain.plugins.random.check import failures
from toolchain.plugins.random.diff import difference
from toolchain.plugins.random.kinds import KINDS, Kind, Made
from toolchain.plugins.random.schema import schema
from toolchain.plugins.serve import Context, RpcFailure
from toolchain.plugins.values import UNKNOWN, Secret, Value, mark_secrets, marshal, unmarshal, unwrap

VERSION: Final = "4.21.4"


class RandomProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Draws random values at creation and keeps them until an input changes."""

    def Handshake(self, request: rpc.ProviderHandshakeRequest, context: Context) -> rpc.ProviderHandshakeResponse:
        """Say what the provider understands."""
        return rpc.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:
        """The provider's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: rpc.GetSchemaRequest, context: Context) -> rpc.GetSchemaResponse:
        """The package's schema."""
        return rpc.GetSchemaResponse(schema=schema(VERSION))

    def CheckConfig(self, request: rpc.CheckRequest, context: Context) -> rpc.CheckResponse:
        """The provider has no configuration of its own."""
        return rpc.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: rpc.DiffRequest, context: Context) -> rpc.DiffResponse:
        """No change of configuration matters."""
        return rpc.DiffResponse(changes=rpc.DiffResponse.DIFF_NONE)

    def Configure(self, request: rpc.ConfigureRequest, context: Context) -> rpc.ConfigureResponse:
        """Say the same as the handshake, for engines without it."""
        return rpc.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: rpc.CheckRequest, context: Context) -> rpc.CheckResponse:
        """Every broken rule of the inputs at once."""
        found = failures(_kind(request.urn), unwrap(unmarshal(request.news)))
        return rpc.CheckResponse(
            inputs=request.news, failures=[rpc.CheckFailure(property=name, reason=reason) for name, reason in found]
        )

    def Diff(self, request: rpc.DiffRequest, context: Context) -> rpc.DiffResponse:
        """What the new inputs change, and whether a new value must be drawn."""
        kind = _kind(request.urn)
        found = difference(kind, unwrap(unmarshal(request.olds)), kind.complete(unwrap(unmarshal(request.news))))
        return rpc.DiffResponse(
            changes=rpc.DiffResponse.DIFF_SOME if found.changed else rpc.DiffResponse.DIFF_NONE,
            replaces=found.replacing,
            diffs=found.changed,
            detailedDiff={
                path: rpc.PropertyDiff(kind=rpc.PropertyDiff.Kind.Value(change))
                for path, change in found.places.items()
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: rpc.CreateRequest, context: Context) -> rpc.CreateResponse:
        """Draw the values; a preview only says that there will be some."""
        kind = _kind(request.urn)
        given = unmarshal(request.properties)
        if request.preview:
            made = Made("", dict.fromkeys(kind.outputs, UNKNOWN))
        else:
            made = kind.make(kind.complete(unwrap(given)))
        return rpc.CreateResponse(id=made.id, properties=marshal(_state(kind, given, made)))

    def Update(self, request: rpc.UpdateRequest, context: Context) -> rpc.UpdateResponse:
        """Take over inputs that call for no new value."""
        kind = _kind(request.urn)
        olds = unwrap(unmarshal(request.olds))
        kept = Made(request.id, {name: olds.get(name) for name in kind.outputs})
        return rpc.UpdateResponse(properties=marshal(_state(kind, unmarshal(request.news), kept)))

    def Read(self, request: rpc.ReadRequest, context: Context) -> rpc.ReadResponse:
        """The state as it is; without one, the state that an import id stands for."""
        if request.properties.fields:
            return rpc.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        kind = _kind(request.urn)
        if kind.parse is None:
            raise RpcFailure(f"{kind.token} cannot be imported: its value does not say from what it was drawn")
        inputs, made = kind.parse(request.id)
        state = marshal(_state(kind, inputs, made))
        return rpc.ReadResponse(id=made.id, properties=state, inputs=marshal(inputs))

    def Delete(self, request: rpc.DeleteRequest, context: Context) -> Empty:
        """Forget the value; the engine does that."""
        return Empty()

    def Cancel(self, request: Empty, context: Context) -> Empty:
        """Nothing runs for long."""
        return Empty()


def _kind(urn: str) -> Kind:
    token = urn.split("::")[2].rsplit("$", 1)[-1]
    try:
        return KINDS[token]
    except KeyError:
        raise RpcFailure(f"resource type = {token!r}: unknown to the random provider {VERSION}") from None


def _state(kind: Kind, given: Mapping[str, Value], made: Made) -> dict[str, Value]:
    outputs = {name: Secret(value) if kind.outputs[name].secret else value for name, value in made.outputs.items()}
    state: dict[str, Any] = mark_secrets(kind.complete(unwrap(given)), given) | outputs
    if made.id:
        state["id"] = made.id
    if kind.schema_version:
        # How the official provider tells which release wrote a state.
        state["__meta"] = f'{{"schema_version":"{kind.schema_version}"}}'
    return state
