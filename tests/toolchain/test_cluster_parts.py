"""The local cluster's parts that need no cluster: volumes, forwards, archives, cgroups, processes, command line."""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from toolchain.cluster import cgroups, forwards, load, packages, prepare, provisioner, status
from toolchain.cluster.__main__ import parser
from toolchain.cluster.api import Api
from toolchain.cluster.certificates import Authority, Identity, ensure_issued, utc_now
from toolchain.cluster.forwarder import endpoints
from toolchain.cluster.processes import Process
from toolchain.cluster.provisioner import Provisioner
from toolchain.cluster.state import Cluster, require_member
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT

CLAIM: dict[str, Any] = {
    "metadata": {
        "name": "data-0",
        "namespace": "trading",
        "uid": "123",
        "annotations": {provisioner.SELECTED_NODE: "node-2"},
    },
    "spec": {
        "storageClassName": "local",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one value replaced."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    *parents, last = path.split("/")
    target = copy
    for each in parents:
        target = target.setdefault(each, {})
    target[last] = value
    return copy


def test_a_claim_gets_a_volume_on_the_chosen_node() -> None:
    volume = provisioner.wanted_volume(CLAIM)

    assert volume is not None
    assert volume["spec"]["claimRef"]["uid"] == "123"
    assert volume["spec"]["local"] == {"path": "/run/node/volumes/pvc-123"}
    assert provisioner.node_of(volume) == "node-2"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata/annotations", {}),
        ("metadata/annotations", {provisioner.SELECTED_NODE: "../../etc"}),
        ("spec/storageClassName", "other"),
        ("spec/volumeName", "pvc-123"),
        ("metadata/deletionTimestamp", "2030-01-01T00:00:00Z"),
    ],
)
def test_other_claims_get_none(path: str, value: object) -> None:
    assert provisioner.wanted_volume(changed(CLAIM, path, value)) is None


def test_only_released_volumes_of_ours_are_deleted() -> None:
    volume = changed(provisioner.wanted_volume(CLAIM) or {}, "status/phase", "Released")

    assert provisioner.to_delete(volume)
    assert not provisioner.to_delete(changed(volume, "status/phase", "Bound"))
    assert not provisioner.to_delete(changed(volume, "spec/persistentVolumeReclaimPolicy", "Retain"))
    assert not provisioner.to_delete(changed(volume, "metadata/annotations", {}))


@pytest.mark.parametrize("name", ["pvc-1/../../x", "other", ".."])
def test_a_volume_cannot_name_a_folder_elsewhere(tmp_path: Path, name: str) -> None:
    ensure_issued(Authority.create("test", utc_now()), [Identity("provisioner", "x")], tmp_path, utc_now())
    api = Api("127.0.0.1", 1, tmp_path, "provisioner")
    volume = changed(provisioner.wanted_volume(CLAIM) or {}, "metadata/name", name)

    with pytest.raises(ValueError, match="not a name"):
        Provisioner(api, {"node-2": tmp_path}).folder(volume)


def test_ready_endpoints_behind_a_service_port() -> None:
    service = {"spec": {"ports": [{"name": "http", "port": 80}, {"name": "metrics", "port": 9100}]}}
    part = {
        "ports": [{"name": "http", "port": 8080}, {"name": "metrics", "port": 9100}],
        "endpoints": [
            {"addresses": ["10.244.1.2"], "conditions": {"ready": True}},
            {"addresses": ["10.244.2.2"], "conditions": {"ready": False}},
            {"addresses": ["10.244.3.2"]},
        ],
    }

    assert endpoints(service, {"items": [part]}, 80) == [("10.244.1.2", 8080), ("10.244.3.2", 8080)]
    assert endpoints(service, {"items": [part]}, 443) == []
    assert endpoints(service, {"items": [{"ports": None, "endpoints": None}]}, 80) == []


def test_forward_targets() -> None:
    assert forwards.parse_target("trading/trading-api:8080") == ("trading", "trading-api", 8080)


@pytest.mark.parametrize(
    "text", ["trading-api:8080", "trading/trading-api", "trading/:80", "/api:80", "a/b:0", "a/b:x"]
)
def test_bad_forward_targets_are_named(text: str) -> None:
    with pytest.raises(ToolError, match="NAMESPACE/SERVICE:PORT"):
        forwards.parse_target(text)


def test_a_taken_port_is_an_error_that_names_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ToolError, match=rf"port = {port}: .* set TRADING_KUBERNETES_PORT"):
            forwards.require_free(port, "TRADING_KUBERNETES_PORT")
    forwards.require_free(port)


def archive(path: Path, manifest: object) -> Path:
    """An image archive with that manifest.json."""
    content = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(content)
        tar.addfile(info, BytesIO(content))
    return path


