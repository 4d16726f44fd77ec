"""The recorder and the fixtures on it: what they must catch, they do catch."""

import asyncio

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_random import RandomPassword

from components.kit.component import Component
from tests.fix_pulumi import Record
from toolchain.plugins.values import UNKNOWN, Secret
from toolchain.render.recorder import NeedsProvider, ProgramLeak, fake_password, record


class Whole(Component):
    token = "trading:test:Whole"

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.password = RandomPassword(f"{name}-password", length=32, opts=self.child())
        self.register_outputs({})


class Unfinished(Component):
    token = "trading:test:Unfinished"


def test_a_component_that_registers_no_outputs_fails(recorded: Record) -> None:
    with pytest.raises(AssertionError, match="register_outputs was not called at the end of: half"):
        recorded(lambda: Unfinished("half"))


def test_a_child_of_the_stack_fails(recorded: Record) -> None:
    with pytest.raises(AssertionError, match="parent=self is missing\\): lonely"):
        recorded(lambda: ConfigMap("lonely"))


def test_a_child_inherits_protection_and_knows_its_parent(recorded: Record) -> None:
    recording = recorded(lambda: Whole("whole", pulumi.ResourceOptions(protect=True)))
    child = recording.named("whole-password")
    assert child.protect
    assert child.parent == recording.named("whole").urn


def test_a_password_is_a_known_secret_after_an_update(recorded: Record) -> None:
    recording = recorded(lambda: pulumi.export("it", Whole("whole").password.result))
    assert recording.stack_outputs["it"] == Secret(fake_password("whole-password"))


def test_a_password_is_unknown_in_the_first_preview(recorded_with_unknowns: Record) -> None:
    seen: list[str] = []
    recording = recorded_with_unknowns(lambda: pulumi.export("it", Whole("whole").password.result.apply(seen.append)))
    assert recording.stack_outputs["it"] in (UNKNOWN, Secret(UNKNOWN))
    assert seen == []


def test_an_error_in_an_apply_is_raised(recorded: Record) -> None:
    def fail(_: str) -> str:
        raise LookupError("in apply")

    with pytest.raises(LookupError, match="in apply"):
        recorded(lambda: Whole("whole").password.result.apply(fail))


def test_work_that_nobody_awaits_is_an_error() -> None:
    kept = []

    async def forever() -> None:
        await asyncio.Event().wait()

    def program() -> None:
        kept.append(asyncio.get_running_loop().create_task(forever()))

    with pytest.raises(ProgramLeak, match="pending"):
        record(program)


def test_a_call_that_needs_a_real_provider_is_an_error() -> None:
    with pytest.raises(NeedsProvider, match="kubernetes:core/v1:ConfigMap"):
        record(lambda: ConfigMap.get("there", "default/there"))


def test_one_run_leaves_nothing_to_the_next() -> None:
    seen = []
    record(lambda: seen.append(pulumi.Config().get("a")), config={"trading-platform:a": "1"})
    record(lambda: seen.append(pulumi.Config().get("a")))
    assert seen == ["1", None]
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
