"""The pure parts of the programs of a Redis pod: settings, credentials, ACLs, files, states."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from components.credentials.args import KINDS
from components.redis.image import acl, configuration, datadir, follow, handover, local, settings
from components.redis.image.agent import may_lead, part_of_the_whole
from components.redis.image.bootstrap import Whole
from components.redis.image.credentials import (
    APP,
    MEMBER_KINDS,
    REPLICATION,
    Credential,
    CredentialError,
    read,
)
from components.redis.image.resp import Connection, Reply, fields, info_fields
from components.redis.image.state import Applied, LastSeen, MemberState, NotAState, SentinelState

ENVIRONMENT = {
    "REDIS_INSTANCE": "redis",
    "REDIS_MASTER_NAME": "trading",
    "REDIS_MEMBERS": "3",
    "REDIS_SENTINELS": "3",
    "REDIS_QUORUM": "2",
    "REDIS_DOWN_AFTER_MS": "4000",
    "POD_NAME": "redis-1",
    "POD_IP": "10.1.0.5",
    "DATA_DIR": "/data",
    "RUN_DIR": "/run/redis",
    "CONFIG_DIR": "/config",
    "CREDENTIALS_DIR": "/credentials",
    **{f"REDIS_{n}_SERVICE_HOST": f"10.0.0.{n}" for n in range(3)},
    **{f"REDIS_SENTINEL_{n}_SERVICE_HOST": f"10.0.1.{n}" for n in range(3)},
}
OLD, NEW, NEXT = "o" * 32, "n" * 32, "x" * 32
CREDENTIAL = Credential(passwords={"a": NEW, "b": OLD}, current="a", epoch=2)
MEMBER = settings.from_environment(ENVIRONMENT)
WATCHER = settings.from_environment(ENVIRONMENT | {"POD_NAME": "redis-sentinel-2"})


def mount(folder: Path, **files: str) -> Path:
    snapshot = folder / "..2026"
    snapshot.mkdir(parents=True)
    for name, text in ({"a": NEW, "b": OLD, "current": "a", "epoch": "2"} | files).items():
        (snapshot / name).write_text(text)
    (folder / "..data").symlink_to(snapshot.name)
    return folder


def test_a_pod_knows_itself_by_its_name() -> None:
    assert (MEMBER.ordinal, MEMBER.address, MEMBER.is_sentinel) == (1, "10.0.0.1", False)
    assert (WATCHER.ordinal, WATCHER.address, WATCHER.is_sentinel) == (2, "10.0.1.2", True)
    assert MEMBER.majority == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"POD_NAME": "redis"}, "POD_NAME = 'redis': must be redis-<ordinal>"),
        ({"POD_NAME": "redis-3"}, "only 3 are declared"),
        ({"POD_NAME": "cache-0"}, "must be redis-<ordinal>"),
        ({"REDIS_2_SERVICE_HOST": ""}, "Service redis-2 was not there"),
        ({"REDIS_QUORUM": "0"}, "must be a whole number from 1 on"),
        ({"POD_IP": ""}, "POD_IP is not set"),
    ],
)
def test_a_wrong_environment_is_one_clear_line(change: dict[str, str], text: str) -> None:
    with pytest.raises(settings.SettingsError, match=text) as error:
        settings.from_environment(ENVIRONMENT | change)
    assert "\n" not in str(error.value)


def test_a_credential_is_read_from_one_snapshot(tmp_path: Path) -> None:
    credential = read(mount(tmp_path))
    assert (credential.current_password, credential.previous_password, credential.epoch) == (NEW, OLD, 2)
    assert NEW not in repr(credential)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"a": "short"}, "/a: must be 16 or more letters and digits"),
        ({"b": "with space and more"}, "/b: must be"),
        ({"a": OLD}, "a and b must differ"),
        ({"epoch": "two"}, "/epoch: must be a whole number"),
        ({"current": "c"}, "/current: must be 'a' or 'b'"),
    ],
)
def test_a_malformed_credential_is_named_without_its_value(tmp_path: Path, files: dict[str, str], text: str) -> None:
    with pytest.raises(CredentialError, match=text) as error:
        read(mount(tmp_path, **files))
    assert not any(value in str(error.value) for value in (*files.values(), OLD, NEW) if len(value) > 4)


def test_a_missing_credential_is_named(tmp_path: Path) -> None:
    (mount(tmp_path) / "..data" / "epoch").unlink()
    with pytest.raises(CredentialError, match="no file 'epoch'"):
        read(tmp_path)


def test_every_user_has_both_passwords_as_hashes_and_the_default_user_is_off() -> None:
    credentials = dict.fromkeys(MEMBER_KINDS, CREDENTIAL)
    for text, users in (
        (acl.member_acl(credentials, "key"), ("trading", "replica", "sentinel", "admin")),
        (acl.sentinel_acl(credentials, "key"), ("trading", "sentinel", "admin")),
    ):
        lines = {line.split()[1]: line for line in text.splitlines()}
        assert set(lines) == {"default", "agent", *users}
        assert " off " in lines["default"]
        assert "nopass" not in text
        assert OLD not in text
        for user in users:
            assert f"#{acl.digest(OLD)}" in lines[user]
            assert f"#{acl.digest(NEW)}" in lines[user]
        assert "@dangerous" not in lines["sentinel"]
        assert lines["trading"].index("&") > lines["trading"].index("resetchannels")


def test_a_rotation_adds_before_it_removes() -> None:
    present, wanted = frozenset({"old", "stays"}), frozenset({"stays", "new"})
    assert acl.password_rules(present, wanted) == ["#new", "!old"]
    assert acl.password_rules(wanted, wanted) == []


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ([2, 2, 2], NEW),
        ([2, 3, 2], NEW),  # a node ahead keeps this one as its previous
        ([2, 1, 2], OLD),
        ([2, None, 2], OLD),  # no answer is no consent
        ([2, 4, 2], OLD),
    ],
)
def test_the_new_password_is_used_once_everybody_takes_it(accepts: list[int | None], expected: str) -> None:
    assert follow.password_to_use(CREDENTIAL, accepts) == expected


class Recorder:
    """A process that answers from a table and keeps what it was told; the real one is in tests/redis."""

    def __init__(self, replies: dict[str, object]) -> None:
        self.replies, self.told = replies, list[str]()

    def command(self, *words: str) -> object:
        line = " ".join(words)
        self.told.append(line)
        return next((reply for start, reply in self.replies.items() if line.startswith(start)), "OK")


def user(*passwords: str) -> list[object]:
    return ["flags", ["on"], "passwords", [acl.digest(password) for password in passwords], "commands", "-@all"]


def answered(epoch: int) -> Whole:
    state = {kind: Applied(accepts=epoch) for kind in MEMBER_KINDS}
    peer = MemberState(has_data=True, credentials=state)
    watcher = SentinelState(running=True, configured=True, credentials=state)
    return Whole(
        members=3,
        sentinels=3,
        peers=dict.fromkeys(range(3), peer),
        watchers={0: watcher, 1: watcher},
        addresses={},
        down_after_s=4,
    )


def test_a_member_takes_the_new_passwords_and_moves_on_with_the_others() -> None:
    credentials = dict.fromkeys(MEMBER_KINDS, CREDENTIAL)
    replies: dict[str, object] = {"ACL GETUSER": user(OLD, NEXT), "CONFIG GET masterauth": ["masterauth", OLD]}
    process = Recorder(replies)
    applied = follow.follow_member(cast(Connection, process), MEMBER, credentials, lambda _: answered(1))
    assert f"ACL SETUSER trading #{acl.digest(NEW)} !{acl.digest(NEXT)}" in process.told
    assert not any(line.startswith("CONFIG SET") for line in process.told)
    assert applied[REPLICATION] == Applied(accepts=2, uses=1)
    assert applied[APP] == Applied(accepts=2)
    process = Recorder(replies)
    applied = follow.follow_member(cast(Connection, process), MEMBER, credentials, lambda _: answered(2))
    assert f"CONFIG SET masterauth {NEW}" in process.told
    assert applied[REPLICATION] == Applied(accepts=2, uses=2)


def test_a_sentinel_reports_the_older_of_its_two_logins() -> None:
    text = f"sentinel auth-user trading sentinel\nsentinel auth-pass other {NEXT}\nsentinel auth-pass trading {OLD}\n"
    assert follow.data_password(text, "trading") == OLD
    assert follow.data_password(text, "absent") == ""
    assert follow.epoch_of(OLD, CREDENTIAL) == 1
    assert follow.epoch_of(NEXT, CREDENTIAL) is None


def test_a_member_starts_with_its_stable_address_and_the_password_that_all_accept() -> None:
    text = configuration.member_config("maxmemory 1mb\n", MEMBER, master=0, electable=False, replication_password=OLD)
    lines = text.splitlines()
    assert "replica-announce-ip 10.0.0.1" in lines
    assert "bind 10.1.0.5" in lines
    assert "replicaof 10.0.0.0 6379" in lines
    assert "replica-priority 0" in lines
    assert f"masterauth {OLD}" in lines
    leading = configuration.member_config("", MEMBER, master=None, electable=True, replication_password=OLD)
    assert "replicaof" not in leading
    assert "replica-priority 100" in leading


MEMORY = """\
sentinel myid 0123456789012345678901234567890123456789
sentinel monitor trading 10.0.0.2 6379 2
sentinel auth-pass trading secret
sentinel down-after-milliseconds trading 60000
sentinel config-epoch trading 7
sentinel leader-epoch trading 8
sentinel known-replica trading 10.0.0.0 6379
sentinel known-replica trading 10.244.1.9 6379
sentinel known-sentinel trading 10.0.1.0 26379 aaaa
sentinel known-sentinel trading 10.0.9.9 26379 bbbb
sentinel current-epoch 8
"""


def test_a_sentinel_keeps_its_memory_and_nothing_else() -> None:
    memory = configuration.recall(MEMORY, WATCHER)
    assert memory is not None
    assert memory.master == "10.0.0.2"
    assert memory.lines == (
        "sentinel current-epoch 8",
        "sentinel config-epoch trading 7",
        "sentinel leader-epoch trading 8",
        "sentinel known-replica trading 10.0.0.0 6379",
        "sentinel known-sentinel trading 10.0.1.0 26379 aaaa",
    )
    declared = "sentinel down-after-milliseconds trading 4000\n"
    text = configuration.sentinel_config(declared, WATCHER, memory, data_password=OLD, sentinel_password=NEW)
    lines = text.splitlines()
    assert "sentinel resolve-hostnames no" in lines
    assert "sentinel announce-ip 10.0.1.2" in lines
    assert f"sentinel myid {configuration.identity('redis-sentinel-2')}" in lines
    assert "secret" not in text
    assert "60000" not in text
    # whatever names the master follows the line that makes it known
    monitor = lines.index("sentinel monitor trading 10.0.0.2 6379 2")
    assert all(lines.index(line) > monitor for line in lines if " trading " in line and "monitor" not in line)


@pytest.mark.parametrize(
    "text", ["", "sentinel monitor trading 10.9.9.9 6379 2", "sentinel monitor other 10.0.0.1 1 2"]
)
def test_a_memory_of_strangers_is_none(text: str) -> None:
    assert configuration.recall(text, WATCHER) is None


def test_the_identity_of_a_sentinel_is_its_name() -> None:
    assert configuration.identity("redis-sentinel-0") == configuration.identity("redis-sentinel-0")
    assert configuration.identity("redis-sentinel-0") != configuration.identity("redis-sentinel-1")
    assert len(configuration.identity("redis-sentinel-0")) == 40


def test_only_what_redis_loads_is_data(tmp_path: Path) -> None:
    assert not datadir.has_data(tmp_path)
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "dump.rdb").write_bytes(b"REDIS")
    assert not datadir.has_data(tmp_path)
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("file x seq 1 type b\n")
    assert datadir.has_data(tmp_path)
    datadir.begin_joining(tmp_path)
    assert not datadir.has_data(tmp_path)
    datadir.end_joining(tmp_path)
    datadir.end_joining(tmp_path)
    assert datadir.has_data(tmp_path)


def test_a_mark_of_a_planned_stop_goes_when_the_node_runs_on(tmp_path: Path) -> None:
    datadir.run_again(tmp_path)
    datadir.stop_whole(tmp_path)
    datadir.run_again(tmp_path, marked_for_s=300)
    assert datadir.stopped_whole(tmp_path)
    datadir.run_again(tmp_path)
    assert not datadir.stopped_whole(tmp_path)


def test_a_replica_may_lead_in_step_or_after_a_minute_alone() -> None:
    whole, joining = MemberState(has_data=True, role="replica"), MemberState(has_data=False, role="replica")
    assert may_lead(joining, None, 0)
    assert not may_lead(whole, 100, 159)
    assert may_lead(whole, 100, 160)
    assert not may_lead(joining, 100, 1000)
    assert not may_lead(replace(whole, loading=True), 100, 1000)


def test_the_note_survives_and_a_damaged_one_is_no_error(tmp_path: Path) -> None:
    assert datadir.last_seen(tmp_path) is None
    seen = LastSeen(at=5, role="master", offset=9)
    datadir.note(tmp_path, seen)
    assert datadir.last_seen(tmp_path) == seen
    assert (tmp_path / datadir.LAST_SEEN).stat().st_mode & 0o777 == 0o600
    (tmp_path / datadir.LAST_SEEN).write_text("{")
    assert datadir.last_seen(tmp_path) is None


INFO = """# Replication\r
role:master\r
connected_slaves:2\r
slave0:ip=10.0.0.1,port=6379,state=online,offset=42,lag=0\r
slave1:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0\r
slave_read_only:1\r
master_repl_offset:42\r
loading:0\r
"""


def test_a_state_is_what_info_says() -> None:
    info = info_fields(INFO)
    state = local.describe_member(info, has_data=True, last_seen=None, credentials={})
    assert (state.role, state.replicas, state.offset, state.master, state.ready) == ("master", 1, 42, None, True)
    assert part_of_the_whole(state)
    follower = {
        "role": "slave",
        "master_host": "10.0.0.0",
        "master_port": "6379",
        "master_link_status": "down",
        "slave_priority": "0",
    }
    state = local.describe_member(follower, has_data=True, last_seen=None, credentials={})
    assert (state.role, state.master, state.ready, state.electable) == ("replica", "10.0.0.0:6379", False, False)
    assert not part_of_the_whole(state)


def known(ip: str, flags: str = "slave", priority: str = "100") -> Reply:
    return ["ip", ip, "flags", flags, "slave-priority", priority]


def test_a_master_hands_over_once_whoever_may_be_chosen_has_everything() -> None:
    info = info_fields(INFO)
    first, second = known("10.0.0.1"), known("10.0.0.2")
    assert handover.behind([first], info) == ""
    assert handover.behind([first, second], info) == "replica 10.0.0.2 has not caught up"
    assert handover.behind([first, known("10.0.0.2", "slave,s_down")], info) == ""
    assert handover.behind([first, known("10.0.0.2", priority="0")], info) == ""
    assert "no replica" in handover.behind([], info)
    assert "no replica" in handover.behind([known("10.0.0.1", "slave,disconnected")], info)
    assert handover.behind([first], info | {"master_repl_offset": "43"}) == "replica 10.0.0.1 has not caught up"
    late = {"slave1": "ip=10.0.0.2,port=6379,state=online,offset=41,lag=1"}
    assert handover.behind([first, second], info | late) == "replica 10.0.0.2 has not caught up"


def test_a_sentinel_in_a_failover_says_so() -> None:
    known = fields(["flags", "master,o_down,failover_in_progress", "config-epoch", "3"])
    state = local.describe_sentinel(known, ["10.0.0.1", "6379"], {})
    assert (state.master, state.epoch, state.failover, state.ready) == ("10.0.0.1:6379", 3, True, True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"node": "sentinel"}', '{"node": "member", "credentials": {}, "x": 1}']
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(NotAState):
        MemberState.from_json(text)


def test_the_kinds_are_those_of_the_credentials_component() -> None:
    assert set(MEMBER_KINDS) == {kind for kind in KINDS if kind.startswith("redis-")}