def test_images_in_an_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", [{"Config": "abc.json", "RepoTags": ["localhost/x:1", "localhost/x:2"]}])

    assert load.references(path) == {"localhost/x:1": "abc", "localhost/x:2": "abc"}


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no")
    nameless = archive(tmp_path / "b.tar", [{"Config": "abc.json", "RepoTags": None}])

    for path, message in (
        (tmp_path / "text", "docker save"),
        (tmp_path / "none", "docker save"),
        (nameless, "no name"),
    ):
        with pytest.raises(ToolError, match=message):
            load.references(path)


def test_hierarchies_of_both_versions() -> None:
    mounts = """\
28 27 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
29 28 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
30 28 0:28 / /sys/fs/cgroup/systemd rw shared:9 - cgroup systemd rw,xattr,release_agent=/x,name=systemd
31 28 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
32 28 0:27 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct
"""
    found = {str(each.path): each.controllers for each in cgroups.parse_mounts(mounts)}

    assert found == {
        "/sys/fs/cgroup/cpu,cpuacct": {"cpu", "cpuacct"},
        "/sys/fs/cgroup/systemd": {"name=systemd"},
        "/sys/fs/cgroup/unified": frozenset(),
    }


def test_file_system_of_a_path() -> None:
    mounts = """\
1 0 254:0 / / rw - ext4 /dev/vda rw
2 1 0:5 / /home/a\\040b rw - overlay overlay rw
3 1 0:6 / /home rw - xfs /dev/vdb rw
"""
    kinds = [prepare.file_system(Path(path), mounts) for path in ("/srv/x", "/home/x/y", "/home/a b/c", "/homes")]

    assert kinds == ["ext4", "xfs", "overlay", "ext4"]


def test_no_service_starts_while_packages_are_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.no_service_starts():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()

    policy.write_text("#!/bin/sh\nexit 0\n")
    with packages.no_service_starts():
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.exists()


def test_a_process_is_known_by_its_start_too(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        process = Process.of(child.pid)
        process.save(tmp_path / "pid")
        assert Process.load(tmp_path / "pid") == process

        replace(process, start=process.start - 1).send(signal.SIGKILL)
        replace(process, boot="another").send(signal.SIGKILL)
        assert child.poll() is None

        process.send(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
        assert Process.load(tmp_path / "pid") is None
        process.send(signal.SIGKILL)


def test_members_by_name_and_number() -> None:
    assert require_member("2") == require_member("node-2") == "node-2"
    with pytest.raises(ToolError, match=r"member = '4': not one of control, node-1, node-2, node-3"):
        require_member("4")


@pytest.mark.parametrize("text", ["x", "80", "70000"])
def test_a_bad_port_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("TRADING_KUBERNETES_PORT", text)

    with pytest.raises(ToolError, match="TRADING_KUBERNETES_PORT"):
        Cluster.here(tmp_path)


def test_the_port_of_the_first_up_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRADING_KUBERNETES_PORT", raising=False)
    assert Cluster.here(tmp_path).port == 16443
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/port").write_text("17000")

    assert Cluster.here(tmp_path).port == 17000


def test_a_cluster_that_never_was_is_not_up(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 1)

    assert not cluster.is_up()
    assert cluster.endpoints() == {}
    with pytest.raises(ToolError, match=r"toolchain\.cluster up"):
        cluster.api()


def test_pods_that_completed_do_not_count() -> None:
    def pod(phase: str, ready: str) -> dict[str, Any]:
        return {"status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}}

    assert status.pods_text([pod("Running", "True"), pod("Running", "False"), pod("Succeeded", "False")]) == "1/2"


def test_tables_are_aligned() -> None:
    assert status.table([("A", "B"), ("long", "x")]) == ["A     B", "long  x"]


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "stop",
        "down",
        "status",
        "load",
        "forward",
        "unforward",
        "exec",
        "kill-node",
        "heal-node",
        "partition",
        "heal",
    ],
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command, "--help"])

    assert ended.value.code == 0
    assert f"toolchain.cluster {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["up"], ["status"], ["exec", "node-1", "--", "true"]])
def test_who_is_not_root_is_told_before_anything_happens(tmp_path: Path, command: list[str]) -> None:
    # In a user namespace without a mapping, root is nobody.
    disguise = ["unshare", "--user"] if os.geteuid() == 0 else []
    env = dict(os.environ) | {"TRADING_LOCAL": str(tmp_path / "local"), "TRADING_KUBERNETES_PORT": "17999"}
    argv = [*disguise, sys.executable, "-m", "toolchain.cluster", *command]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs root" in done.stderr
    assert not (tmp_path / "local").exists()
