"""Rotation of every credential on real nodes, under clients that log in all the time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from components.redis.image.credentials import ADMIN, APP, MEMBER_KINDS, REPLICATION, SENTINEL
from tests.redis.fix_nodes import Node, Site, eventually, password
from tests.redis.fix_writer import Writer

pytestmark = pytest.mark.cluster


@contextmanager
def logins(site: Site, epoch: int) -> Iterator[list[str]]:
    """Log in to every node, over and over, with the app's password of one generation; yields what was refused."""
    refused: list[str] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            for node in site.nodes:
                try:
                    node.client(APP, epoch, "trading").ping()
                except redis.AuthenticationError as error:
                    refused.append(f"{node.pod}: {error}")
                except redis.RedisError:
                    continue  # a node that is down refuses nothing
            time.sleep(0.02)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield refused
    finally:
        stop.set()
        thread.join()


def applied(site: Site, kind: str, epoch: int) -> bool:
    """Whether every node accepts this generation, and whoever logs in elsewhere with this kind uses it."""
    states = {node.pod: node.state().get("credentials", {}).get(kind) for node in site.nodes}
    for pod, state in states.items():
        is_sentinel = "sentinel" in pod
        if kind == REPLICATION and is_sentinel:
            continue
        uses = epoch if (kind == REPLICATION or (kind == SENTINEL and is_sentinel)) else None
        if state != {"accepts": epoch, "uses": uses}:
            return False
    return True


def all_applied(site: Site, epoch: int) -> bool:
    """Whether every kind has got that far everywhere."""
    return all(applied(site, kind, epoch) for kind in MEMBER_KINDS)


def refuses(node: Node, kind: str, epoch: int, user: str) -> bool:
    """Whether a node refuses a generation."""
    try:
        node.client(kind, epoch, user).ping()
    except redis.AuthenticationError:
        return True
    return False


def test_two_rotations_of_everything_refuse_no_valid_login(site: Site) -> None:
    first = site.epoch
    eventually(lambda: all_applied(site, first), 20, "everybody uses the first generation")
    for epoch in (first + 1, first + 2):
        # the password of the generation before stays valid through the whole step
        with logins(site, epoch - 1) as refused, Writer(site) as writer:
            for node in site.nodes:  # the kubelets of the nodes are seconds apart
                for kind in MEMBER_KINDS:
                    node.mount(kind, epoch)
                time.sleep(1.5)
            eventually(lambda e=epoch: all_applied(site, e), 20, f"generation {epoch} everywhere")  # type: ignore[misc]
        assert refused == []
        assert writer.refused == []
        assert writer.gap_s < 1
        assert writer.lost() == []
        site.whole()
    for node in site.nodes:
        assert refuses(node, APP, first, "trading"), f"{node.pod} still accepts a retired password"
        assert refuses(node, ADMIN, first, "admin"), f"{node.pod} still accepts a retired password"
        assert not refuses(node, APP, first + 1, "trading")
        assert not refuses(node, APP, first + 2, "trading")


def test_a_failover_in_the_middle_of_a_rotation(site: Site) -> None:
    first = site.epoch
    eventually(lambda: all_applied(site, first), 20, "everybody uses the first generation")
    with logins(site, first) as refused, Writer(site) as writer:
        late = site.replicas()[0]
        for node in site.nodes:
            if node is not late:
                for kind in MEMBER_KINDS:
                    node.mount(kind, first + 1)
        time.sleep(3)
        # nobody uses the new password for logins elsewhere while one node does not know it
        assert {node.state()["credentials"][REPLICATION]["uses"] for node in site.members} == {first}
        dead = site.master()
        dead.kill()
        eventually(lambda: [n.state()["link_up"] for n in site.replicas()] == [True], 25, "a new master with a replica")
        for kind in MEMBER_KINDS:
            late.mount(kind, first + 1)
        dead.start()
        eventually(lambda: all_applied(site, first + 1), 30, "the new generation everywhere")
        time.sleep(1)
    assert refused == []
    assert writer.refused == []
    assert writer.gap_s < 15


def test_the_agent_says_what_is_wrong_with_a_credential_but_not_its_value(site: Site) -> None:
    node = site.members[0]
    link = (node.folder / "credentials" / APP / "..data").resolve()
    (link / "b").write_text("too-short")
    eventually(lambda: f"{APP}/b: must be 16 or more" in node.log("agent"), 10, "the agent complains")
    assert node.client(APP, site.epoch, "trading").ping()
    node.mount(APP, site.epoch)
    eventually(lambda: node.log("agent").rstrip().endswith("in step with the local process"), 10, "all is well again")
    logs = "".join(
        n.log(program) for n in site.nodes for program in ("agent", "sentinel" if n.is_sentinel else "member")
    )
    for secret in ("too-short", *(password(kind, site.epoch) for kind in MEMBER_KINDS)):
        assert secret not in logs
