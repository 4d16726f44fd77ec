"""The programs in the pods of the backups: pure parts, and what they do to a volume."""

import json
from pathlib import Path

import pytest

from components.postgres.image.member import archive, pgbackrest, restore, restoretest
from components.postgres.image.member.paths import Paths
from components.postgres.image.member.tls import authority_key
from components.postgres.image.member.turns import my_turn

STANZA = {
    "name": "trading",
    "cipher": "aes-256-cbc",
    "archive": [{"id": "17-1", "min": "000000010000000000000001", "max": "00000002000000000000000A"}],
    "repo": [{"key": 1, "status": {"code": 0, "message": "ok"}}],
    "backup": [
        {
            "label": label, "type": kind, "error": broken, "timestamp": {"start": stop - 10, "stop": stop},
            "info": {"size": 2048, "repository": {"delta": 1024}},
        }
        for label, kind, stop, broken in (
            ("F", "full", 1000, False), ("F_D", "diff", 2000, False), ("X", "full", 3000, True)
        )
    ],
}  # fmt: skip
HELD = pgbackrest.parse([STANZA])


def test_the_newest_backup_is_a_whole_one() -> None:
    assert HELD.problem == ""
    assert HELD.newest is not None
    assert HELD.newest.label == "F_D"
    assert HELD.newest_wal == "00000002000000000000000A"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"repo": [{"key": 1, "status": {"code": 99, "message": "[CryptoError] unable to flush"}}]}, "CryptoError"),
        (
            {"backup": [], "repo": [{"key": 1, "status": {"code": 2, "message": "no valid backups"}}]},
            "no backup was made",
        ),
    ],
)
def test_a_repository_that_cannot_be_used_says_why(change: dict[str, object], problem: str) -> None:
    held = pgbackrest.parse([STANZA | change])
    assert problem in held.problem
    with pytest.raises(restoretest.Failed, match="cannot be used"):
        restoretest.choose(held, "")
    assert pgbackrest.parse([]).problem


def test_noise_in_an_answer_is_no_crash() -> None:
    answer = b'[{"message": "[FormatError] invalid: \xff\x00\x8a"}]\n'
    (found,) = json.loads(pgbackrest.readable(answer))
    assert found["message"].startswith("[FormatError] invalid: ")
    assert found["message"].isprintable()


def test_a_moment_is_restored_from_the_backup_before_it() -> None:
    assert restoretest.choose(HELD, "1970-01-01 00:25:00+00").label == "F"
    assert restoretest.choose(HELD, "").label == "F_D"
    with pytest.raises(restoretest.Failed, match="no whole backup had ended by"):
        restoretest.choose(HELD, "1970-01-01 00:00:10+00")


def furnished(folder: Path) -> Paths:
    """A member's volume with data, marks and promises."""
    paths = Paths(volume=folder)
    (paths.data / "base").mkdir(parents=True)
    paths.spool.mkdir()
    for file in (paths.marks, paths.reserved):
        file.write_text("{}")
    return paths


def test_a_wish_empties_a_volume_once(tmp_path: Path) -> None:
    paths = furnished(tmp_path)
    wish = restore.Wish("first", "2026-01-01 00:00:00+00")
    assert restore.clear_volume(paths, wish)
    assert [file.name for file in tmp_path.iterdir()] == ["restored"]
    paths = furnished(tmp_path)
    assert not restore.clear_volume(paths, wish), "what was restored must outlive a restart of the pod"
    assert paths.marks.exists()
    assert restore.clear_volume(paths, restore.Wish("second"))


def test_there_is_no_wish_until_somebody_writes_one(tmp_path: Path) -> None:
    assert restore.read_wish(tmp_path) is None
    (tmp_path / "id").write_text("7f")
    assert restore.read_wish(tmp_path) is None, "half a wish is none"
    (tmp_path / "to").write_text("")
    assert restore.read_wish(tmp_path) == restore.Wish("7f", "")


def test_patroni_restores_to_the_moment_and_begins_a_timeline_there() -> None:
    config = restore.bootstrap_config(restore.Wish("7f", "2026-01-01 00:00:00+00"), "program")
    assert config["method"] == "pgbackrest"
    assert config["pgbackrest"]["command"] == "program --to '2026-01-01 00:00:00+00'"  # type: ignore[index]
    recovery = config["pgbackrest"]["recovery_conf"]  # type: ignore[index]
    assert recovery["recovery_target_time"] == "2026-01-01 00:00:00+00"
    assert recovery["recovery_target_action"] == "promote"
    assert '"recovery_target_time"' not in json.dumps(restore.bootstrap_config(restore.Wish("7f"), "program"))


