"""Recorded runs of the engine, read as reports."""

import json
import re

import pytest

from tests.report.logs import FOLDER, drift, report
from toolchain.report import build, events, failures
from toolchain.report.findings import with_policies
from toolchain.report.model import Exit, Level, Report, count_line, verdict


def test_an_update_with_a_rotation_and_policies() -> None:
    made = report("update", code=1)
    found = {(change.operation, change.object): change.level for change in made.changes}
    assert found[("update", "Deployment/trading-feed")] == Level.DOWNTIME
    assert found[("update", "StatefulSet/postgres")] == Level.FAILOVER
    assert found[("update", "Deployment/trading-engine")] == Level.ROLLING_RESTART
    assert found[("replace", "RandomPassword/credentials-postgres-app-a")] == Level.SAFE
    assert made.changes[0].level == Level.DOWNTIME, "the most dangerous one stands on top"
    assert made.failures == (), "violations are told by themselves"
    assert made.exit == Exit.POLICY
    assert {finding.policy for finding in made.findings} == {"two-pods", "whole", "good-names"}
    assert [finding.policy for finding in made.unrun] == ["reads-unknown"], "and it fails, though it is only advisory"
    assert verdict(made) == "blocked: 2 policies violated, 1 policy could not run"
    assert count_line(made).endswith("4 policies: 2 violated, 1 with advice, 1 could not run")


def test_fields_of_a_change_are_those_of_the_diff() -> None:
    settings = next(c for c in report("update").changes if c.object == "ConfigMap/postgres-settings")
    [dynamic] = [field for field in settings.fields if "dynamic.json" in field.path]
    assert '+      "max_connections": 60,' in dynamic.diff
    engine = next(c for c in report("update").changes if c.object == "Deployment/trading-engine")
    first = engine.fields[0]
    assert first.path == "spec.template.spec.containers[engine].env[TRADING_LOG_LEVEL].value"
    assert (first.old, first.new) == ("INFO", "DEBUG")


def test_a_protected_object_is_explained_and_what_forces_its_replacement_is_shown() -> None:
    made = report("protected", code=1)
    [failure] = made.failures
    assert failure.what == "StatefulSet postgres-members-set is protected, and this change would delete or replace it"
    assert "pulumi state unprotect" in failure.fix
    first = made.changes[0]
    assert (first.object, first.operation, first.blocks) == ("StatefulSet/postgres", "replace", True)
    [forcing] = [field for field in first.fields if field.replaces]
    assert forcing.path == "spec.volumeClaimTemplates[data].spec.resources.requests.storage"
    assert made.exit == Exit.FAILED


def test_a_cluster_that_the_engine_did_not_see_fails_the_preview() -> None:
    made = report("unreachable")
    assert made.exit == Exit.FAILED
    assert "the Kubernetes API is not reached" in made.failures[0].what


def test_a_pack_that_does_not_load_is_named_with_its_own_error() -> None:
    printed = 'error: policy pack "/project/badpack" failed to start: could not read plugin: exit status 1'
    [failure] = report("broken-pack", code=255, printed=printed).failures
    why = "ModuleNotFoundError: No module named 'nothere'"
    assert failure.what == f"the policy pack /project/badpack does not load: {why}"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        (
            "the configuration of stack prod is refused:\nredis.sentinels = 4: must be odd; give 3",
            "the configuration of stack prod is refused:\nredis.sentinels = 4: must be odd; give 3",
            "",
        ),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'", "KeyError: 'a'", ""),
        (
            "dial tcp 10.0.0.1:443: i/o timeout",
            "the Kubernetes API is not reached: dial tcp 10.0.0.1:443: i/o timeout",
            "--",
        ),
        ("no stack named 'prod' found", "stack prod is not in this backend", "pulumi stack init prod"),
        ("the server says: Unauthorized", "the Kubernetes API refuses the credentials: the server says", "kubeconfig"),
    ],
)
def test_a_failure_is_one_message_with_a_way_out(text: str, what: str, fix: str) -> None:
    event = {"diagnosticEvent": {"severity": "error", "message": text, "urn": ""}}
    [failure] = failures.explain("prod", events.parse([json.dumps(event)]), "")
    assert failure.what.startswith(what)
    assert fix in failure.fix


