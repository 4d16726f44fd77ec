"""Make the local process follow the mounted credentials while it runs.

Nothing is remembered between two rounds: what the process accepts and uses is read from the process.
"""

from collections.abc import Callable, Iterable, Mapping

from components.redis.image import local, peers
from components.redis.image.acl import MEMBER_USERS, SENTINEL_USERS, password_rules, wanted_hashes
from components.redis.image.bootstrap import Whole
from components.redis.image.credentials import REPLICATION, SENTINEL, Credential
from components.redis.image.resp import Connection, Reply, fields
from components.redis.image.settings import Settings
from components.redis.image.state import Applied, MemberState, SentinelState

Look = Callable[[Settings], Whole]


def follow_member(
    redis: Connection, settings: Settings, credentials: Mapping[str, Credential], look: Look = peers.look
) -> dict[str, Applied]:
    """One round on a data node; returns how far each kind has got.

    Raises:
        OSError, CommandError: the process did not take it; the next round tries again.
    """
    _accept(redis, MEMBER_USERS, credentials)
    mine = credentials[REPLICATION]
    used = fields(redis.command("CONFIG", "GET", "masterauth")).get("masterauth", "")
    if used != mine.current_password:
        whole = look(settings)
        others = [whole.peers.get(n) for n in range(whole.members) if n != settings.ordinal]
        chosen = password_to_use(mine, (accepted(other, REPLICATION) for other in others))
        if chosen != used:
            redis.command("CONFIG", "SET", "masterauth", chosen)
            used = chosen
    return _applied(credentials) | {REPLICATION: Applied(accepts=mine.epoch, uses=epoch_of(used, mine))}


def follow_sentinel(
    sentinel: Connection, settings: Settings, credentials: Mapping[str, Credential], look: Look = peers.look
) -> dict[str, Applied]:
    """One round on a Sentinel; returns how far each kind has got.

    Setting a password makes a Sentinel connect anew to whom it uses it with, so it is set only when it changes.

    Raises:
        OSError, CommandError: the process did not take it; the next round tries again.
    """
    _accept(sentinel, SENTINEL_USERS, credentials)
    mine, name = credentials[SENTINEL], settings.master_name
    on_data = data_password(local.sentinel_file(settings).read_text(), name)
    on_sentinels = fields(sentinel.command("SENTINEL", "CONFIG", "GET", "sentinel-pass")).get("sentinel-pass", "")
    if {on_data, on_sentinels} != {mine.current_password}:
        whole = look(settings)
        members = [whole.peers.get(n) for n in range(whole.members)]
        watchers = [whole.watchers.get(n) for n in range(whole.sentinels) if n != settings.ordinal]
        chosen = password_to_use(mine, (accepted(other, SENTINEL) for other in (*members, *watchers)))
        if chosen != on_data:
            sentinel.command("SENTINEL", "SET", name, "auth-pass", chosen)
            on_data = chosen
        if chosen != on_sentinels:
            sentinel.command("SENTINEL", "CONFIG", "SET", "sentinel-pass", chosen)
            on_sentinels = chosen
    oldest = min((epoch_of(used, mine) or 0 for used in (on_data, on_sentinels)), default=0)
    return _applied(credentials) | {SENTINEL: Applied(accepts=mine.epoch, uses=oldest or None)}


def password_to_use(mine: Credential, accepts: Iterable[int | None]) -> str:
    """The current password once every node that must take it does, else the previous one. Pure.

    A node that has this generation or the next one takes the current password; one that has the generation before, or
    has not answered, may not. The previous password is good with all of them, because a rotation is one step at a time.
    """
    return mine.current_password if all(e in (mine.epoch, mine.epoch + 1) for e in accepts) else mine.previous_password


def accepted(node: MemberState | SentinelState | None, kind: str) -> int | None:
    """The epoch of a kind that a node says it accepts; None if it said nothing. Pure."""
    return node.credentials[kind].accepts if node and kind in node.credentials else None


def epoch_of(password: str, credential: Credential) -> int | None:
    """The generation of a password; None for one that is in neither slot. Pure."""
    if password == credential.current_password:
        return credential.epoch
    return credential.epoch - 1 if password == credential.previous_password else None


def data_password(configuration: str, master_name: str) -> str:
    """What a Sentinel logs in to data nodes with, by the file that it keeps: no command tells. Pure."""
    for line in configuration.splitlines():
        match line.split():
            case ["sentinel", "auth-pass", name, password] if name == master_name:
                return password
    return ""


def _accept(process: Connection, users: Mapping[str, tuple[str, str]], credentials: Mapping[str, Credential]) -> None:
    for kind, (user, _) in users.items():
        present = passwords_of(process.command("ACL", "GETUSER", user))
        if rules := password_rules(present, wanted_hashes(credentials[kind])):
            process.command("ACL", "SETUSER", user, *rules)


def passwords_of(user: Reply) -> frozenset[str]:
    """The password hashes in the reply of `ACL GETUSER`. Pure."""
    pairs = zip(user[::2], user[1::2], strict=False) if isinstance(user, list) else ()
    found = next((value for name, value in pairs if name == "passwords"), None)
    return frozenset(str(hashed) for hashed in found) if isinstance(found, list) else frozenset()


def _applied(credentials: Mapping[str, Credential]) -> dict[str, Applied]:
    return {kind: Applied(accepts=credential.epoch) for kind, credential in credentials.items()}