def test_a_new_primary_sends_again_what_it_only_received(tmp_path: Path) -> None:
    status = tmp_path / "archive_status"
    status.mkdir()
    for name in ("000000010000000000000001", "000000010000000000000002", "00000002.history"):
        (tmp_path / name).touch()
        (status / f"{name}.done").touch()
    (status / "000000010000000000000009.done").touch()
    (status / "000000010000000000000003.partial.done").touch()
    assert archive.send_again(tmp_path) == ["000000010000000000000001", "000000010000000000000002", "00000002.history"]
    assert archive.waiting(tmp_path) == 3
    assert archive.send_again(tmp_path) == []


def test_a_segment_in_which_a_timeline_was_left_is_not_sent_again_since_its_end_differs_between_members(
    tmp_path: Path,
) -> None:
    status = tmp_path / "archive_status"
    status.mkdir()
    left_in, whole = "000000010000000000000005", ["000000010000000000000004", "000000020000000000000005"]
    for name in (*whole, left_in, "000000010000000000000006"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(16 << 20)
        (status / f"{name}.done").touch()
    (tmp_path / "00000002.history").write_text("1\t0/5089338\tno recovery target specified\n")
    assert archive.send_again(tmp_path) == whole
    assert (status / f"{left_in}.done").exists()


def test_the_metrics_tell_of_the_archive_and_of_each_job() -> None:
    facts = {"ok": False, "at": 5, "seconds": 1.5, "newest": {"full": 4}, "stored_bytes": 9}
    rehearsal = {"ok": True, "at": 6, "seconds": 2, "newest_commit": 3.5}
    text = archive.metrics(
        {"waiting_segments": 2.0, "last_archived_timestamp_seconds": 1795518459.25},
        {"check": facts, "restore-test": rehearsal},
    )
    assert text.splitlines() == [
        "postgres_archive_waiting_segments 2.0",
        "postgres_archive_last_archived_timestamp_seconds 1795518459.25",
        'postgres_backup_job_ok{job="check"} 0',
        'postgres_backup_job_timestamp_seconds{job="check"} 5',
        'postgres_backup_job_duration_seconds{job="check"} 1.5',
        'postgres_backup_newest_timestamp_seconds{type="full",job="check"} 4',
        'postgres_backup_stored_bytes{job="check"} 9',
        'postgres_backup_job_ok{job="restore-test"} 1',
        'postgres_backup_job_timestamp_seconds{job="restore-test"} 6',
        'postgres_backup_job_duration_seconds{job="restore-test"} 2',
        'postgres_backup_restored_commit_timestamp_seconds{job="restore-test"} 3.5',
    ]


def cluster(*pending: str, states: tuple[str, ...] = ("running", "streaming", "streaming")) -> dict[str, object]:
    """Patroni's answer: postgres-0 leads."""
    roles = ("leader", "quorum_standby", "quorum_standby")
    return {
        "members": [
            {"name": f"postgres-{n}", "role": role, "state": state, "pending_restart": f"postgres-{n}" in pending}
            for n, (role, state) in enumerate(zip(roles, states, strict=True))
        ]
    }


def test_members_restart_in_turn_and_the_primary_last() -> None:
    everyone = cluster("postgres-0", "postgres-1", "postgres-2")
    assert [my_turn(everyone, f"postgres-{n}", 3) for n in range(3)] == [False, True, False]
    assert my_turn(cluster("postgres-0"), "postgres-0", 3)
    assert not my_turn(cluster(), "postgres-1", 3)


def test_nobody_restarts_while_a_member_is_not_well_or_missing() -> None:
    assert not my_turn(cluster("postgres-1", states=("running", "streaming", "starting")), "postgres-1", 3)
    assert not my_turn(cluster("postgres-1"), "postgres-1", 5)


def test_the_authority_is_a_function_of_the_seed() -> None:
    assert authority_key("one") == authority_key("one")
    assert authority_key("one") != authority_key("two")
    assert "one" not in authority_key("one")
