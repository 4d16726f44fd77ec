"""The Job of a sweep: what it asks for, what it refuses, and that it keeps every rule beside the platform's objects."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.kit.cli import main
from toolchain import sweep
from toolchain.kit.console import ToolError
from toolchain.render.render import files

SWEEP = ["--strategy", "ema", "--vary", "fast=2,3,4,5,6,7,8,9,10,11,12", "--vary", "slow=20,30", "--steps", "500"]


def scheduler() -> dict[str, Any]:
    """The pod of the role whose template a sweep takes, as stack prod declares it."""
    [text] = [text for name, text in files("prod").items() if name == "deployment-trading-scheduler.yaml"]
    template: dict[str, Any] = yaml.safe_load(text)["spec"]["template"]["spec"]
    return template


def job(*arguments: str, parts: int = 3, claim: str = "") -> dict[str, Any]:
    """The Job of a sweep, two pods at a time."""
    return sweep.job(scheduler(), [*SWEEP, *arguments], parts, 2, claim)


def test_the_job_keeps_every_rule_of_production(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in files("prod").items():
        (tmp_path / name).write_text(text)
    (tmp_path / "sweep.yaml").write_text(
        yaml.safe_dump(job() | {"metadata": job()["metadata"] | {"namespace": "trading"}})
    )
    assert main(["check", str(tmp_path), "--environment", "prod"]) == 0, capsys.readouterr().out


def test_each_pod_computes_the_part_of_its_index() -> None:
    spec = job()["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 2)
    [container] = spec["template"]["spec"]["containers"]
    assert container["command"][-2:] == ["--shard", "$(JOB_COMPLETION_INDEX)/3"]


def test_a_pod_has_no_credentials() -> None:
    pod = job(claim="bars")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert [set(volume) - {"name"} for volume in pod["volumes"]] == [{"emptyDir"}, {"persistentVolumeClaim"}]
    assert "env" not in pod["containers"][0]


def test_the_same_sweep_has_the_same_name_and_another_has_another() -> None:
    names = [one["metadata"]["name"] for one in (job(), job(), job("--seed", "2"), job(parts=4), job(claim="bars"))]
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_runs_are_shared_ten_a_pod() -> None:
    assert (sweep.parsed(SWEEP, "").runs, sweep.parsed(SWEEP, "").parts) == (22, 3)


@pytest.mark.parametrize(
    ("arguments", "claim", "message"),
    [
        (["--strategy", "ema"], "", "the following arguments are required: --vary"),
        (["--strategy", "ema", "--vary", "fast=99"], "", "fast=99: must be below slow=30"),
        ([*SWEEP, "--shard", "0/2"], "", "--shard and --out of the sweep itself are set here; leave them out"),
        (
            [*SWEEP, "--data", "bars.csv"],
            "",
            "--data bars.csv: no pod has this file; put it on a PersistentVolumeClaim",
        ),
        ([*SWEEP, "--data", "/data/bars.csv"], "", "--data /data/bars.csv: no pod has this file"),
        ([*SWEEP, "--data", "/etc/bars.csv"], "bars", "--data /etc/bars.csv: no pod has this file"),
    ],
)
def test_a_wrong_sweep_is_refused_before_a_cluster_is_asked(arguments: list[str], claim: str, message: str) -> None:
    with pytest.raises(ToolError) as refused:
        sweep.sweep("local", parallel=2, claim=claim, out="", arguments=arguments)
    assert message in str(refused.value)


def test_a_file_on_the_claim_is_taken() -> None:
    assert sweep.parsed([*SWEEP, "--data", "/data/bars.csv"], "bars").parts == 3
