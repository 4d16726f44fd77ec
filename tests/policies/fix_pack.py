"""A small project that is run with the policy pack, by the real CLI and engine."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.harness import Event, Outcome, Project
from toolchain.kit.paths import ROOT

PACK = ROOT / "policies"


@dataclass(frozen=True)
class Packed:
    """A project and the flags that run it with a pack and a configuration."""

    project: Project
    pack: Path = PACK

    def flags(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The CLI's flags; the configuration is written beside the project."""
        path = self.project.folder / "policy-config.json"
        path.write_text(json.dumps(config))
        return ("--policy-pack", str(self.pack), "--policy-pack-config", str(path))

    def preview(self, **config: Any) -> Outcome:  # noqa: ANN401  JSON
        """`pulumi preview` with the pack; `_` stands for the dashes in the names of rules."""
        return self.project.preview(*self.flags({name.replace("_", "-"): value for name, value in config.items()}))

    def up(self, **config: Any) -> Outcome:  # noqa: ANN401  JSON
        """`pulumi up` with the pack, without a preview."""
        return self.project.up(*self.flags({name.replace("_", "-"): value for name, value in config.items()}))


def violations(outcome: Outcome) -> dict[str, Event]:
    """The policy events of a run, by the name of the policy."""
    return {
        event["policyEvent"]["policyName"]: event["policyEvent"] for event in outcome.events if "policyEvent" in event
    }


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[str], Packed]:
    """Make a project of a program."""
    return lambda program: Packed(Project(tmp_path, program))
