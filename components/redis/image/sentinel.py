"""Start a Sentinel: with what it remembers, or, without memory, once there is a master to watch."""

import logging
import os
import time

from components.redis.image import datadir, local, peers
from components.redis.image.acl import sentinel_acl
from components.redis.image.bootstrap import watched_master
from components.redis.image.configuration import ACL_FILE, Memory, recall, sentinel_config
from components.redis.image.credentials import SENTINEL, SENTINEL_KINDS, read_all
from components.redis.image.settings import Settings

ASK_EVERY_S = 0.5
log = logging.getLogger("sentinel")


def run(settings: Settings) -> None:
    """Write the files of this start, then replace this program by redis-server as a Sentinel."""
    datadir.own(settings.data_dir)
    memory = remembered(settings) or wait_for_master(settings)
    log.info("watch %s", memory.master)
    prepare(settings, memory)
    command = ["redis-server", str(local.sentinel_file(settings)), "--sentinel"]
    os.execvp("redis-server", command)  # noqa: S606  no shell wanted


def remembered(settings: Settings) -> Memory | None:
    """What the volume holds of the last run."""
    try:
        return recall(local.sentinel_file(settings).read_text(), settings)
    except FileNotFoundError:
        return None


def wait_for_master(settings: Settings) -> Memory:
    """Ask until another Sentinel knows the master or a member runs as one; a Sentinel chooses none itself."""
    log.info("wait: no memory, and nobody has named a master yet")
    while True:
        master = watched_master(peers.look(settings))
        if master is not None:
            return Memory(master=settings.members[master], lines=())
        time.sleep(ASK_EVERY_S)


def prepare(settings: Settings, memory: Memory) -> None:
    """Write the files of this start."""
    credentials = read_all(settings.credentials_dir, SENTINEL_KINDS)
    key = local.new_agent_key(settings)
    datadir.write_private(settings.run_dir / ACL_FILE, sentinel_acl(credentials, key))
    # the previous password is the one that everybody accepts by now; the agent moves on to the current one
    password = credentials[SENTINEL].previous_password
    config = sentinel_config(
        (settings.config_dir / "sentinel.conf").read_text(),
        settings,
        memory,
        data_password=password,
        sentinel_password=password,
    )
    datadir.write_private(local.sentinel_file(settings), config)
