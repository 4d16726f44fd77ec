"""The language host and the random provider under the real CLI."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.plugins.harness import Project, tools

pytestmark = pytest.mark.cluster

EVERYTHING = """
    import pulumi, pulumi_random as random
    keepers = {"epoch": pulumi.Config().get("epoch") or "1"}
    password = random.RandomPassword("password", length=32, override_special="_-", min_upper=3, keepers=keepers)
    random.RandomString("string", length=8, special=False)
    random.RandomBytes("bytes", length=16)
    random.RandomId("id", byte_length=4, prefix="x-")
    random.RandomInteger("integer", min=1, max=10)
    random.RandomUuid("uuid")
    random.RandomUuid4("uuid4")
    random.RandomUuid7("uuid7")
    random.RandomPet("pet", length=3)
    random.RandomShuffle("shuffle", inputs=["a", "b", "c"], result_count=5)
    pulumi.export("password", password.result)
    pulumi.export("hash", password.bcrypt_hash)
"""


def test_random_values_stay_until_their_epoch_changes(tmp_path: Path) -> None:
    project = Project(tmp_path, EVERYTHING)
    assert set(project.preview().ok().ops.values()) == {"create"}
    assert set(project.up().ok().ops.values()) == {"create"}
    first = project.outputs()
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", first["password"])

    assert project.preview("--expect-no-changes").ok().ops == {}
    assert project.refresh("--expect-no-changes").ok().ops.keys() <= project.state().keys()
    assert project.outputs() == first

    project.config("epoch", "2")
    preview = project.preview().ok()
    assert preview.ops == {"password": "replace"}
    assert preview.steps["password"]["keys"] == ["keepers"]
    assert preview.detailed_diff("password") == {"keepers.epoch": "update-replace"}
    assert project.up().ok().ops == {"password": "replace"}
    second = project.outputs()
    assert second["password"] != first["password"]

    state = (tmp_path / "state" / ".pulumi" / "stacks" / "contract" / "dev.json").read_text()
    for secret in (*first.values(), *second.values()):
        assert secret not in state
    resources = project.state()
    assert resources["password"]["id"] == resources["bytes"]["id"] == "none"
    assert resources["pet"]["id"].count("-") == 2

    assert set(project.destroy().ok().ops.values()) == {"delete"}
    assert project.state() == {}


def test_wrong_inputs_fail_the_preview_with_property_value_and_rule(tmp_path: Path) -> None:
    project = Project(
        tmp_path, 'import pulumi_random as random\nrandom.RandomPassword("short", length=2, min_upper=3)\n'
    )
    preview = project.preview()
    assert preview.code != 0
    assert "property length value {2} has a problem: must be at least the sum of the minima" in preview.text
    assert project.state() == {}


def test_a_password_is_imported_and_the_program_that_describes_it_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.up().ok()
    project.import_("random:index/randomPassword:RandomPassword", "old", "sesame-open").ok()
    assert "sesame" not in json.dumps(project.state())
    project.write("""
        import pulumi, pulumi_random as random
        pulumi.export("old", random.RandomPassword("old", length=11).result)
    """)
    assert project.up().ok().ops == {}
    assert project.outputs() == {"old": "sesame-open"}


def test_an_import_by_option_must_match_the_program(tmp_path: Path) -> None:
    project = Project(tmp_path, """
        import pulumi, pulumi_random as random
        random.RandomInteger("port", min=1, max=9, opts=pulumi.ResourceOptions(import_="5,1,9"))
    """)  # fmt: skip
    assert project.up().ok().ops == {"port": "import"}
    assert project.state()["port"]["outputs"]["result"] == 5


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("import pulumi\nraise pulumi.RunError('config is wrong')", "error: config is wrong"),
        ("raise ValueError('boom')", "ValueError: boom"),
        ("import sys\nsys.exit(5)", "exit code: 5"),
    ],
)
def test_a_program_that_fails_fails_the_command_with_its_own_words(tmp_path: Path, program: str, shown: str) -> None:
    preview = Project(tmp_path, program).preview()
    assert preview.code != 0
    assert shown in preview.text
    assert "Traceback" not in preview.text or "boom" in program


def test_output_of_the_program_is_shown(tmp_path: Path) -> None:
    project = Project(tmp_path, "import sys\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\n")
    preview = project.preview().ok()
    assert "to stdout" in preview.diagnostics("info")
    assert "to stderr" in preview.diagnostics("info#err")


def test_config_and_its_secrets_reach_the_program(tmp_path: Path) -> None:
    project = Project(tmp_path, """
        import pulumi
        config = pulumi.Config()
        pulumi.export("plain", config.require_int("count"))
        pulumi.export("hidden", config.require_secret("token"))
        pulumi.export("root", pulumi.runtime.get_root_directory())
    """)  # fmt: skip
    project.config("count", "3")
    project.config("token", "hunter2", "--secret")
    up = project.up().ok()
    assert "hunter2" not in up.text
    assert project.outputs() == {"plain": 3, "hidden": "hunter2", "root": str(tmp_path)}


def test_interrupting_an_update_ends_the_program_and_leaves_no_process(tmp_path: Path) -> None:
    project = Project(tmp_path, """
        import os, pathlib, time
        pathlib.Path("waiting").write_text(str(os.getpid()))
        time.sleep(600)
    """)  # fmt: skip
    command = project.start("up", "--yes", "--skip-preview")
    waiting = tmp_path / "waiting"
    deadline = time.monotonic() + 60
    while not waiting.exists() or not waiting.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    program = Path("/proc", waiting.read_text())
    for _ in range(2):  # the first asks to cancel, the second insists
        os.killpg(command.pid, signal.SIGINT)
        time.sleep(0.5)
    output, _ = command.communicate(timeout=20)
    assert command.returncode != 0
    assert not program.exists()
    assert "Traceback" not in output


def test_a_policy_pack_in_python_stops_the_preview(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "PulumiPolicy.yaml").write_text(
        json.dumps({"runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}})
    )
    (tmp_path / "policies" / "__main__.py").write_text("""
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def long_enough(args, report):
    if args.resource_type == "random:index/randomString:RandomString" and args.props["length"] < 10:
        report("length must be at least 10")

PolicyPack("tiny", policies=[ResourceValidationPolicy(
    name="long-enough", description="strings are long", validate=long_enough,
    enforcement_level=EnforcementLevel.MANDATORY)])
""")
    program = 'import pulumi_random as random\nrandom.RandomString("s", length={})\n'
    project = Project(tmp_path, program.format(8))
    refused = project.preview("--policy-pack", "policies")
    assert refused.code != 0
    assert "length must be at least 10" in refused.text
    project.write(program.format(10))
    assert project.preview("--policy-pack", "policies").ok().ops == {"s": "create"}


def test_about_lists_the_plugins_and_the_packages(tmp_path: Path) -> None:
    about = json.loads(Project(tmp_path).run("about", "--json").ok().text)
    assert {"kubernetes", "random"} <= {plugin["name"] for plugin in about["plugins"]}
    assert about["languageVersion"] if "languageVersion" in about else about["runtime"]["language"] == "python"


def test_installing_again_rewrites_nothing() -> None:
    """Holds for the plugins of the toolchain; the official ones are not installed by it."""
    ours = tools()
    if not ours:
        return
    home = Path(ours["PULUMI_HOME"])
    files = [*home.glob("plugins/*/*"), *Path(ours["PATH"].split(os.pathsep)[0]).iterdir()]
    before = {file: file.lstat().st_mtime_ns for file in files}
    tools.cache_clear()
    tools()
    assert {file: file.lstat().st_mtime_ns for file in files} == before
