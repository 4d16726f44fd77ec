"""The good stack, and ways to break it in one place."""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from policies.kit.objects import Object, Options, Stack
from policies.kit.rule import Context, Rule
from policies.kit.run import Result, evaluate
from policies.kit.values import UNKNOWN, Fields
from policies.rules import RULES

TODAY = date(2026, 1, 31)
GOOD = Path(__file__).with_name("good.yaml")
PASSWORD: dict[str, Any] = {"length": 32, "keepers": {"epoch": "1"}}
GONE = object()
"""In place of a value: the field is not there."""

Changes = Mapping[str, Any]


@cache
def _good() -> dict[str, dict[str, Any]]:
    with GOOD.open() as file:
        items = json.loads(json.dumps(yaml.safe_load(file)["items"]))  # so that no two share what an anchor stands for
    found = {f"{item['kind']}/{item['metadata']['name']}": item for item in items}
    return found | {"random:RandomPassword/password": PASSWORD}


@dataclass
class Stage:
    """The good stack with changes.

    Attributes:
        manifests: `Kind/name` to manifest; a test changes them at will.
        options: what Pulumi knows of the resources.
    """

    manifests: dict[str, dict[str, Any]] = field(default_factory=lambda: copy.deepcopy(_good()))
    options: dict[str, Options] = field(default_factory=dict)

    def change(self, key: str, changes: Changes) -> "Stage":
        """Set fields of one object, by paths such as `spec/template/spec/containers/0/image`.

        A function as the value makes the new value of the old one; `GONE` takes the field away.
        """
        for path, value in changes.items():
            *parents, last = path.split("/")
            here: Any = self.manifests[key]
            for part in parents:
                here = here[int(part)] if isinstance(here, list) else here.setdefault(unescaped(part), {})
            index: Any = int(last) if isinstance(here, list) else unescaped(last)
            if value is GONE:
                del here[index]
            else:
                here[index] = value(here[index]) if callable(value) else value
        return self

    def objects(self, *, with_options: bool = True) -> list[Object]:
        """The stack as rules see it; without options as plain manifests."""
        made = []
        for key, values in self.manifests.items():
            kind, _, name = key.partition("/")
            urn = f"urn:pulumi:dev::shop::t::{name}"
            options = self.options.get(key) or Options("trading:shop:Shop", True, frozenset({"data", "stringData"}))
            version = values.get("apiVersion", "")
            made.append(Object(kind, version, Fields(values), urn, options=options if with_options else None))
        return made


def unescaped(part: str) -> str:
    """A key with `~1` for the slashes in it, as in a JSON pointer."""
    return part.replace("~1", "/")


def run(rule: Rule, objects: Iterable[Object], settings: Mapping[str, Any] | None = None) -> list[Result]:
    """What a rule says of all objects that it looks at."""
    stack = Stack(objects)
    thresholds = rule.thresholds(settings or {})
    found = [evaluate(rule, Context(obj, thresholds, stack, TODAY)) for obj in stack.objects if rule.applies(obj)]
    return [result for results in found for result in results]


@dataclass(frozen=True)
class Case:
    """How one rule fails, and how it cannot tell.

    Attributes:
        rule: its id.
        on: the object that is broken, `Kind/name`.
        bad: changes that make it fail.
        unknown: path of a field whose value is not known yet, so that the rule cannot tell; empty where `always` says
            why no field of it can be unknown.
        where: where the violation is; found by its end.
        settings: thresholds of the rule.
        options: what Pulumi knows, for the rules that read nothing else.
        always: why the rule can always tell.
    """

    rule: str
    on: str
    bad: Changes
    unknown: str = ""
    where: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Options | None = None
    always: str = ""

    def broken(self) -> Stage:
        """The stack in which the rule fails."""
        stage = Stage().change(self.on, self.bad)
        if self.options:
            stage.options[self.on] = self.options
        return stage

    def untold(self) -> Stage:
        """The stack in which the rule cannot tell."""
        return Stage().change(self.on, {self.unknown: UNKNOWN})

    @property
    def of(self) -> Rule:
        """The rule."""
        return RULES[self.rule]


def replacing(old: str, new: str) -> Callable[[str], str]:
    """A change of a text, which must hold what is replaced."""

    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return change
