"""Epochs and images are edited in a stack's file without touching anything else of it."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from components.kit.images import LOCAL_REGISTRY
from stacks.config import parse
from toolchain.delivery import release, rotation
from toolchain.delivery.release import Release, last_whole
from toolchain.delivery.stackedit import with_images
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT
from trading.rotation.errors import RotationError
from trading.rotation.stackfile import epochs, with_epoch

STACKS = ("local", "staging", "prod")
IMAGES = {name: f"registry.example.com/t/{name}@sha256:{'ab' * 32}" for name in ("postgres", "redis", "trading")}
KEY = "trading-platform:images"


def text_of(stack: str) -> str:
    return (ROOT / f"Pulumi.{stack}.yaml").read_text()


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    return [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]


@pytest.mark.parametrize("stack", STACKS)
def test_an_epoch_changes_its_line_alone(stack: str) -> None:
    before = text_of(stack)
    old = epochs(before)["redis-app"]
    after = with_epoch(before, "redis-app", old + 1)
    assert changed_lines(before, after) == [(f"    redis-app: {old}", f"    redis-app: {old + 1}")]


def test_a_comment_beside_an_epoch_stays() -> None:
    text = "config:\n  # why\n  trading-platform:credentials:\n    api: 9 # since May\n    redis-app: 1\n"
    assert with_epoch(text, "api", 10) == text.replace("9 #", "10 #")


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RotationError, match=r"KIND = 'mysql': not a credential .* use one of api, jwt, postgres-app"):
        with_epoch(text_of("prod"), "mysql", 2)


@pytest.mark.parametrize("stack", STACKS)
def test_images_are_added_and_replaced_and_nothing_else_changes(stack: str) -> None:
    before = text_of(stack)
    first = with_images(before, IMAGES)
    assert first.startswith(before[: before.index("config:")])
    assert yaml.safe_load(first)["config"][KEY] == IMAGES
    kept = [line for line in first.splitlines() if "@sha256:" not in line and KEY not in line]
    assert kept == before.splitlines()
    newer = {name: reference.replace("ab", "cd") for name, reference in IMAGES.items()}
    second = with_images(first, newer)
    assert yaml.safe_load(second)["config"][KEY] == newer
    assert second == first.replace("abab", "cdcd")


def test_comments_around_pinned_images_stay() -> None:
    text = f"config:\n  {KEY}: # by hand\n    redis: x\n\n  # next\n  trading-platform:protect: true\n"
    after = with_images(text, {"redis": "y", "trading": "z"})
    assert yaml.safe_load(after)["config"] == {KEY: {"redis": "y", "trading": "z"}, "trading-platform:protect": True}
    assert "\n\n  # next\n" in after


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_takes_pinned_images(stack: str) -> None:
    config = yaml.safe_load(with_images(text_of(stack), IMAGES))["config"]
    raw = {key.removeprefix("trading-platform:"): value for key, value in config.items() if "trading-platform" in key}
    secret = {} if stack == "local" else {"registryUsername": "u", "registryPassword": "p"}
    secret |= {"backupS3Key": "k", "backupS3KeySecret": "s"} if stack == "prod" else {}
    assert parse(stack, {"registry": LOCAL_REGISTRY} | raw | secret, set(secret)).images == IMAGES


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a stack's file whose api epoch was committed a year before the others."""
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text("config:\n  trading-platform:credentials:\n    api: 3\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "2020-01-01T00:00:00Z")
    path.write_text(path.read_text() + "    redis-app: 1\n")
    commit(tmp_path, None)
    monkeypatch.setattr(rotation, "config_file", lambda _: path)
    return path


def git(folder: Path, *args: str, date: str | None = None) -> None:
    fixed = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    env = os.environ | ({"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date} if date else {})
    subprocess.run(["git", *fixed, *args], cwd=folder, env=env, check=True)


def commit(folder: Path, date: str | None) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "t", date=date)


def test_due_is_what_has_stood_for_longer_than_the_interval(checkout: Path) -> None:
    assert rotation.propose("prod", "due") == ["Pulumi.prod.yaml: api: epoch 3 -> 4"]
    assert epochs(checkout.read_text()) == {"api": 4, "redis-app": 1}


def test_an_interval_of_its_own_makes_a_kind_due_later(checkout: Path) -> None:
    checkout.write_text(checkout.read_text() + "  trading-platform:rotationDays:\n    api: 36500\n")
    assert rotation.propose("prod", "due") == []


def test_a_second_run_before_the_commit_changes_nothing_more(checkout: Path) -> None:
    rotation.propose("prod", "due")
    assert rotation.propose("prod", "due") == []
    assert epochs(checkout.read_text())["api"] == 4


def test_a_named_kind_is_stepped_whatever_its_age(checkout: Path) -> None:
    assert rotation.propose("prod", "redis-app") == ["Pulumi.prod.yaml: redis-app: epoch 1 -> 2"]


def test_two_steps_at_once_are_refused(checkout: Path) -> None:
    rotation.propose("prod", "redis-app")
    with pytest.raises(ToolError, match="its epoch 2 is not committed yet; commit and deploy it first"):
        rotation.propose("prod", "redis-app")
    assert epochs(checkout.read_text())["redis-app"] == 2


def test_an_unknown_kind_changes_nothing(checkout: Path) -> None:
    before = checkout.read_text()
    with pytest.raises(ToolError, match="KIND = 'x'"):
        rotation.propose("prod", "x")
    assert checkout.read_text() == before


def test_a_clone_without_history_is_refused(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path}", "shallow")
    monkeypatch.setattr(rotation, "config_file", lambda _: tmp_path / "shallow" / checkout.name)
    with pytest.raises(ToolError, match="git fetch --unshallow first"):
        rotation.propose("prod", "due")


def test_a_release_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_text(Release("c" * 40, IMAGES).to_json())
    assert release.read(path) == Release("c" * 40, IMAGES)


@pytest.mark.parametrize(
    ("images", "named"),
    [
        ({**IMAGES, "redis": "registry.example.com/t/redis:latest"}, "images redis"),
        ({name: IMAGES[name] for name in ("postgres", "redis")}, "images trading"),
        ({**IMAGES, "miner": IMAGES["redis"]}, "images miner"),
    ],
)
def test_a_release_names_every_image_by_digest_or_is_refused(
    images: dict[str, str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, file = tmp_path / "release.json", tmp_path / "Pulumi.prod.yaml"
    path.write_text(Release("c" * 40, images).to_json())
    file.write_text("config: {}\n")
    monkeypatch.setattr(release, "config_file", lambda _: file)
    with pytest.raises(ToolError, match=named):
        release.pin("prod", path)
    assert file.read_text() == "config: {}\n"


def test_a_release_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"RELEASE = '.*absent\.json'.*make release"):
        release.read(tmp_path / "absent.json")


def update(**given: object) -> dict[str, object]:
    known = {
        "kind": "update",
        "result": "succeeded",
        "environment": {"git.head": "new"},
        "config": {KEY: {"objectValue": IMAGES}},
    }
    return known | given


@pytest.mark.parametrize(
    "newer",
    [
        update(environment={"git.head": "canary", "pulumi.flag.target": "set"}),
        update(result="failed"),
        update(kind="destroy"),
        update(config={}),
    ],
)
def test_the_release_to_go_back_to_is_a_whole_update_that_succeeded(newer: dict[str, object]) -> None:
    assert last_whole([newer, update(environment={"git.head": "old"})]) == Release("old", IMAGES)


def test_a_stack_without_such_an_update_has_no_release() -> None:
    assert last_whole([update(result="failed")]) is None
