"""Epochs and slots, and what a bump changes in the declared resources."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.credentials.args import KINDS, CredentialsArgs
from components.credentials.component import Credentials
from components.credentials.epochs import FIRST_EPOCH, current_slot, slot_epochs
from components.credentials.registry import RegistryArgs, RegistryLogin, docker_config
from components.kit.errors import InvalidArgs
from tests.fix_pulumi import Record
from toolchain.plugins.values import has_secret, unwrap
from toolchain.render.recorder import Recording, fake_password

epochs = st.integers(min_value=FIRST_EPOCH, max_value=10_000)


@given(epochs)
def test_a_holds_the_newest_even_and_b_the_newest_odd_epoch(epoch: int) -> None:
    slots = slot_epochs(epoch)
    assert slots.a % 2 == 0
    assert slots.b % 2 == 1
    assert sorted(slots) == [epoch - 1, epoch]
    assert getattr(slots, current_slot(epoch)) == epoch


@given(epochs)
def test_a_step_changes_exactly_the_older_slot_and_makes_it_current(epoch: int) -> None:
    before, after = slot_epochs(epoch)._asdict(), slot_epochs(epoch + 1)._asdict()
    changed = [slot for slot in before if before[slot] != after[slot]]
    assert changed == [min(before, key=before.__getitem__)] == [current_slot(epoch + 1)]


@given(epochs)
def test_stepping_back_finds_the_previous_password_untouched(epoch: int) -> None:
    previous = current_slot(epoch)
    assert slot_epochs(epoch + 1)._asdict()[previous] == slot_epochs(epoch)._asdict()[previous]


def declare(recorded: Record, **epochs: int) -> Recording:
    args = CredentialsArgs(
        namespace="trading", epochs={kind.replace("_", "-"): epoch for kind, epoch in epochs.items()}
    )
    return recorded(lambda: Credentials("credentials", args))


def test_every_kind_has_two_passwords_and_one_secret(recorded: Record) -> None:
    recording = declare(recorded)
    assert len(recording.of("random:index/randomPassword:RandomPassword")) == 2 * len(KINDS)
    names = [unwrap(s.inputs)["metadata"]["name"] for s in recording.of("kubernetes:core/v1:Secret")]
    assert sorted(names) == [f"credentials-{kind}" for kind in KINDS]


def test_the_secret_holds_both_slots_the_current_one_and_the_epoch(recorded: Record) -> None:
    secret = declare(recorded, api=4).named("credentials-api")
    data = {key: b64decode(value).decode() for key, value in unwrap(secret.inputs["data"]).items()}
    assert data == {
        "a": fake_password("credentials-api-a"),
        "b": fake_password("credentials-api-b"),
        "current": "a",
        "epoch": "4",
    }
    assert has_secret(secret.inputs["data"])
    assert not has_secret(secret.inputs["metadata"])


def test_a_bump_changes_one_keeper_and_one_secret(recorded: Record) -> None:
    before, after = declare(recorded, postgres_app=1), declare(recorded, postgres_app=2)
    changed = [b.name for b, a in zip(before, after, strict=True) if unwrap(b.inputs) != unwrap(a.inputs)]
    assert changed == ["credentials-postgres-app", "credentials-postgres-app-a"]


def test_passwords_are_letters_and_digits_only(recorded: Record) -> None:
    for password in declare(recorded).of("random:index/randomPassword:RandomPassword"):
        assert password.inputs["length"] == 32
        assert password.inputs["special"] is False


def test_all_wrong_epochs_are_named_at_once() -> None:
    with pytest.raises(InvalidArgs) as caught:
        CredentialsArgs(namespace="Trading!", epochs={"postgres_app": 1, "api": 0})
    assert [p.field for p in caught.value.problems] == ["namespace", "credentials", "credentials.api"]


def test_the_pull_secret_is_what_docker_reads(recorded: Record) -> None:
    args = RegistryArgs(namespace="trading", server="registry.example.com", username="me", password="hidden")
    secret = recorded(lambda: RegistryLogin("registry", args)).named("registry-login")
    assert secret.inputs["type"] == "kubernetes.io/dockerconfigjson"
    assert unwrap(secret.inputs["data"]) == {".dockerconfigjson": docker_config("registry.example.com", "me", "hidden")}
    assert has_secret(secret.inputs["data"])
