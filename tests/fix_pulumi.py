"""Run components and programs against the recording monitor, away from the user's Pulumi home and cluster.

What it hides: an event loop and SDK settings of its own for each run, work that nobody awaited (`record` raises),
outputs that are unknown in a preview (`recorded_with_unknowns`), and environment that would let a developer's machine
leak in.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.render.recorder import STACK_TYPE, Recording, record

Program = Callable[[], object]
Record = Callable[[Program], Recording]
TOKEN_PREFIX = "trading:"


@pytest.fixture
def away_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without Pulumi state, kubeconfig or configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "PULUMI_HOME", "PULUMI_CONFIG", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def recorded(away_from_home: None) -> Record:
    """Run a program as an update would: every output is known."""
    return lambda program: check_conventions(record(program))


@pytest.fixture
def recorded_with_unknowns(away_from_home: None) -> Record:
    """Run a program as the first preview would: what only a provider can tell is unknown."""
    return lambda program: check_conventions(record(program, unknowns=True))


def check_conventions(recording: Recording) -> Recording:
    """Fail for what holds for every component, whatever it is: outputs registered, nothing beside the components."""
    unfinished = [r.name for r in recording if r.type.startswith(TOKEN_PREFIX) and r.urn not in recording.outputs]
    assert not unfinished, f"register_outputs was not called at the end of: {', '.join(unfinished)}"
    stray = [
        r.name for r in recording if r.type.startswith(("kubernetes:", "random:")) and STACK_TYPE in _last(r.parent)
    ]
    assert not stray, f"child of the stack, not of a component (parent=self is missing): {', '.join(stray)}"
    return recording


def _last(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]
