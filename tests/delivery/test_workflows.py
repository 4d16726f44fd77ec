"""Workflows call what people call, may do no more than they must, and take nothing that can change under them."""

import re
from typing import Any

import pytest

from tests.delivery.workflows import Job, files, jobs, load, runs, workflow, workflow_files
from toolchain.kit.paths import ROOT
from trading.rotation.stackfile import epochs

ALL = list(jobs())
TARGETS = {".venv/.ready", *re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
CALL = re.compile(r"\bmake (?:-C \S+ |--\S+ )*([a-z.][\w./-]*)")
WRITERS = {
    "images/attest": {"id-token", "attestations"},
    "nightly/issue": {"issues"},
    "preview/comment": {"pull-requests"},
    "rotation/propose": {"contents", "pull-requests"},
}


def titles(found: list[Job]) -> list[str]:
    return [job.title for job in found]


def triggers(content: dict[str, Any]) -> set[str]:
    on = content["on"]
    return {on} if isinstance(on, str) else set(on)


def test_there_is_a_workflow_for_each_step_of_the_way() -> None:
    names = {path.stem for path in workflow_files()}
    assert names >= {
        "ci",
        "preview",
        "security",
        "images",
        "deploy-staging",
        "deploy-prod",
        "nightly",
        "rotation",
    }


def test_every_make_target_of_a_workflow_exists() -> None:
    calls = [(where, target) for where, text in runs() for target in CALL.findall(text)]
    assert len(calls) > 20
    assert [call for call in calls if call[1] not in TARGETS] == []


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Any) -> None:  # noqa: ANN401  a Path of the list
    lines = [line.strip() for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)]
    loose = [
        line
        for line in lines
        if "uses: ./" not in line and not re.fullmatch(r"(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    ]
    assert loose == []


def test_an_action_has_one_version_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in files():
        for name, version in re.findall(r"uses: ([\w./-]+)@(\w+ # v[\d.]+)", path.read_text()):
            pins.setdefault(name, set()).add(version)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", workflow_files(), ids=lambda path: path.stem)
def test_a_workflow_has_no_permission_but_those_of_its_jobs(path: Any) -> None:  # noqa: ANN401  a Path of the list
    content = load(path)
    assert content["permissions"] == {}
    assert all("permissions" in job for job in content["jobs"].values())


def test_only_the_jobs_that_are_known_to_write_can_write() -> None:
    writers = {
        job.title: {name for name, level in job.content["permissions"].items() if level == "write"}
        for job in ALL
        if "steps" in job.content
    }
    assert {title: names for title, names in writers.items() if names} == WRITERS


def test_a_job_that_writes_a_pull_request_or_an_issue_runs_nothing_of_a_branch() -> None:
    for title in ("preview/comment", "nightly/issue"):
        [job] = [each for each in ALL if each.title == title]
        assert not [step for step in job.steps if "checkout" in step.get("uses", "")]
        assert "secrets." not in str(job.content)


@pytest.mark.parametrize("trigger", ["pull_request_target", "workflow_run", "issue_comment"])
def test_no_workflow_hands_its_rights_to_the_code_of_a_stranger(trigger: str) -> None:
    assert [path.name for path in workflow_files() if trigger in triggers(load(path))] == []


def test_what_a_fork_can_start_has_no_secret() -> None:
    reachable = [job for job in ALL if triggers(job.workflow) & {"pull_request", "merge_group"}]
    assert len(reachable) > 5
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    holding = [job for job in reachable if "secrets." in str(job.content)]
    assert titles([job for job in holding if job.content.get("if") != own]) == []
    assert titles([job for job in holding if "environment" not in job.content]) == []


def test_a_job_with_secrets_belongs_to_an_environment() -> None:
    holding = [job for job in ALL if "secrets." in str(job.content) and "uses" not in job.content]
    assert titles([job for job in holding if "environment" not in job.content]) == []


def test_no_script_contains_what_somebody_else_wrote() -> None:
    """An expression in a script is pasted as text; a title of a pull request would be run."""
    assert [where for where, text in runs() if "${{" in text] == []


def test_no_checkout_leaves_a_token_behind() -> None:
    steps = [(job.title, step) for job in ALL for step in job.steps if "actions/checkout@" in step.get("uses", "")]
    assert [title for title, step in steps if step.get("with", {}).get("persist-credentials") is not False] == []


def test_every_job_ends_in_time_and_every_deployment_waits_for_the_one_before() -> None:
    assert titles([job for job in ALL if "steps" in job.content and "timeout-minutes" not in job.content]) == []
    for name in ("deploy-staging", "deploy-prod"):
        assert workflow(name)["concurrency"] == {"group": name, "cancel-in-progress": False}


def test_prod_gets_nothing_that_was_not_verified_planned_and_approved() -> None:
    prod = workflow("deploy-prod")["jobs"]
    assert prod["plan"]["needs"] == "verify"
    assert prod["deploy"]["needs"] == ["verify", "plan"]
    assert prod["deploy"]["environment"] == "prod"
    text = str(prod["deploy"]["steps"])
    order = ["make pin", "PART=canary", "make canary", "make smoke", "PART=rest", "make -C previous deploy"]
    assert [text.index(step) for step in order] == sorted(text.index(step) for step in order)
    assert "make release" not in str(prod)


def test_each_credential_can_be_rotated_by_hand() -> None:
    kinds = epochs((ROOT / "Pulumi.prod.yaml").read_text())
    assert workflow("rotation")["on"]["workflow_dispatch"]["inputs"]["kind"]["options"] == ["due", *sorted(kinds)]


def test_only_jobs_that_publish_nothing_use_a_cache() -> None:
    cached = {job.title for job in ALL if "actions/cache@" in str(job.content)}
    assert cached == {"ci/full"}
