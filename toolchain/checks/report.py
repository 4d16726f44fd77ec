"""What a check found, what of it is waived, and which waivers nothing needs any more. Pure but for reading the file."""

import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT

WAIVERS = ROOT / "toolchain" / "checks" / "waivers.toml"
FEWEST_WORDS = 5


@dataclass(frozen=True)
class Finding:
    """Something that a tool does not like.

    Attributes:
        rule: the tool's own identifier, e.g. CKV_K8S_43.
        where: what it is about, e.g. Deployment/trading-api, or a package.
        text: one line for a person.
    """

    rule: str
    where: str
    text: str


@dataclass(frozen=True)
class Waiver:
    """A finding that is accepted.

    Attributes:
        tool: whose rule it is.
        rule: the tool's identifier.
        where: shell pattern of what it is about.
        reason: why it is right as it is; some words, not one.
    """

    tool: str
    rule: str
    where: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether it is about that finding."""
        return self.rule == finding.rule and fnmatchcase(finding.where, self.where)


def read(path: Path = WAIVERS) -> list[Waiver]:
    """The committed waivers. Raises `ToolError` that names the first one that is incomplete."""
    tables: dict[str, Any] = tomllib.loads(path.read_text())
    return [waiver(path.name, tool, entry) for tool, entries in tables.items() for entry in entries]


def waiver(file: str, tool: str, entry: dict[str, Any]) -> Waiver:
    """One waiver of the file. Raises `ToolError` for a key too many or too few, and for a reason that is none."""
    title = f"{file}: [[{tool}]] rule = {entry.get('rule', 'not set')!r}"
    wrong = sorted(entry.keys() ^ {"rule", "where", "reason"})
    if wrong:
        raise ToolError(f"{title}: {', '.join(wrong)}: the keys are rule, where, reason; give each of them once")
    if len(str(entry["reason"]).split()) < FEWEST_WORDS:
        raise ToolError(f"{title}: reason = {entry['reason']!r}: say in a sentence why it is right as it is")
    return Waiver(tool=tool, rule=entry["rule"], where=entry["where"], reason=entry["reason"])


def judge(tool: str, findings: Iterable[Finding], waivers: Collection[Waiver]) -> list[str]:
    """One line for each finding that no waiver covers, and for each waiver of the tool that covers nothing."""
    found = list(findings)
    ours = [each for each in waivers if each.tool == tool]
    problems = [
        f"{tool}: {finding.rule} {finding.where}: {finding.text}"
        for finding in sorted(set(found), key=lambda f: (f.rule, f.where, f.text))
        if not any(each.covers(finding) for each in ours)
    ]
    for each in ours:
        if not any(each.covers(finding) for finding in found):
            problems.append(f"{tool}: {each.rule} {each.where}: nothing needs this waiver; remove it")
    return problems


def conclude(tool: str, findings: Sequence[Finding], checked: str) -> str:
    """A closing line when all is well. Raises `ToolError` with what is not."""
    waivers = read()
    problems = judge(tool, findings, waivers)
    if problems:
        way_out = f"mend it, or waive it with a reason in {WAIVERS.relative_to(ROOT)}"
        raise ToolError("\n".join([f"{tool}: {len(problems)} to look at; {way_out}", *problems]))
    waived = sum(any(each.tool == tool and each.covers(finding) for each in waivers) for finding in findings)
    return f"{tool}: {checked}: nothing found ({waived} waived)"
