"""A rotation ends right from wherever it is started again, steps each epoch once, and refuses what would do harm."""

from pathlib import Path

import pytest

from tests.rotation.fake import Api, Crash, rotator, stack_file
from trading.rotation.errors import RotationError
from trading.rotation.journal import decode, unfinished
from trading.rotation.kinds import GROUPS, KINDS
from trading.rotation.stackfile import epochs

DATABASE = GROUPS["database"]
EFFECTS = 6
"""begun, the file, bumped, up, applied, done."""


def actions(api: Api) -> list[str]:
    links = decode(api.objects["configmap/credential-rotation"]["data"]["log"])
    return [link.entry.action.removeprefix("rotation.") for link in links]


def test_a_rotation_takes_every_phase_once(tmp_path: Path) -> None:
    api = Api()
    file = stack_file(tmp_path, api)
    rotator(file).run(DATABASE)
    assert api.effects == [
        "create configmap",
        "file",
        "replace configmap",
        "up",
        "replace configmap",
        "replace configmap",
    ]
    assert actions(api) == ["begun", "bumped", "applied", "done"]
    assert epochs(file.read()) == {kind: 2 if kind in DATABASE else 1 for kind in KINDS} == api.secrets
    assert all(pod.get("postgres-app", 2) == 2 for pod in api.pods.values())
    assert "# of the tests" in file.read()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, EFFECTS + 1))
def test_killed_at_any_moment_it_ends_right_when_run_again(number: int, after: bool, tmp_path: Path) -> None:
    api = Api(crash_at=number, after=after)
    file = stack_file(tmp_path, api)
    with pytest.raises(Crash):
        rotator(file).run(DATABASE)
    if not (number == EFFECTS and after):  # then it was done, and only its goodbye is missing
        rotator(file).run(DATABASE)
    assert api.secrets["postgres-app"] == epochs(file.read())["postgres-app"] == 2
    assert actions(api) == ["begun", "bumped", "applied", "done"]
    assert api.effects.count("up") == 1


@pytest.mark.parametrize("number", range(1, 2 * EFFECTS))
def test_a_killed_retirement_takes_two_steps_and_no_more(number: int, tmp_path: Path) -> None:
    api = Api(crash_at=number)
    file = stack_file(tmp_path, api)
    with pytest.raises(Crash):
        rotator(file).run(("jwt",), retire=True)
    rotator(file).run(("jwt",), retire=True)
    assert api.secrets["jwt"] == epochs(file.read())["jwt"] == 3
    assert api.pods["trading-api-x"]["jwt"] == 3


def test_it_is_finished_from_a_checkout_that_does_not_have_the_new_epoch(tmp_path: Path) -> None:
    api = Api(crash_at=4, after=True)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    other = stack_file(second, api)
    with pytest.raises(Crash):
        rotator(stack_file(first, api)).run(DATABASE)
    rotator(other).run(DATABASE)
    assert epochs(other.read())["postgres-app"] == api.secrets["postgres-app"] == 2


def test_an_epoch_raised_by_a_reviewed_change_is_not_raised_again(tmp_path: Path) -> None:
    api = Api()
    file = stack_file(tmp_path, api)
    file.path.write_text(file.read().replace("redis-app: 1", "redis-app: 2"))
    rotator(file).run(("redis-app",))
    assert api.secrets["redis-app"] == epochs(file.read())["redis-app"] == 2
    assert "file" not in api.effects


def test_going_back_restores_the_epoch_before(tmp_path: Path) -> None:
    api = Api()
    file = stack_file(tmp_path, api)
    rotator(file).run(("redis-app",))
    rotator(file).run(("redis-app",), rollback=True)
    assert api.secrets["redis-app"] == epochs(file.read())["redis-app"] == 1
    with pytest.raises(RotationError, match="epoch 1 is the first"):
        rotator(file).run(("redis-app",), rollback=True)


