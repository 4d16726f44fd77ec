"""The policies over plain manifests, by the pack's own command line."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolchain.kit.paths import ROOT
from toolchain.render.manifests import to_yaml
from toolchain.report.findings import CHECKOUT, grouped
from toolchain.report.model import Failure, Finding, Report, plural

OUTCOMES = {"fail": "violated", "waived": "advice", "unknown": "unrun", "broken": "unrun"}


def with_check(report: Report, manifests: Mapping[str, Mapping[str, Any]], pack: Path) -> Report:
    """The report with what the project's pack says of the manifests, or with the reason why it could not run."""
    if pack != (ROOT / "policies").resolve():
        return replace(report, failures=(Failure("--policy-pack: only the project's pack can check plain manifests"),))
    argv = [sys.executable, "-m", "policies", "check", "--json"]
    argv += ["--environment", report.stack] if (pack / "config" / f"{report.stack}.json").is_file() else []
    with tempfile.TemporaryDirectory(prefix="manifests-") as scratch:
        for name, manifest in manifests.items():
            (Path(scratch) / name).write_text(to_yaml(dict(manifest)))
        done = subprocess.run([*argv, scratch], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return replace(report, failures=(Failure(f"the policy pack does not run: {last}", "mend it"),))
    return checked(report, json.loads(done.stdout))


def checked(report: Report, result: Mapping[str, Any]) -> Report:
    """The report with the results of `python -m policies check --json`."""
    found: dict[str, list[Finding]] = {"violated": [], "advice": [], "unrun": []}
    for one in result["results"]:
        kind, _, name = one["object"].partition(" ")
        found[OUTCOMES[one["outcome"]]].append(
            Finding(
                policy=one["rule"],
                enforcement="advisory" if one["outcome"] == "waived" else one["enforcement"],
                message=f"{one['field']}: {one['problem']}" if one["field"] else one["problem"],
                objects=(f"{kind}/{name.rpartition('/')[2]}",),
                remediation=one["remediation"] if one["outcome"] == "fail" else "",
                link=CHECKOUT.sub("", one["url"]),
            )
        )
    return replace(
        report,
        checked=f"{result['checks']} checks",
        findings=grouped([*found["violated"], *found["advice"]]),
        unrun=grouped(found["unrun"]),
        warnings=(*report.warnings, *_not_checked(result)),
    )


def _not_checked(result: Mapping[str, Any]) -> list[str]:
    rules = result["notChecked"]
    return (
        [f"{plural(len(rules), 'policy')} looked at nothing, as only Pulumi knows it: {', '.join(rules)}"]
        if rules
        else []
    )
