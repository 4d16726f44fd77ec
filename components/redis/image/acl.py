"""Who may do what on a data node and on a Sentinel: the lines of the ACL file. Pure.

Every user but the agent's has two passwords, stored as SHA-256; the default user is off.
"""

import hashlib
from collections.abc import Mapping

from components.redis.image.credentials import ADMIN, APP, REPLICATION, SENTINEL, Credential

APP_USER = "trading"
REPLICA_USER = "replica"
SENTINEL_USER = "sentinel"
ADMIN_USER = "admin"
AGENT_USER = "agent"
HELLO = "&__sentinel__:hello"
DEFAULT_OFF = "user default off resetpass resetkeys resetchannels -@all"

# Data commands without the dangerous ones (FLUSHALL, KEYS, CONFIG ...); INFO and ROLE, because client libraries ask for
# them; no channel that begins with an underscore, because who can publish to __sentinel__:hello can move the master.
APP_ON_MEMBER = "~* resetchannels &[^_]* +@all -@admin -@dangerous +info +role"
REPLICA_ON_MEMBER = "resetkeys resetchannels -@all +psync +replconf +ping"
SENTINEL_ON_MEMBER = (
    f"resetkeys resetchannels {HELLO} -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish "
    "+info +client|setname +client|kill +script|kill"
)
APP_ON_SENTINEL = (
    "resetkeys resetchannels &* -@all +ping +hello +info +role +command +client|setname +client|setinfo +client|id "
    "+subscribe +psubscribe +unsubscribe +punsubscribe +sentinel|get-master-addr-by-name +sentinel|master "
    "+sentinel|masters +sentinel|replicas +sentinel|slaves +sentinel|sentinels +sentinel|ckquorum"
)
SENTINEL_ON_SENTINEL = (
    f"resetkeys resetchannels {HELLO} -@all +ping +publish +client|setname +sentinel|is-master-down-by-addr"
)
EVERYTHING = "~* &* +@all"

MEMBER_USERS = {
    APP: (APP_USER, APP_ON_MEMBER),
    REPLICATION: (REPLICA_USER, REPLICA_ON_MEMBER),
    SENTINEL: (SENTINEL_USER, SENTINEL_ON_MEMBER),
    ADMIN: (ADMIN_USER, EVERYTHING),
}
MEMBER_AGENT = "resetkeys resetchannels -@all +ping +info +role +acl +config +client +replicaof"
SENTINEL_USERS = {
    APP: (APP_USER, APP_ON_SENTINEL),
    SENTINEL: (SENTINEL_USER, SENTINEL_ON_SENTINEL),
    ADMIN: (ADMIN_USER, EVERYTHING),
}
SENTINEL_AGENT = "resetkeys resetchannels -@all +ping +info +acl +sentinel"


def digest(password: str) -> str:
    """The form in which Redis keeps a password: the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(password.encode()).hexdigest()


def member_acl(credentials: Mapping[str, Credential], agent_key: str) -> str:
    """The ACL file of a data node."""
    return _file(MEMBER_USERS, MEMBER_AGENT, credentials, agent_key)


def sentinel_acl(credentials: Mapping[str, Credential], agent_key: str) -> str:
    """The ACL file of a Sentinel."""
    return _file(SENTINEL_USERS, SENTINEL_AGENT, credentials, agent_key)


def _file(
    users: Mapping[str, tuple[str, str]], agent_rules: str, credentials: Mapping[str, Credential], agent_key: str
) -> str:
    lines = [DEFAULT_OFF]
    for kind, (user, rules) in users.items():
        passwords = " ".join(f"#{hashed}" for hashed in sorted(wanted_hashes(credentials[kind])))
        lines.append(f"user {user} on resetpass {passwords} {rules}")
    lines.append(f"user {AGENT_USER} on resetpass #{digest(agent_key)} {agent_rules}")
    return "\n".join(lines) + "\n"


def wanted_hashes(credential: Credential) -> frozenset[str]:
    """What a user with this credential must accept: both slots, nothing else."""
    return frozenset(digest(password) for password in credential.passwords.values())


def password_rules(present: frozenset[str], wanted: frozenset[str]) -> list[str]:
    """Rules of one `ACL SETUSER` that turns the present passwords into the wanted ones; none if they are the same.

    New ones come first and all of it is one command, so there is no moment at which a password of both sets is refused;
    connections that are logged in stay so.
    """
    return [f"#{hashed}" for hashed in sorted(wanted - present)] + [f"!{hashed}" for hashed in sorted(present - wanted)]
