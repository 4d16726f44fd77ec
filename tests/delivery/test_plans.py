"""Plans: what pulumi is asked for, and that the rest of a plan leaves the canary alone."""

import json
import sys
from pathlib import Path

import pytest

from toolchain.delivery import plans
from toolchain.kit.console import ToolError
from toolchain.platform.tools import Tools

API = "urn:pulumi:prod::trading-platform::trading:trading:Trading$kubernetes:apps/v1:Deployment::trading-api"
ENGINE = API.replace("trading-api", "trading-engine")
WHOLE = {"manifest": {}, "resourcePlans": {urn: {"goal": {}, "steps": ["update"]} for urn in (API, ENGINE)}}
PULUMI = f"""#!{sys.executable}
import json, pathlib, sys
pathlib.Path("calls").open("a").write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "stack":
    print(pathlib.Path("state").read_text())
if "--save-plan" in sys.argv:
    pathlib.Path(sys.argv[sys.argv.index("--save-plan") + 1]).write_text('{json.dumps(WHOLE)}')
"""


class Here(Tools):
    """Tools whose pulumi writes down what it was asked, in the folder it is run in."""

    folder: Path

    def run(self, *argv: str, cwd: Path = Path(), quiet: bool = False) -> int:
        return super().run(*argv, cwd=self.folder, quiet=quiet)

    def output(self, *argv: str, cwd: Path = Path()) -> str:
        return super().output(*argv, cwd=self.folder)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", str(pulumi.parent))
    monkeypatch.setattr(Here, "folder", tmp_path, raising=False)
    state(tmp_path, API, ENGINE)
    return Here(env={"PATH": str(pulumi.parent)}, own_cluster=True)


def state(folder: Path, *urns: str) -> None:
    resources = {"resources": [{"urn": urn} for urn in urns]} if urns else {}
    (folder / "state").write_text(json.dumps({"deployment": resources}))


def test_the_rest_is_the_plan_without_the_canary() -> None:
    rest = plans.without(WHOLE, plans.DEPLOYMENT)
    assert rest["resourcePlans"] == {API: {"goal": {}, "steps": ["same"]}, ENGINE: {"goal": {}, "steps": ["update"]}}
    assert WHOLE["resourcePlans"] == {urn: {"goal": {}, "steps": ["update"]} for urn in (API, ENGINE)}


def test_a_canary_is_planned_applied_and_left_out_of_the_rest(tools: Here, tmp_path: Path) -> None:
    folder = tmp_path / "plans"
    assert plans.plan(tools, "prod", folder) == 0
    assert plans.apply_canary(tools, "prod", folder) == 0
    assert plans.apply_rest(tools, "prod", folder) == 0
    canary, rest = tools.calls[-2:]
    assert canary.endswith(f"--plan {folder}/canary.json --target **Deployment::trading-api")
    assert rest.endswith(f"--plan {folder}/rest.json")
    assert json.loads((folder / "rest.json").read_text())["resourcePlans"][API]["steps"] == ["same"]


def test_the_first_update_has_no_canary_and_leaves_nothing_out(
    tools: Here, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(tmp_path)
    folder = tmp_path / "plans"
    assert plans.plan(tools, "prod", folder) == 0
    assert plans.apply_canary(tools, "prod", folder) == 0
    assert "no users for a canary to warn about" in capsys.readouterr().err
    assert plans.apply_rest(tools, "prod", folder) == 0
    assert json.loads((folder / "rest.json").read_text()) == WHOLE


def test_a_new_plan_leaves_nothing_of_the_one_before(tools: Here, tmp_path: Path) -> None:
    folder = tmp_path / "plans"
    plans.plan(tools, "prod", folder)
    state(tmp_path)
    plans.plan(tools, "prod", folder)
    assert [path.name for path in folder.iterdir()] == ["whole.json"]


@pytest.mark.parametrize("apply", [plans.apply_canary, plans.apply_rest])
def test_without_a_plan_nothing_is_applied(apply: object, tools: Here, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"whole\.json: there is no such plan; run `make plan` first"):
        apply(tools, "prod", tmp_path / "absent")  # type: ignore[operator]
    assert not (tmp_path / "calls").exists()
