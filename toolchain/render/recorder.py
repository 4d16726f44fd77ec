"""Run a Pulumi program against a monitor that only takes notes: no engine, no plugin, no cluster.

Each run has its own event loop and its own context of the SDK's settings, so nothing leaks into the next one.
"""

import asyncio
import contextvars
import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, cast

from google.protobuf import empty_pb2
from pulumi.runtime import mocks, run_in_stack, set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import configure

from toolchain.plugins.values import UNKNOWN, Secret, Value, marshal, unmarshal

PROJECT = "trading-platform"
STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE = "pulumi:providers:"


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it; `inputs` keeps the marks `Secret` and `UNKNOWN`."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    provider: str
    protect: bool
    inputs: Mapping[str, Value] = field(repr=False)
    dependencies: tuple[str, ...] = ()
    delete_before_replace: bool = False
    ignore_changes: tuple[str, ...] = ()
    aliases: int = 0


@dataclass
class Recording:
    """What a program registered, and the outputs that its components and itself gave out."""

    registrations: list[Registration] = field(default_factory=list)
    outputs: dict[str, Mapping[str, Value]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Registration]:
        """The registrations in the order of their URNs, which no scheduling changes; the stack itself is not one."""
        return iter(sorted((r for r in self.registrations if r.type != STACK_TYPE), key=lambda r: r.urn))

    def of(self, type_: str) -> list[Registration]:
        """The resources of a type, as `kubernetes:apps/v1:StatefulSet`."""
        return [r for r in self if r.type == type_]

    def named(self, name: str) -> Registration:
        """The one resource that the program gave this name. Raises KeyError unless there is exactly one."""
        found = [r for r in self if r.name == name]
        if len(found) != 1:
            raise KeyError(f"{len(found)} resources are named {name!r}")
        return found[0]

    @property
    def stack_outputs(self) -> Mapping[str, Value]:
        """What the program exported."""
        return next((out for urn, out in self.outputs.items() if f"::{STACK_TYPE}::" in urn), {})


class ProgramLeak(RuntimeError):
    """The program left work behind that nobody waited for; in a test it would fail in the next one."""


def record(
    program: Callable[[], object],
    *,
    stack: str = "test",
    config: Mapping[str, str] | None = None,
    secret_keys: Collection[str] = (),
    unknowns: bool = False,
) -> Recording:
    """Run `program` as the language host does, and return what it registered.

    Args:
        program: declares resources; it may export outputs.
        stack: name of the stack.
        config: full key (`trading-platform:namespace`) to text, as the engine hands it over.
        secret_keys: the full keys among them that are secret.
        unknowns: behave like a preview of a first `up`: whatever only a provider can tell is unknown.

    Raises:
        ProgramLeak: a task was left pending, or failed without anybody looking.
        Exception: whatever the program raises.
    """
    return contextvars.copy_context().run(_record, program, stack, config or {}, secret_keys, unknowns)


def _record(
    program: Callable[[], object], stack: str, config: Mapping[str, str], secret_keys: Collection[str], unknowns: bool
) -> Recording:
    recording = Recording()
    # the SDK's own class for stand-in settings; `Settings` would open a channel to an address
    settings = mocks.MockSettings(  # type: ignore[no-untyped-call]
        monitor=_Monitor(recording, unknowns=unknowns),
        engine=mocks.MockEngine(logging.getLogger("pulumi")),
        project=PROJECT,
        stack=stack,
        dry_run=unknowns,
        organization=None,
        callbacks=None,
    )
    configure(settings)
    set_all_config(dict(config), list(secret_keys))

    def declare() -> None:
        program()

    failures: list[str] = []
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, what: failures.append(str(what.get("exception") or what["message"])))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(declare))
        failures += [f"pending: {task.get_coro()}" for task in asyncio.all_tasks(loop)]
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
    if failures:
        raise ProgramLeak("; ".join(failures))
    return recording


class _Monitor(mocks.MockMonitor):
    """Answers like an engine that creates everything at once, and writes the requests down.

    The SDK calls it from several threads.
    """

    def __init__(self, recording: Recording, *, unknowns: bool) -> None:
        super().__init__(cast(mocks.Mocks, None))  # every RPC that would ask them is answered here
        self._recording = recording
        self._unknowns = unknowns
        self._lock = threading.Lock()

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs = unmarshal(request.object)
        with self._lock:
            self._recording.registrations.append(
                Registration(
                    urn=urn,
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    custom=request.custom,
                    provider=request.provider,
                    protect=request.protect,
                    inputs=inputs,
                    dependencies=tuple(sorted(request.dependencies)),
                    delete_before_replace=request.deleteBeforeReplace,
                    ignore_changes=tuple(request.ignoreChanges),
                    aliases=len(request.aliases) + len(request.aliasURNs),
                )
            )
        state = inputs | computed(request.type, request.name, unknowns=self._unknowns)
        # an empty id is one that is not known yet
        identity = "" if self._unknowns or not request.custom else f"{request.name}-id"
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=marshal(state))

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> empty_pb2.Empty:
        with self._lock:
            self._recording.outputs[request.urn] = unmarshal(request.outputs)
        return empty_pb2.Empty()

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> NoReturn:
        raise NeedsProvider(request.tok)

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> NoReturn:
        raise NeedsProvider(request.type)


class NeedsProvider(RuntimeError):
    """The program asked for something that only a real provider can answer."""


def computed(type_: str, name: str, *, unknowns: bool) -> dict[str, Value]:
    """Outputs that are not inputs: a password that is the same in every run, and that a test can look for."""
    if type_ != "random:index/randomPassword:RandomPassword":
        return {}
    return {"result": UNKNOWN if unknowns else Secret(fake_password(name))}


def fake_password(name: str) -> str:
    """32 letters and digits for the RandomPassword of that name."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
