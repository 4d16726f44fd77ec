"""Thresholds and enforcement of one environment, from the file that Pulumi takes as `--policy-pack-config`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.kit.notes import NOTES
from policies.kit.rule import Enforcement, Rule

FOLDER = Path(__file__).resolve().parents[1] / "config"
LEVEL = "enforcementLevel"


class BadConfig(Exception):
    """The configuration is wrong; one line a problem."""


@dataclass(frozen=True)
class Config:
    """What an environment asks for.

    Attributes:
        levels: rule or note to what a violation does.
        settings: rule to its thresholds, defaults filled in.
    """

    levels: Mapping[str, Enforcement]
    settings: Mapping[str, Mapping[str, Any]]


def environments() -> list[str]:
    """The environments that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(environment: str | None, rules: Mapping[str, Rule]) -> Config:
    """The configuration of an environment; the defaults without one.

    Raises:
        BadConfig: there is no such file, or it says what no rule knows.
    """
    if environment is None:
        return parse({}, rules)
    path = FOLDER / f"{environment}.json"
    if not path.is_file():
        raise BadConfig(
            f"environment = {environment!r}: there is no {path.name}; use one of {', '.join(environments())}"
        )
    try:
        given = json.loads(path.read_text())
    except ValueError as error:
        raise BadConfig(f"{path.name}: is no JSON ({error})") from None
    return parse(given, rules)


def parse(given: Mapping[str, Any], rules: Mapping[str, Rule]) -> Config:
    """As `load`, from the file's content. Pulumi itself lets an unknown name pass; here it is an error."""
    problems: list[str] = []
    notes = {name: note.enforcement for note in NOTES for name in (note.id, note.in_stack)}
    levels: dict[str, Enforcement] = {name: rule.enforcement for name, rule in rules.items()} | notes
    settings = {name: rule.thresholds({}) for name, rule in rules.items()}
    for name, value in given.items():
        body = {LEVEL: value} if isinstance(value, str) else dict(value)
        level = body.pop(LEVEL, None)
        try:
            if name == "all":
                levels = dict.fromkeys(levels, Enforcement(level))
            elif name not in levels:
                raise ValueError(f"{name}: there is no such rule")
            elif level is not None:
                levels[name] = Enforcement(level)
            if name in rules:
                settings[name] = rules[name].thresholds(body)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise BadConfig("\n".join(problems))
    return Config(levels, settings)
