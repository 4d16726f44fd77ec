"""The manifests of a stack, as checkov and kube-score see them. Neither asks anything of the network."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolchain import go
from toolchain.checks import report
from toolchain.checks.report import Finding
from toolchain.checks.scanners import scanner
from toolchain.kit.console import ToolError
from toolchain.kit.paths import LOCAL

ALL_WELL = 10  # kube-score's best grade; a warning is 5


def check(stack: str, tool: str) -> str:
    """Render the stack and check it; returns a closing line. Raises `ToolError` with what nobody waived."""
    from toolchain.render.render import files, write  # here: it takes seconds, and checks of workflows do without

    folder = LOCAL / "render" / stack
    write(files(stack), folder, clear=True)
    findings = TOOLS[tool](folder)
    return report.conclude(tool, findings, f"stack {stack}, {len(list(folder.iterdir()))} manifests")


def checkov(folder: Path) -> list[Finding]:
    """What checkov finds in the folder of manifests."""
    # from inside the folder: of a path it leaves out what lies below a hidden folder, as .local is
    argv: list[str | Path] = [scanner("checkov"), "--directory", ".", "--framework", "kubernetes", "--skip-download"]
    text = output("checkov", [*argv, "--output", "json", "--quiet", "--compact"], folder)
    return from_checkov(loaded("checkov", text))


def from_checkov(result: Any) -> list[Finding]:  # noqa: ANN401  JSON
    """The failed checks of checkov's JSON. Raises `ToolError` when nothing was checked or a file was not understood."""
    summary = result.get("summary", {}) if isinstance(result, dict) else {}
    if not summary.get("passed") or summary.get("parsing_errors"):
        raise ToolError(f"checkov: it did not check the manifests: {json.dumps(summary)}")
    return [
        Finding(failed["check_id"], resource(failed["resource"]), failed["check_name"])
        for failed in result["results"]["failed_checks"]
    ]


def resource(name: str) -> str:
    """`Kind/name` from checkov's `Kind.namespace.name`; a pod template is named with its owner."""
    parts = name.split(".")
    return f"{parts[0]}/{parts[-1]}" if len(parts) < 4 else f"{parts[0]}/{'.'.join(parts[2:])}"


def kube_score(folder: Path) -> list[Finding]:
    """What kube-score finds in the folder of manifests, warnings included."""
    program = go.ensure(["kube-score"]) / "kube-score"
    argv: list[str | Path] = [
        program,
        "score",
        "--output-format",
        "json",
        "--kubernetes-version",
        "v1.34",
        *sorted(folder.iterdir()),
    ]
    return from_kube_score(loaded("kube-score", output("kube-score", argv, folder)))


def from_kube_score(result: Any) -> list[Finding]:  # noqa: ANN401  JSON
    """Each comment of a check that is not passed. Raises `ToolError` when nothing was checked."""
    if not result:
        raise ToolError("kube-score: it did not check the manifests")
    found = []
    for scored in result:
        where = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
        for check_ in scored["checks"]:
            if not check_["skipped"] and check_["grade"] < ALL_WELL:
                found += [Finding(check_["check"]["id"], where, comment_text(c)) for c in check_["comments"] or [{}]]
    return found


def comment_text(comment: Mapping[str, str]) -> str:
    """One line of a comment of kube-score."""
    return " ".join(filter(None, (comment.get("path"), comment.get("summary"))))


def output(name: str, argv: list[str | Path], cwd: Path) -> str:
    """Standard output of a tool that ends with 1 when it found something. Raises `ToolError` for any other failure."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise ToolError(f"{name} failed with exit code {done.returncode}:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def loaded(name: str, text: str) -> Any:  # noqa: ANN401  JSON
    """JSON, or `ToolError` with the beginning of what the tool said instead."""
    try:
        return json.loads(text)
    except ValueError:
        raise ToolError(f"{name}: its answer is not JSON: {text[:500]!r}") from None


TOOLS = {"checkov": checkov, "kube-score": kube_score}
