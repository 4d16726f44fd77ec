"""The annotation `pulumi.com/waitFor`: the user's own idea of ready.

It is `condition=Type`, `condition=Type=Status`, `jsonpath={.a.b}`, `jsonpath={.a.b}=value`, or a JSON array of these.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from toolchain.plugins.kubernetes.await_.status import Related, Rule, Status
from toolchain.plugins.kubernetes.objects import Object, conditions

STEP: Final = re.compile(
    r"""\.?(?:
        \[\?\(\s*@\.(?P<field>[\w.-]+)\s*==\s*(?P<quote>["'])(?P<equals>.*?)(?P=quote)\s*\)\]
      | \[(?P<index>-?\d+|\*)\]
      | \[(?P<bracket>["'])(?P<quoted>.*?)(?P=bracket)\]
      | (?P<key>(?:\\.|[^.\[\]\\])+)
    )""",
    re.VERBOSE,
)


class Expression(NamedTuple):
    """One thing to wait for."""

    text: str
    condition: str = ""
    path: str = ""
    value: str | None = None
    """What the condition's status or the path's value must be; None for a path that must only be there."""

    def is_met(self, obj: Object) -> bool:
        """Whether the object fulfils it."""
        if self.condition:
            wanted = (self.value or "True").lower()
            return any(
                str(c.get("type")).lower() == self.condition.lower() and str(c.get("status")).lower() == wanted
                for c in conditions(obj)
            )
        found = list(evaluate(self.path, obj))
        return bool(found) if self.value is None else any(_text(value) == self.value for value in found)


def parse(annotation: str) -> tuple[Expression, ...]:
    """Read the annotation. Raises ValueError, whose text names what is wrong."""
    annotation = annotation.strip()
    if annotation.startswith("["):
        try:
            texts = json.loads(annotation)
        except ValueError as error:
            raise ValueError(f"pulumi.com/waitFor = {annotation!r}: not a JSON array of strings") from error
        if not texts or not all(isinstance(t, str) for t in texts):
            raise ValueError(f"pulumi.com/waitFor = {annotation!r}: not a JSON array of one string or more")
        return tuple(_parse_one(t) for t in texts)
    return (_parse_one(annotation),)


def _parse_one(text: str) -> Expression:
    form, _, rest = text.partition("=")
    if form == "condition" and rest:
        name, has_value, value = rest.partition("=")
        return Expression(text, condition=name, value=value if has_value else None)
    match = re.fullmatch(r"\{(?P<path>.*?)\}(?:=(?P<value>.*))?", rest) if form == "jsonpath" else None
    if match and list(_steps(match["path"])):
        value = match["value"]
        return Expression(text, path=match["path"], value=None if value is None else value.strip("\"'"))
    raise ValueError(
        f"pulumi.com/waitFor = {text!r}: expected condition=<type>[=<status>] or jsonpath={{.<path>}}[=<value>]"
    )


def _steps(path: str) -> Iterator[re.Match[str]]:
    at = 0
    path = path.removeprefix("$")
    while at < len(path):
        match = STEP.match(path, at)
        if match is None or match.end() == at:
            raise ValueError(f"pulumi.com/waitFor: {path!r} is not a path that is understood (at {path[at:]!r})")
        yield match
        at = match.end()


def evaluate(path: str, obj: Any) -> Iterator[Any]:  # noqa: ANN401
    """The values that a JSONPath (keys, indices, `[*]`, one-field filters) finds."""
    found = [obj]
    for step in _steps(path):
        found = [value for item in found for value in _apply(step, item)]
    yield from found


def _apply(step: re.Match[str], item: Any) -> Iterator[Any]:  # noqa: ANN401
    key = step["quoted"] if step["quoted"] is not None else step["key"]
    if key is not None:
        key = re.sub(r"\\(.)", r"\1", key)
        if isinstance(item, dict) and key in item:
            yield item[key]
    elif not isinstance(item, list):
        return
    elif step["field"]:
        yield from (
            entry for entry in item if any(_text(v) == step["equals"] for v in evaluate(f".{step['field']}", entry))
        )
    elif step["index"] == "*":
        yield from item
    elif -len(item) <= int(step["index"]) < len(item):
        yield item[int(step["index"])]


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value)


def rule(expressions: tuple[Expression, ...]) -> Rule:
    """The rule that waits until every expression is met."""

    def judge(obj: Object, _: Related) -> Status:
        open_ = [e.text for e in expressions if not e.is_met(obj)]
        if not open_:
            return Status(ready=True)
        return Status(
            ready=False,
            message=f"Waiting for {', '.join(open_)}",
            problems=tuple(f"pulumi.com/waitFor is not met: {text}" for text in open_),
        )

    return Rule(judge)