def test_a_failure_before_the_engine_starts_is_read_from_what_the_cli_printed() -> None:
    [failure] = failures.explain("prod", events.parse([]), "Previewing\nerror: something is odd\n  really")
    assert failure.what == "something is odd\n  really"
    assert failures.explain("prod", events.parse([]), "")[0].what == "the engine ended without a message"


def test_a_policy_that_ends_with_an_error_does_not_tell_what_it_saw() -> None:
    [failure] = report("broken-policy", code=1).failures
    assert failure.what == "a policy ended with an error at Namespace network-namespace"
    assert "kaputt" not in repr(failure)


def test_drift_is_told_by_object_and_field() -> None:
    made = drift("drift")
    assert [(change.object, change.operation) for change in made.changes] == [
        ("Service/trading-api", "delete"),
        ("ConfigMap/redis-config", "update"),
        ("Secret/credentials-api", "update"),
        ("Secret/credentials-redis-app", "update"),
        ("Deployment/trading-api", "update"),
    ]
    [replicas] = made.changes[-1].fields
    assert (replicas.path, replicas.old, replicas.new) == ("spec.replicas", "1", "2")
    assert made.exit == Exit.DRIFT
    assert verdict(made) == "drift: 5 objects differ from what the program declared"


def test_an_operation_that_nobody_knows_counts_as_a_change() -> None:
    step = {
        "op": "levitate",
        "urn": "urn:pulumi:s::p::kubernetes:core/v1:Service::x",
        "type": "kubernetes:core/v1:Service",
    }
    [change] = build.changes(events.parse([json.dumps({"resOutputsEvent": {"metadata": step}})]).steps)
    assert change.operation == "update"


def test_a_log_that_was_cut_off_is_read_up_to_there() -> None:
    lines = (FOLDER / "drift.jsonl").read_text().splitlines()
    cut = [*lines[:40], lines[40][:30]]
    assert len(events.parse(cut).steps) == len(events.parse(lines[:40]).steps)
    assert not events.parse(cut).whole
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        events.parse([lines[0][:30], *lines])


def test_the_packs_own_messages_are_taken_apart() -> None:
    text = "What should be\nService trading/api: spec.ports: is not named; name it (https://docs.example.com/p#ports)"
    made = policy_report("service-ports", "mandatory", text)
    [finding] = made.findings
    assert finding.objects == ("Service/api",)
    assert finding.message == "spec.ports: is not named"
    assert (finding.remediation, finding.link) == ("name it", "https://docs.example.com/p#ports")


def test_a_check_that_could_not_be_made_fails_and_names_its_rule() -> None:
    made = policy_report(
        "could-not-check", "mandatory", "Every check could be made\nUNKNOWN pod-ports: Service x: later"
    )
    assert [finding.policy for finding in made.unrun] == ["pod-ports"]
    assert made.findings == ()
    waived = policy_report("waived", "advisory", "A finding was waived\nWAIVED pod-ports: Service x: (waived: why)")
    assert [(f.policy, f.mandatory) for f in waived.findings] == [("pod-ports", False)]


def policy_report(policy: str, level: str, message: str) -> Report:
    """The report of a plan in which one policy speaks of one Service."""
    urn = "urn:pulumi:s::p::kubernetes:core/v1:Service::program-name"
    state = {"inputs": {"metadata": {"name": "api"}}}
    step = {"op": "same", "urn": urn, "type": "kubernetes:core/v1:Service", "old": state, "new": state}
    event = {"resourceUrn": urn, "message": message, "policyName": policy, "policyPackName": "pack"}
    lines = [{"resOutputsEvent": {"metadata": step}}, {"policyEvent": event | {"enforcementLevel": level}}]
    recorded = events.parse(json.dumps(line) for line in lines)
    return with_policies(Report(stack="s", source="preview", basis=""), recorded)


def test_every_recorded_log_is_free_of_the_machine() -> None:
    logs = list(FOLDER.glob("*.jsonl"))
    assert logs
    for path in logs:
        assert not re.search(r"/(home|root|Users)/", path.read_text()), path.name
