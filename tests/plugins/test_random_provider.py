"""The random provider as the engine calls it: a real process, the protocol's own stubs."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2 as rpc
from pulumi.runtime.proto import provider_pb2_grpc

from tests.plugins.wire import plugin
from toolchain.plugins.values import UNKNOWN, Secret, marshal, unmarshal

PASSWORD = "urn:pulumi:dev::contract::trading:credentials:Pair$random:index/randomPassword:RandomPassword::slot-a"
STRING = PASSWORD.replace("randomPassword:RandomPassword", "randomString:RandomString")
Stub = provider_pb2_grpc.ResourceProviderStub


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    with plugin("random", tmp_path_factory.mktemp("random"), "127.0.0.1:9") as running:
        stub = Stub(running.channel)
        assert stub.Configure(rpc.ConfigureRequest(acceptSecrets=True), timeout=5).acceptSecrets
        yield stub


def test_its_version_is_that_of_the_sdk(provider: Stub) -> None:
    from importlib.metadata import version

    assert provider.GetPluginInfo(Empty()).version == version("pulumi-random")


def test_the_schema_has_every_type_and_marks_secrets(provider: Stub) -> None:
    schema = json.loads(provider.GetSchema(rpc.GetSchemaRequest()).schema)
    assert len(schema["resources"]) == 10
    password = schema["resources"]["random:index/randomPassword:RandomPassword"]
    assert password["properties"]["result"] == {"type": "string", "secret": True}
    assert password["requiredInputs"] == ["length"]


def test_check_returns_the_inputs_as_they_came_and_every_failure(provider: Stub) -> None:
    inputs: dict[str, Any] = {"length": 2, "minUpper": 3, "keepers": {"epoch": Secret("1")}}
    answer = provider.Check(rpc.CheckRequest(urn=PASSWORD, news=marshal(inputs)))
    assert unmarshal(answer.inputs) == inputs
    [failure] = answer.failures
    assert failure.property == "length"
    assert failure.reason.endswith("= 3); it is 2")


def test_a_preview_says_what_is_known_and_draws_nothing(provider: Stub) -> None:
    inputs = marshal({"length": 12, "keepers": {"epoch": UNKNOWN}})
    answer = provider.Create(rpc.CreateRequest(urn=PASSWORD, properties=inputs, preview=True))
    planned = unmarshal(answer.properties)
    assert answer.id == ""
    assert planned["result"] == planned["bcryptHash"] == Secret(UNKNOWN)
    assert (planned["length"], planned["special"], planned["keepers"]) == (12, True, {"epoch": UNKNOWN})


def test_values_are_secret_and_so_is_what_was_given_as_secret(provider: Stub) -> None:
    inputs = {"length": 12, "overrideSpecial": Secret("_"), "keepers": {"epoch": Secret("7")}}
    answer = provider.Create(rpc.CreateRequest(urn=PASSWORD, properties=marshal(inputs)))
    state = unmarshal(answer.properties)
    assert answer.id == state["id"] == "none"
    assert isinstance(state["result"], Secret)
    assert len(state["result"].value) == 12
    assert isinstance(state["bcryptHash"], Secret)
    assert (state["overrideSpecial"], state["keepers"]) == (Secret("_"), {"epoch": Secret("7")})
    assert state["number"] is state["numeric"] is True


def test_a_string_is_no_secret_and_its_own_id(provider: Stub) -> None:
    answer = provider.Create(rpc.CreateRequest(urn=STRING, properties=marshal({"length": 6, "special": False})))
    assert unmarshal(answer.properties)["result"] == answer.id
    assert answer.id.isalnum()


def test_a_kept_epoch_is_no_change_and_a_new_one_replaces(provider: Stub) -> None:
    inputs = marshal({"length": 12, "keepers": {"epoch": "1"}})
    state = provider.Create(rpc.CreateRequest(urn=PASSWORD, properties=inputs)).properties
    same = provider.Diff(rpc.DiffRequest(urn=PASSWORD, olds=state, old_inputs=inputs, news=inputs))
    assert (same.changes, list(same.replaces)) == (rpc.DiffResponse.DIFF_NONE, [])

    bumped = marshal({"length": 12, "keepers": {"epoch": "2"}})
    other = provider.Diff(rpc.DiffRequest(urn=PASSWORD, olds=state, old_inputs=inputs, news=bumped))
    assert other.changes == rpc.DiffResponse.DIFF_SOME
    assert list(other.replaces) == list(other.diffs) == ["keepers"]
    assert other.detailedDiff["keepers.epoch"].kind == rpc.PropertyDiff.UPDATE_REPLACE
    assert not other.deleteBeforeReplace


def test_an_update_keeps_the_value(provider: Stub) -> None:
    state = provider.Create(rpc.CreateRequest(urn=PASSWORD, properties=marshal({"length": 12}))).properties
    news = marshal({"length": 12, "keepers": {}})
    diff = provider.Diff(rpc.DiffRequest(urn=PASSWORD, olds=state, news=news))
    assert (diff.changes, list(diff.replaces)) == (rpc.DiffResponse.DIFF_SOME, [])
    updated = provider.Update(rpc.UpdateRequest(urn=PASSWORD, id="none", olds=state, news=news)).properties
    before, after = unmarshal(state), unmarshal(updated)
    assert {**before, "keepers": {}} == after
    again = provider.Diff(rpc.DiffRequest(urn=PASSWORD, olds=updated, news=news))
    assert again.changes == rpc.DiffResponse.DIFF_NONE


def test_a_refresh_returns_the_state_byte_by_byte(provider: Stub) -> None:
    state = provider.Create(rpc.CreateRequest(urn=PASSWORD, properties=marshal({"length": 12}))).properties
    read = provider.Read(rpc.ReadRequest(urn=PASSWORD, id="none", properties=state, inputs=marshal({"length": 12})))
    assert (read.id, read.properties, unmarshal(read.inputs)) == ("none", state, {"length": 12})


def test_an_imported_password_is_secret_and_matches_a_program_with_its_length(provider: Stub) -> None:
    read = provider.Read(rpc.ReadRequest(urn=PASSWORD, id="sesame-open"))
    assert read.id == "none"
    assert unmarshal(read.properties)["result"] == Secret("sesame-open")
    assert "sesame" not in str(unmarshal(read.inputs))
    diff = provider.Diff(rpc.DiffRequest(urn=PASSWORD, olds=read.properties, news=marshal({"length": 11})))
    assert diff.changes == rpc.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    ("urn", "message"),
    [
        (PASSWORD.replace("randomPassword:RandomPassword", "randomPet:RandomPet"), "RandomPet cannot be imported"),
        (PASSWORD.replace("randomPassword:RandomPassword", "randomDie:RandomDie"), "unknown to the random provider"),
    ],
)
def test_what_cannot_be_imported_says_so(provider: Stub, urn: str, message: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        provider.Read(rpc.ReadRequest(urn=urn, id="x"))
    assert message in str(failed.value.details())


def test_deleting_needs_nothing(provider: Stub) -> None:
    assert provider.Delete(rpc.DeleteRequest(urn=PASSWORD, id="none")) == Empty()
