"""Findings, waivers, and what each scanner's answer is taken for; the scanners themselves run in test_scanners.py."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.checks import bill, manifests, packages, report, secrets, workflows
from toolchain.checks.__main__ import run_all
from toolchain.checks.report import WAIVERS, Finding, Waiver, judge
from toolchain.kit.console import NotAsked, ToolError, main_guard

FOUND = Finding("R1", "Deployment/api", "it is wrong")
REASON = "it is right for a reason of five words"


def waiver(rule: str = "R1", where: str = "Deployment/*", tool: str = "t") -> Waiver:
    return Waiver(tool=tool, rule=rule, where=where, reason=REASON)


def test_a_finding_that_nobody_waived_is_told() -> None:
    assert judge("t", [FOUND], []) == ["t: R1 Deployment/api: it is wrong"]


def test_a_waiver_covers_its_rule_in_its_place_for_its_tool() -> None:
    assert judge("t", [FOUND], [waiver()]) == []
    for other in (waiver(rule="R2"), waiver(where="StatefulSet/*"), waiver(tool="u")):
        assert "t: R1 Deployment/api: it is wrong" in judge("t", [FOUND], [other])


def test_a_waiver_that_covers_nothing_is_told() -> None:
    assert judge("t", [], [waiver()]) == ["t: R1 Deployment/*: nothing needs this waiver; remove it"]
    assert judge("t", [], [waiver(tool="u")]) == []


def test_the_committed_waivers_are_whole() -> None:
    assert len(report.read()) > 5


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('rule = "R"\nwhere = "*"', "reason: the keys are rule, where, reason"),
        ('rule = "R"\nwhere = "*"\nreason = "ok"', "reason = 'ok': say in a sentence"),
        ('rule = "R"\nwhere = "*"\nreason = "a b c d e"\nuntil = "2030"', "until: the keys are"),
    ],
)
def test_a_waiver_without_a_reason_is_refused(entry: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").write_text(f"[[checkov]]\n{entry}\n")
    with pytest.raises(ToolError, match=rf"waivers\.toml: \[\[checkov\]\] rule = 'R': {message}"):
        report.read(tmp_path / "waivers.toml")


def test_every_waiver_is_of_a_tool_that_reads_it() -> None:
    assert {each.tool for each in report.read()} <= {"checkov", "kube-score", "gitleaks", "pip-audit", "grype"}
    assert WAIVERS.is_file()


def test_checkov_names_the_object_of_a_failed_check() -> None:
    failed = {"check_id": "CKV_K8S_9", "check_name": "Readiness", "resource": "StatefulSet.trading.redis"}
    result = {"summary": {"passed": 3, "parsing_errors": 0}, "results": {"failed_checks": [failed]}}
    assert manifests.from_checkov(result) == [Finding("CKV_K8S_9", "StatefulSet/redis", "Readiness")]


@pytest.mark.parametrize(
    "result", [{}, [], {"summary": {"passed": 0}}, {"summary": {"passed": 9, "parsing_errors": 1}}]
)
def test_a_checkov_that_checked_nothing_is_no_pass(result: object) -> None:
    with pytest.raises(ToolError, match="did not check the manifests"):
        manifests.from_checkov(result)


def test_kube_score_tells_warnings_too_and_leaves_out_what_it_skipped() -> None:
    def check(rule: str, grade: int, *, skipped: bool = False) -> dict[str, object]:
        return {"check": {"id": rule}, "grade": grade, "skipped": skipped, "comments": [{"path": "c", "summary": "s"}]}

    scored = {
        "type_meta": {"kind": "Deployment"},
        "object_meta": {"name": "api"},
        "checks": [check("bad", 1), check("warned", 5), check("well", 10), check("not for it", 0, skipped=True)],
    }
    found = manifests.from_kube_score([scored])
    assert found == [Finding("bad", "Deployment/api", "c s"), Finding("warned", "Deployment/api", "c s")]
    with pytest.raises(ToolError, match="did not check"):
        manifests.from_kube_score([])


def test_a_known_vulnerability_is_a_finding_with_its_way_out() -> None:
    vulnerable = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    answer = json.dumps({"dependencies": [vulnerable, {"name": "b", "version": "1", "vulns": []}]})
    assert packages.from_pip_audit(answer, "") == ([Finding("PYSEC-1", "a", "a 1; fixed in 2")], [])


def test_a_package_about_which_there_was_no_answer_is_no_pass() -> None:
    answer = json.dumps({"dependencies": [{"name": "b", "skip_reason": "not found"}]})
    assert packages.from_pip_audit(answer, "") == ([], ["b"])
    assert "knows nothing of a, b, c, d, e and 2 more" in packages.not_answered(list("abcdefg"))


@pytest.mark.parametrize("answer", ["", "<html>", '{"dependencies": []}'])
def test_no_answer_at_all_is_no_pass(answer: str) -> None:
    with pytest.raises(NotAsked):
        packages.from_pip_audit(answer, "connection refused")


def test_a_find_of_gitleaks_is_told_without_the_secret() -> None:
    find = {"RuleID": "k", "File": "a.py", "StartLine": 3, "Commit": "0123456789abcdef", "Secret": "hunter2"}
    [found] = secrets.from_gitleaks([find])
    assert found == Finding("k", "a.py", "line 3 of commit 0123456789ab")


def test_only_severe_matches_of_grype_count() -> None:
    def match(severity: str) -> dict[str, object]:
        fix = {"versions": ["3.2"]}
        return {
            "vulnerability": {"id": severity, "severity": severity, "fix": fix},
            "artifact": {"name": "l", "version": "3"},
        }

    found = bill.from_grype("redis", {"matches": [match("Low"), match("High"), match("Critical")]})
    assert found == [
        Finding("High", "redis/l", "l 3; high, fixed in 3.2"),
        Finding("Critical", "redis/l", "l 3; critical, fixed in 3.2"),
    ]


def fails(error: ToolError) -> Callable[[], str]:
    def check() -> str:
        raise error

    return check


def test_every_check_runs_also_after_one_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    checks = {"a": fails(ToolError("a is wrong")), "b": fails(NotAsked("b is away")), "c": lambda: "c is well"}
    with pytest.raises(ToolError, match="found something: a; could not be asked: b") as failed:
        run_all(checks)
    assert failed.value.exit_code == 1
    assert capsys.readouterr() == ("c is well\n", "error: a is wrong\nerror: b is away\n")


def test_a_service_that_was_not_reached_has_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main_guard(lambda: run_all({"a": lambda: "well", "b": fails(NotAsked("b is away"))}))
    assert end.value.code == 3
    assert "could not be asked: b; the others found nothing" in capsys.readouterr().err


def test_the_shell_scripts_of_the_repository_are_known_by_their_first_line() -> None:
    assert {".ci/run", "toolchain/bootstrap.sh"} <= set(workflows.scripts())
    assert not [name for name in workflows.scripts() if name.endswith(".py")]
