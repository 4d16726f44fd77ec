"""The committed workflows and actions, as tests read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from toolchain.kit.paths import ROOT

FOLDER = ROOT / ".github"


@dataclass(frozen=True)
class Job:
    """A job of a workflow, with the title that a failed test shows."""

    title: str
    workflow: dict[str, Any]
    content: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Its steps; none when it calls another workflow."""
        return list(self.content.get("steps", ()))


def workflow_files() -> list[Path]:
    return sorted((FOLDER / "workflows").glob("*.yml"))


def files() -> list[Path]:
    """Workflows and composite actions."""
    return [*workflow_files(), *sorted((FOLDER / "actions").glob("*/action.yml"))]


def load(path: Path) -> dict[str, Any]:
    """The document; `on`, which YAML takes for a truth value, has its name again."""
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else str(key): value for key, value in content.items()}


def workflow(name: str) -> dict[str, Any]:
    return load(FOLDER / "workflows" / f"{name}.yml")


def jobs() -> Iterator[Job]:
    for path in workflow_files():
        content = load(path)
        for name, job in content["jobs"].items():
            yield Job(f"{path.stem}/{name}", content, job)


def runs() -> Iterator[tuple[str, str]]:
    """Where a shell script stands, and its text."""
    for job in jobs():
        yield from ((job.title, step["run"]) for step in job.steps if "run" in step)
    for path in files():
        content = load(path)
        for step in content.get("runs", {}).get("steps", ()):
            yield path.parent.name, step["run"]


def script(workflow_name: str, job: str, step: str) -> str:
    """The text of a named step."""
    [found] = [each for each in workflow(workflow_name)["jobs"][job]["steps"] if each.get("name") == step]
    return str(found["run"])