def test_a_second_step_back_is_refused_since_that_password_is_gone(tmp_path: Path) -> None:
    api = Api()
    file = stack_file(tmp_path, api)
    for _ in range(2):
        rotator(file).run(("api",))
    rotator(file).run(("api",), rollback=True)
    with pytest.raises(RotationError, match="the last rotation was a step back"):
        rotator(file).run(("api",), rollback=True)
    assert api.secrets["api"] == 2


@pytest.mark.parametrize("number", range(2, EFFECTS + 1))
def test_what_has_stopped_is_taken_back_from_any_phase(number: int, tmp_path: Path) -> None:
    api = Api(crash_at=number)
    file = stack_file(tmp_path, api)
    with pytest.raises(Crash):
        rotator(file).run(DATABASE)
    rotator(file).run(DATABASE, rollback=True)
    assert api.secrets == epochs(file.read()) == dict.fromkeys(KINDS, 1)
    assert unfinished(decode(api.objects["configmap/credential-rotation"]["data"]["log"])) is None


def test_another_rotation_does_not_overtake_one_that_has_stopped(tmp_path: Path) -> None:
    api = Api(crash_at=4)
    file = stack_file(tmp_path, api)
    with pytest.raises(Crash):
        rotator(file).run(DATABASE)
    before = file.read(), dict(api.secrets), list(api.effects)
    with pytest.raises(RotationError, match="has stopped at 'bumped'; finish it first"):
        rotator(file).run(("redis-app",))
    assert (file.read(), api.secrets, api.effects) == before


@pytest.mark.parametrize(
    ("epoch", "rule"),
    [
        ("6", "= 6: must be 4 or 5: a skipped epoch renews both passwords at once"),
        ("3", "= 3: must be 4 or 5: the cluster is further"),
        ("0", "must be a whole number from 1 on"),
        ("x", "must be a whole number from 1 on"),
    ],
)
def test_an_epoch_edited_by_hand_is_refused_and_nothing_changes(epoch: str, rule: str, tmp_path: Path) -> None:
    api = Api()
    api.secrets["api"] = 4
    file = stack_file(tmp_path, api)
    file.path.write_text(before := file.read().replace("    api: 1", f"    api: {epoch}"))
    with pytest.raises(RotationError, match=rule):
        rotator(file).run(("api",))
    assert file.read() == before
    assert not api.effects


def test_a_platform_that_is_not_whole_is_left_alone(tmp_path: Path) -> None:
    api = Api(unready=["postgres"])
    file = stack_file(tmp_path, api)
    with pytest.raises(RotationError, match="postgres: 2 of 3 pods are ready"):
        rotator(file).run(DATABASE)
    assert not api.effects


def test_a_pod_that_has_not_followed_the_rotation_before_is_named(tmp_path: Path) -> None:
    api = Api(stuck={"postgres-2"})
    api.pods["postgres-2"]["postgres-app"] = 0
    file = stack_file(tmp_path, api)
    with pytest.raises(RotationError, match="postgres-2: postgres-app: epoch 0"):
        rotator(file).run(DATABASE)
    assert not api.effects


def test_a_pod_that_does_not_move_stops_it_and_moving_ends_it(tmp_path: Path) -> None:
    api = Api(stuck={"redis-sentinel-1"})
    file = stack_file(tmp_path, api)
    with pytest.raises(RotationError, match=r"redis-sentinel-1: redis-sentinel: epoch 1(.|\n)*both passwords are good"):
        rotator(file, within_s=0).run(GROUPS["redis"])
    api.stuck.clear()
    rotator(file).run(GROUPS["redis"])
    assert actions(api)[-1] == "done"
    assert api.secrets["redis-sentinel"] == 2


def test_a_cluster_without_the_platform_is_refused(tmp_path: Path) -> None:
    api = Api(secrets={})
    with pytest.raises(RotationError, match="bring the platform up first"):
        rotator(stack_file(tmp_path, api)).run(DATABASE)
    assert not api.effects
