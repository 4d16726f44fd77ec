"""The pack in the real engine: what a person sees at a preview and an update."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugins.harness import Project
from tests.policies.fix_pack import PACK, Packed, violations

pytestmark = pytest.mark.server

Make = Callable[[str], Packed]

SHORT = """
import pulumi_random
pulumi_random.RandomPassword("short", length=8, keepers={"epoch": "1"})
"""
LATER = """
import pulumi_random
length = pulumi_random.RandomInteger("length", min=30, max=30)
pulumi_random.RandomPassword("later", length=length.result, keepers={"epoch": "1"})
"""
SECRET = """
import pulumi, pulumi_random
pulumi_random.RandomPassword("p", length=8, keepers={"epoch": pulumi.Output.secret("hunter2")})
"""


def test_a_violation_fails_the_preview_and_says_the_way_out(packed: Make) -> None:
    outcome = packed(SHORT).preview()
    assert outcome.code != 0
    event = violations(outcome)["credential-length"]
    assert event["enforcementLevel"] == "mandatory"
    assert event["message"].startswith(
        "A generated credential is long enough never to be guessed\n"
        "random:RandomPassword short: length: is below 24; set length: 32 (file://"
    )
    assert "policies.md#credential-length" in outcome.text


def test_a_violation_stops_the_update_before_the_resource_is_made(packed: Make) -> None:
    project = packed(SHORT)
    outcome = project.up()
    assert outcome.code != 0
    assert "random:RandomPassword short: length: is below 24" in outcome.text
    assert project.project.state() == {}


def test_the_configuration_sets_thresholds_and_what_a_violation_does(packed: Make) -> None:
    project = packed(SHORT)
    assert violations(project.preview(credential_length={"length": 8}).ok()) == {}
    outcome = project.preview(credential_length="advisory").ok()
    assert violations(outcome)["credential-length"]["enforcementLevel"] == "advisory"
    assert violations(project.preview(credential_length="disabled").ok()) == {}


def test_a_threshold_of_another_type_is_refused(packed: Make) -> None:
    outcome = packed(SHORT).preview(credential_length={"length": "long"})
    assert outcome.code != 0
    assert "credential-length: length: Invalid type. Expected: integer, given: string" in outcome.text


def test_what_is_not_known_yet_is_told_apart_and_fails_the_preview(packed: Make) -> None:
    project = packed(LATER)
    outcome = project.preview()
    assert outcome.code != 0
    (event,) = violations(outcome).values()
    assert (event["policyName"], event["enforcementLevel"]) == ("could-not-check", "mandatory")
    assert event["message"] == (
        "Every check could be made\nUNKNOWN credential-length: random:RandomPassword later: length: "
        "is not known before the update, so this could not be checked\n"
    )


def test_what_was_not_known_is_checked_at_the_update(packed: Make) -> None:
    project = packed(LATER)
    assert violations(project.preview(could_not_check="advisory").ok()).keys() == {"could-not-check"}
    assert violations(project.up(could_not_check="advisory").ok()) == {}
    project.project.write(LATER.replace("30", "9"))
    assert violations(project.up(could_not_check="advisory")).keys() == {"credential-length"}


def test_no_secret_value_is_in_the_output(packed: Make) -> None:
    outcome = packed(SECRET).preview()
    assert "credential-length" in violations(outcome)
    assert "hunter2" not in outcome.text + repr(outcome.events)


def test_a_pack_that_does_not_load_fails_the_preview_and_says_why(tmp_path: Path) -> None:
    pack = tmp_path / "elsewhere" / "policies"
    shutil.copytree(PACK, pack, ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "project"
    folder.mkdir()
    outcome = Packed(Project(folder, SHORT), pack).preview()
    assert outcome.code != 0
    assert "The 'virtualenv' option in PulumiPolicy.yaml is set to \"" in outcome.text
    assert 'elsewhere/policies/../.venv", but' in outcome.text
