"""`preview`, `drift` and `join`: run what tells, build the report, write it where it is wanted."""

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from components.kit.errors import InvalidArgs
from toolchain.kit.console import ToolError, say
from toolchain.kit.paths import LOCAL, ROOT
from toolchain.platform import stack as stacks
from toolchain.platform.shape import shape
from toolchain.platform.tools import ensure_tools, users_kubeconfig
from toolchain.report import build, engine, failures, files, waivers
from toolchain.report.findings import with_failures, with_policies
from toolchain.report.model import Report, ordered
from toolchain.report.render_markdown import MOST_STACKS, comment
from toolchain.report.render_text import show
from toolchain.report.steps import Step

POLICIES = ROOT / "policies"
AGAINST = "manifests of commit {} against those of the working tree"


class UsageError(ToolError):
    """The command line is wrong, or a file that it names; nothing was run."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where a report goes beside the terminal."""

    markdown: Path | None = None
    json: Path | None = None
    all_fields: bool = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a preview looks at.

    Attributes:
        manifests: compare manifests, even when there is a cluster.
        base: revision to compare manifests with.
        policy_pack: folder of another pack than the project's.
        policies: whether to run them.
        config_file: another configuration of the stack.
    """

    manifests: bool = False
    base: str | None = None
    policy_pack: Path | None = None
    policies: bool = True
    config_file: Path | None = None

    def pack(self) -> Path | None:
        """The folder of the policy pack to run; None for none. Raises `UsageError` for one that is not there."""
        if not self.policies:
            return None
        folder = self.policy_pack or POLICIES
        if not (folder / "PulumiPolicy.yaml").is_file():
            raise UsageError(
                f"--policy-pack = {str(folder)!r}: there is no PulumiPolicy.yaml; name the folder of a pack, or give "
                "--no-policies"
            )
        return folder.resolve()


def preview(stack: str, options: Options, outputs: Outputs) -> int:
    """What `up` would change; returns the exit code.

    Raises:
        UsageError: the stack, an option or a waiver is wrong.
        InvalidArgs: so is waivers.yaml, with every problem.
    """
    _known(stack)
    pack, today = options.pack(), datetime.datetime.now(tz=datetime.UTC).date()
    allowed = _waivers(today)
    try:
        if options.manifests or not _has_cluster():
            report = _from_manifests(stack, options, pack)
        else:
            report = _from_engine(stack, options, pack)
    except InvalidArgs as error:
        refused = failures.refused(stack, str(error))
        report = Report(stack=stack, source="manifests", basis="the committed configuration", failures=(refused,))
    waived = waivers.apply(report.changes, allowed, stack, today)
    report = replace(report, changes=ordered(waived.changes), warnings=(*report.warnings, *waived.warnings))
    return _write(report, outputs)


def _from_engine(stack: str, options: Options, pack: Path | None) -> Report:
    tools = ensure_tools(stack)
    has_state = stack == "local" or stacks.exists(tools, stack)
    if has_state and options.base is not None:
        raise UsageError(f"--base = {options.base!r}: stack {stack} has a state to compare with; add --manifests")
    report = Report(stack=stack, source="preview", basis="the state of the stack against the program")
    if unreached := engine.unreached(tools, stacks.context(stack) if has_state else None):
        return replace(report, failures=(failures.unreachable(stack, unreached),))
    argv = ["pulumi", "preview", "--stack", stack, *_policy_flags(stack, pack)]
    argv += ["--config-file", str(options.config_file.resolve())] if options.config_file else []
    title = f"preview of {stack}"
    if has_state:
        done = engine.run(tools, title, argv, ROOT)
        steps = done.log.steps
    else:
        # on an empty state everything is new, which says nothing of what the change does to what runs elsewhere
        revision, steps, _ = _compared(stack, options)
        with shape(tools, stack) as (here, folder):
            done = engine.run(here, title, argv, folder)
        basis = f"{AGAINST.format(revision[:12])}; program, API and policies looked at all of it, on an empty state"
        report = replace(report, basis=basis)
    report = _planned(report, steps)
    report = with_policies(report, done.log) if pack is not None else report
    return with_failures(report, done.code, done.log, done.printed)


def _policy_flags(stack: str, pack: Path | None) -> list[str]:
    if pack is None:
        return []
    thresholds = pack / "config" / f"{stack}.json"
    return ["--policy-pack", str(pack), *(["--policy-pack-config", str(thresholds)] if thresholds.is_file() else [])]


def _from_manifests(stack: str, options: Options, pack: Path | None) -> Report:
    if options.config_file is not None:
        raise UsageError(
            "--config-file: manifests are those of the committed configuration; leave it out, or use a cluster"
        )
    if not _has_cluster():
        say("no cluster (KUBECONFIG, or make up): comparing manifests")
    revision, steps, rendered = _compared(stack, options)
    basis = f"{AGAINST.format(revision[:12])}, without a cluster"
    report = _planned(Report(stack=stack, source="manifests", basis=basis), steps)
    if pack is None:
        return report
    from toolchain.report.manifest_policies import with_check

    return with_check(report, rendered, pack)


def _planned(report: Report, steps: Sequence[Step]) -> Report:
    return replace(report, changes=build.changes(steps), unchanged=build.unchanged(steps))


def _compared(stack: str, options: Options) -> tuple[str, tuple[Step, ...], dict[str, Any]]:
    """Base revision, the steps from there to the working tree, and the manifests of the latter."""
    # renders the program, for which it brings the whole SDK with it: two seconds
    from toolchain.report import manifests

    try:
        revision = manifests.base_revision(options.base)
    except ToolError as error:
        raise UsageError(str(error)) from None
    rendered = manifests.rendered(stack)
    return revision, manifests.compare(manifests.committed(stack, revision), rendered), rendered


def drift(stack: str, outputs: Outputs) -> int:
    """What the cluster has against what was declared; returns the exit code."""
    _known(stack)
    if not _has_cluster():
        raise ToolError("no cluster: run `make up` first, or set KUBECONFIG to one")
    tools = ensure_tools(stack)
    if not stacks.exists(tools, stack):
        raise UsageError(f"stack {stack} is not in this backend, so nothing is declared; log in to the right one")
    if unreached := engine.unreached(tools, stacks.context(stack)):
        gone = Report(stack=stack, source="drift", basis="nothing", failures=(failures.unreachable(stack, unreached),))
        return _write(gone, outputs)
    argv = ["pulumi", "refresh", "--preview-only", "--stack", stack]
    done = engine.run(tools, f"drift of {stack}", argv, ROOT)
    report = Report(
        stack=stack,
        source="drift",
        basis="old: what `up` declared last; new: what the cluster has",
        changes=build.drift(done.log.steps),
        unchanged=build.unchanged(done.log.steps),
    )
    code = _write(with_failures(report, done.code, done.log, done.printed), outputs)
    if report.changes:
        # who changed a field by hand owns it since, and without force the server refuses to take it back
        command = f"PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh --stack {stack}"
        say(f"to put back what is declared: {command}; to keep a change, declare it")
    return code


def join(paths: Sequence[Path], markdown: Path) -> int:
    """Write one comment from the reports of several stacks; returns 0.

    Raises:
        UsageError: a file is no report.
    """
    try:
        reports = [files.read(path) for path in paths]
    except files.NoReport as error:
        raise UsageError(str(error)) from None
    if len(reports) > MOST_STACKS:
        raise UsageError(f"{len(reports)} reports: a comment has room for {MOST_STACKS}; join fewer")
    _save(markdown, comment(reports))
    return 0


def _known(stack: str) -> None:
    try:
        stacks.config_file(stack)
    except ToolError as error:
        raise UsageError(str(error)) from None


def _has_cluster() -> bool:
    return users_kubeconfig(os.environ) is not None or (LOCAL / "kubeconfig").exists()


def _waivers(today: datetime.date) -> tuple[waivers.Waiver, ...]:
    path = ROOT / waivers.FILE
    return waivers.parse(path.read_text(), stacks.known(), today) if path.is_file() else ()


def _write(report: Report, outputs: Outputs) -> int:
    show(report, Console(), all_fields=outputs.all_fields)
    texts = {outputs.markdown: comment([report]), outputs.json: files.text(report)}
    for path, text in texts.items():
        if path is not None:
            _save(path, text)
    return report.exit


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a path that can be written") from None
