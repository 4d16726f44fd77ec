"""What the policies and the engine itself had to say, as part of a report. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from toolchain.report import failures
from toolchain.report.events import Log, PolicyEvent
from toolchain.report.model import Failure, Finding, Report, plural
from toolchain.report.steps import Step

NOT_MADE = re.compile(r"(?:UNKNOWN|BROKEN) (?P<policy>[\w-]+): (?P<text>.*)", re.DOTALL)
SET_ASIDE = re.compile(r"WAIVED (?P<policy>[\w-]+): (?P<text>.*)", re.DOTALL)
# the project's pack ends a message with the way out and a link
ENDING = re.compile(r"(?:; (?P<fix>[^;]*))? \((?P<link>(?:https?|file)://[^)\s]+)\)$")
TITLE = re.compile(r"(?P<kind>[A-Z]\w+) (?:[\w.-]+/)?(?P<name>[\w.-]+): ")
CHECKOUT = re.compile(r"file://.*?/(?=docs/)")
UNREACHABLE = re.compile(r"cluster is unreachable")


def with_policies(report: Report, log: Log) -> Report:
    """The report with the violations of the policies, and with the checks that could not be made."""
    objects = {step.urn: step for step in log.steps}
    unrun = [Finding(policy=policy, enforcement="mandatory", message=why) for policy, why in log.unrun.items()]
    violations: list[Finding] = []
    for event in log.violations:
        (unrun if _text(event, NOT_MADE) else violations).append(_finding(event, objects))
    checked = plural(len(log.policies), "policy")
    return replace(report, checked=checked, findings=grouped(violations), unrun=grouped(unrun))


def with_failures(report: Report, code: int, log: Log, printed: str) -> Report:
    """The report with the reasons why the engine gave up, or did not see the cluster."""
    unreachable = [text for text in log.warnings if UNREACHABLE.search(text)]
    told = bool(report.unrun) or any(finding.mandatory for finding in report.findings)
    found: tuple[Failure, ...] = ()
    # violations end the engine with an error too, and are told by themselves
    if code and not (told and log.whole and not failures.reasons(log)):
        found = failures.explain(report.stack, log, printed)
    elif unreachable:
        found = (failures.unreachable(report.stack, unreachable[0]),)
    return replace(report, failures=found)


def _text(event: PolicyEvent, marker: re.Pattern[str]) -> re.Match[str] | None:
    return next((found for line in event.message.splitlines() if (found := marker.match(line))), None)


def _finding(event: PolicyEvent, objects: Mapping[str, Step]) -> Finding:
    step = objects.get(event.urn)
    name = step.object if step is not None and step.is_object else ""
    marked = _text(event, NOT_MADE) or _text(event, SET_ASIDE)
    # the first line is the policy's description, which says what should be
    _, _, rest = event.message.partition("\n")
    text, fix, link = _parts(marked["text"] if marked else rest or event.message)
    if (title := TITLE.match(text)) is not None and f"{title['kind']}/{title['name']}" == name:
        text = text[title.end() :]
    return Finding(
        policy=marked["policy"] if marked else event.policy,
        enforcement="advisory" if _text(event, SET_ASIDE) else event.enforcement,
        message=text.strip(),
        objects=(name,) if name else (),
        remediation=fix,
        link=link,
    )


def _parts(text: str) -> tuple[str, str, str]:
    """What is wrong, the way out, and the link; the latter two may be empty."""
    ending = ENDING.search(text.strip())
    if ending is None:
        return text, "", ""
    return text.strip()[: ending.start()], ending["fix"] or "", CHECKOUT.sub("", ending["link"])


def grouped(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for all objects of which the same is said, mandatory ones first."""
    found: dict[Finding, dict[str, None]] = {}
    for finding in findings:
        found.setdefault(replace(finding, objects=()), {}).update(dict.fromkeys(finding.objects))
    made = [replace(finding, objects=tuple(sorted(objects))) for finding, objects in found.items()]
    return tuple(sorted(made, key=lambda f: (not f.mandatory, f.policy, f.objects, f.message)))
