"""The documentation of the rules, made from their metadata."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from policies.kit.notes import NOTES
from policies.kit.rule import Rule

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"
URL_VARIABLE = "POLICIES_DOCS_URL"
HEAD = """# Policies

{count} rules hold every change of this platform, and any other Kubernetes objects: at a Pulumi preview and update as a
policy pack, and over plain manifests without Pulumi. How to use them in another project, to waive one and to set a
threshold stands in `policies/README.md`. This page is written by `python -m policies docs`.

A check ends in one of three ways: it passes, it fails, or it **could not be made**, because a field is known only after
the update. The last is no pass: `{could_not}` reports it, and fails the preview unless the configuration says
otherwise.
"""


NOT_COVERED: Mapping[str, str] = {
    "kube-score/container-cpu-requests-equal-limits": "a CPU limit throttles; see `cpu-limit`",
    "kube-score/container-resource-requests-equal-limits": "for memory it holds (`memory-limit`), for CPU see above",
    "kube-score/container-ephemeral-storage-request-equals-limit": "see `empty-dir-size`",
    "kube-score/cronjob-restartpolicy": "the API server refuses any other",
    "kube-score/label-values": "the API server refuses any other",
    "CKV_K8S_33, CKV_K8S_34, CKV_K8S_44, CKV_K8S_45": "the old dashboard and Tiller, which nobody installs any more",
    "CKV_K8S_1 to 7, 24, 32, 36": "PodSecurityPolicy, which is gone; Pod Security is held by `namespace-pod-security`",
    "CKV_K8S_68 to 151": "flags of the control plane and the kubelet, which are the cluster's and not the program's",
}
"""Checks of the other tools that have no rule, and why."""


def url(rule: Rule) -> str:
    """Where a rule is explained, absolute: below $POLICIES_DOCS_URL, else the page in this checkout."""
    base = os.environ.get(URL_VARIABLE)
    if base:
        return f"{base.rstrip('/')}/{rule.doc}"
    return f"{PAGE.as_uri()}#{rule.id}"


def page(families: Mapping[str, tuple[Rule, ...]]) -> str:
    """The whole page."""
    rules = [rule for family in families.values() for rule in family]
    return "\n".join([*_head(rules), *_overview(families), *_critical(rules), *_coverage(rules), *_details(families)])


def _head(rules: list[Rule]) -> Iterator[str]:
    yield HEAD.format(count=len(rules), could_not=NOTES[0].id)


def _overview(families: Mapping[str, tuple[Rule, ...]]) -> Iterator[str]:
    for title, rules in families.items():
        yield from [
            f"## {title}",
            "",
            "| rule | what must hold | severity | does | sees |",
            "| --- | --- | --- | --- | --- |",
        ]
        for rule in rules:
            sees = "the whole stack" if rule.whole_stack else "one resource"
            sees += ", Pulumi only" if rule.engine_only else ""
            yield f"| [`{rule.id}`](#{rule.id}) | {rule.title} | {rule.severity} | {rule.enforcement} | {sees} |"
        yield ""


def _critical(rules: list[Rule]) -> Iterator[str]:
    yield from ["## What cannot be waived", ""]
    yield from ["Critical rules: " + ", ".join(f"`{rule.id}`" for rule in rules if not rule.waivable) + ".", ""]


def _coverage(rules: list[Rule]) -> Iterator[str]:
    covering: dict[str, list[str]] = {}
    for rule in rules:
        for check in rule.covers:
            covering.setdefault(check, []).append(rule.id)
    yield from ["## Checks of other tools", "", "| kube-score, checkov | rules |", "| --- | --- |"]
    for check in sorted(covering, key=_natural):
        yield f"| `{check}` | {', '.join(f'[`{rule}`](#{rule})' for rule in covering[check])} |"
    yield from ["", "Without a rule:", ""]
    yield from (f"- `{check}`: {why}" for check, why in NOT_COVERED.items())
    yield ""


def _natural(check: str) -> tuple[str, int]:
    head, _, number = check.rpartition("_")
    return (head, int(number)) if number.isdecimal() else (check, 0)


def _details(families: Mapping[str, tuple[Rule, ...]]) -> Iterator[str]:
    yield from ["## Rules one by one", ""]
    for rule in (rule for family in families.values() for rule in family):
        yield from [f"### {rule.id}", "", f"{rule.title}.", ""]
        yield f"- looks at: {', '.join(rule.kinds) or 'every object'}"
        yield f"- way out: {rule.remediation}"
        waiver = "may be waived" if rule.waivable else "cannot be waived"
        yield f"- severity {rule.severity}, {rule.enforcement} by default, {waiver}"
        if rule.frameworks:
            yield f"- asked for by: {', '.join(rule.frameworks)}"
        if rule.covers:
            yield f"- stands for: {', '.join(f'`{check}`' for check in rule.covers)}"
        for name, setting in rule.settings.items():
            default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
            yield f"- setting `{name}`: {setting.what}; by default `{default}`"
        yield ""
