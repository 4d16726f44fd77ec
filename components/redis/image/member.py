"""Start a data node: find out which role it has, write its files, become redis-server."""

import logging
import os
import time

from components.redis.image import datadir, local, peers
from components.redis.image.acl import member_acl
from components.redis.image.bootstrap import Follow, Lead, Wait, decide
from components.redis.image.configuration import ACL_FILE, member_config
from components.redis.image.credentials import MEMBER_KINDS, REPLICATION, read_all
from components.redis.image.settings import Settings
from components.redis.image.state import MemberState

ASK_EVERY_S = 0.5
log = logging.getLogger("member")


def run(settings: Settings) -> None:
    """Wait for a role, then replace this program by redis-server; it waits as long as there is no proof of a role."""
    datadir.own(settings.data_dir)
    decision = wait_for_role(settings)
    log.info("%s: %s", "lead" if isinstance(decision, Lead) else f"follow member {decision.master}", decision.why)
    prepare(settings, decision)
    os.execvp("redis-server", ["redis-server", str(settings.run_dir / "redis.conf")])  # noqa: S606  no shell wanted


def wait_for_role(settings: Settings) -> Lead | Follow:
    """Ask all others until the answers settle this node's role."""
    begin, reason = time.monotonic(), ""
    while True:
        mine = MemberState(
            has_data=datadir.has_data(settings.data_dir),
            last_seen=datadir.last_seen(settings.data_dir),
            stopped_whole=datadir.stopped_whole(settings.data_dir),
        )
        waited_s = time.monotonic() - begin
        decision = decide(settings.ordinal, mine, peers.look(settings), waited_s=waited_s)
        if not isinstance(decision, Wait):
            return decision
        if decision.why != reason:
            log.info("wait: %s", decision.why)
            reason = decision.why
        time.sleep(ASK_EVERY_S)


def prepare(settings: Settings, decision: Lead | Follow) -> None:
    """Write the files of this start."""
    data = settings.data_dir
    if isinstance(decision, Lead):
        datadir.end_joining(data)
    elif not datadir.has_data(data):
        datadir.begin_joining(data)
    datadir.run_again(data)
    credentials = read_all(settings.credentials_dir, MEMBER_KINDS)
    key = local.new_agent_key(settings)
    datadir.write_private(settings.run_dir / ACL_FILE, member_acl(credentials, key))
    # the previous password is the one that every master accepts by now; the agent moves on to the current one
    config = member_config(
        (settings.config_dir / "redis.conf").read_text(),
        settings,
        master=decision.master if isinstance(decision, Follow) else None,
        electable=isinstance(decision, Lead),
        replication_password=credentials[REPLICATION].previous_password,
    )
    datadir.write_private(settings.run_dir / "redis.conf", config)
