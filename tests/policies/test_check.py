"""`python -m policies`: over plain manifests, without Pulumi; and the committed stacks keep every rule."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from policies.kit import docs
from policies.kit.cli import main
from policies.rules import FAMILIES, RULES
from toolchain.kit.paths import ROOT
from toolchain.render.render import files
from toolchain.render.stackfile import stacks

GOOD = Path(__file__).with_name("good.yaml")
BAD = Path(__file__).with_name("corpus") / "internet-tutorial.yaml"


@pytest.mark.parametrize("stack", stacks())
def test_every_committed_stack_keeps_every_rule(stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in files(stack).items():
        (tmp_path / name).write_text(text)
    code = main(["check", str(tmp_path), "--environment", stack])
    assert code == 0, capsys.readouterr().out


def test_a_good_folder_passes_with_a_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.yaml").write_text(GOOD.read_text())
    assert main(["check", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" checks: 0 fail, 0 waived, 0 unknown, 0 broken; 4 rules need Pulumi and were not run")


def test_a_violation_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(BAD)]) == 1
    assert (
        "mandatory  high     image-latest: Deployment default/nginx: spec.template.spec.containers[0].image: "
        "'docker.io/library/nginx' has no tag but latest, which is another image tomorrow; give a tag or a digest"
    ) in capsys.readouterr().out


def test_json_holds_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(BAD), "--json"]) == 1
    made = json.loads(capsys.readouterr().out)
    assert made["failed"] is True
    assert made["counts"]["fail"] == len(made["results"])
    (latest,) = [result for result in made["results"] if result["rule"] == "image-latest"]
    assert latest["object"] == "Deployment default/nginx"
    assert latest["url"].endswith("policies.md#image-latest")


def test_what_only_the_update_tells_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.read_text().replace("image: registry.example.com/shop/web:0123456789ab", "image: '[known after up]'")
    (tmp_path / "m.yaml").write_text(text)
    assert main(["check", str(tmp_path)]) == 1
    assert "unknown    high     image-latest: Deployment shop/web:" in capsys.readouterr().out


def test_a_waiver_that_waives_nothing_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.read_text().replace(
        "annotations: {team: shop}", "annotations: {policies.trading/waive: 'zone-spread: x'}"
    )
    (tmp_path / "m.yaml").write_text(text)
    assert main(["check", str(tmp_path)]) == 0
    assert "waiver of zone-spread on Deployment shop/web waives nothing here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is no YAML, line"),
        ("a: 1", "a document has no apiVersion and kind"),
        ("- a", "a document has no apiVersion and kind"),
    ],
)
def test_what_cannot_be_read_is_exit_2(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.yaml").write_text(text)
    assert main(["check", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_path_or_environment_that_is_not_there_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none")]) == 2
    assert "none: there is no such file or folder" in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 2
    assert "holds no manifest" in capsys.readouterr().err
    assert main(["check", str(GOOD), "--environment", "production"]) == 2
    assert "there is no production.json; use one of local, prod, staging" in capsys.readouterr().err


def test_the_command_line_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "policies", "rules"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == len(RULES)


def test_checking_manifests_imports_nothing_of_pulumi() -> None:
    code = f"import sys; from policies.kit.cli import main; main(['check', {str(GOOD)!r}]); print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pulumi" not in done.stdout.splitlines()[-1]


def test_the_documentation_of_the_rules_is_current() -> None:
    assert docs.PAGE.read_text() == docs.page({**FAMILIES, "Exceptions": (RULES["waivers"],)}), (
        "run: python -m policies docs"
    )
