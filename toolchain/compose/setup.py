"""What compose.yaml's services read, made once: passwords, a certificate, and the configuration of both stores.

Runs in the engine's image as `python setup.py FOLDER`, and has a folder below for each volume. What is there already is
left alone, so that it is safe to repeat; a volume that is removed is made anew, with all that go with it.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

APP, POSTGRES, REDIS = 10001, 10010, 10020
USERS = {
    "engine": APP,
    "api": APP,
    "postgres": POSTGRES,
    "postgres-data": POSTGRES,
    "redis": REDIS,
    "redis-data": REDIS,
    "sentinel": REDIS,
}
STORES, ALL = ("postgres-app", "redis-app"), ("api", "jwt", "postgres-app", "redis-app")
DONE = "complete"
HBA = "local all all trust\nhost all postgres all reject\nhostssl all all all scram-sha-256\n"
START = """set -eu
if [ ! -s "$2/main/PG_VERSION" ]; then
    rm -rf "$2/new" && initdb --auth=trust --encoding=UTF8 --locale=C -U postgres -D "$2/new" > /dev/null
    postgres --single -D "$2/new" postgres < "$1/roles.sql" > /dev/null
    mv "$2/new" "$2/main"
fi
exec postgres -D "$2/main" -c hba_file="$1/pg_hba.conf" -c listen_addresses='*' -c ssl=on \\
    -c ssl_cert_file="$1/server.crt" -c ssl_key_file="$1/server.key" -c unix_socket_directories=/tmp -c jit=off
"""
PING_ONLY = "user default on nopass resetkeys resetchannels -@all +ping\n"
# as on the platform's own nodes (components.redis.image.acl), which a test holds
TRADE = "~* resetchannels &[^_]* +@all -@admin -@dangerous +info +role"
WATCH = (
    "resetkeys resetchannels &__sentinel__:hello -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role "
    "+publish +info +client|setname +client|kill +script|kill"
)
ASK = (
    "resetkeys resetchannels &* -@all +ping +hello +info +role +command +client|setname +client|setinfo +client|id "
    "+subscribe +psubscribe +unsubscribe +punsubscribe +sentinel|get-master-addr-by-name +sentinel|master "
    "+sentinel|masters +sentinel|replicas +sentinel|slaves +sentinel|sentinels +sentinel|ckquorum"
)


def main(folder: Path) -> None:
    """Make everything that the volumes below the folder lack."""
    if (folder / "engine" / DONE).exists():
        return
    passwords = {kind: {slot: secrets.token_urlsafe(32) for slot in "ab"} for kind in ALL}
    for volume, kinds in (("engine", STORES), ("api", ALL)):
        for kind in kinds:
            files = {**passwords[kind], "current": "a", "epoch": "0"}
            _write(folder / volume / kind, files)
    _write(folder / "postgres", _postgres(passwords["postgres-app"]))
    watcher = secrets.token_urlsafe(32)
    keys = " ".join(f">{value}" for value in passwords["redis-app"].values())
    _write(folder / "redis", {"redis.conf": _redis(keys, watcher)})
    _write(folder / "sentinel", {"sentinel.conf": _sentinel(keys, watcher)})
    (folder / "engine" / DONE).write_text("")
    if os.geteuid() == 0:
        for volume, user in USERS.items():
            _give(folder / volume, user)


def _postgres(passwords: Mapping[str, str]) -> dict[str, str]:
    public, private = certificate()
    # a statement a line: the server reads them itself, before anybody can connect
    roles = [
        "CREATE ROLE trading_owner NOLOGIN;",
        *(f"CREATE ROLE trading_{slot} LOGIN IN ROLE trading_owner PASSWORD '{passwords[slot]}';" for slot in "ab"),
        *(f"ALTER ROLE trading_{slot} SET role = 'trading_owner';" for slot in "ab"),
        "CREATE DATABASE trading OWNER trading_owner;",
    ]
    return {
        "roles.sql": "\n".join(roles) + "\n",
        "pg_hba.conf": HBA,
        "start.sh": START,
        "server.crt": public,
        "server.key": private,
    }


def _redis(keys: str, watcher: str) -> str:
    return (
        "port 6379\nbind *\nprotected-mode no\nappendonly yes\nmaxmemory 256mb\nmaxmemory-policy noeviction\n"
        f"{PING_ONLY}user trading on {keys} {TRADE}\nuser sentinel on >{watcher} {WATCH}\n"
    )


def _sentinel(keys: str, watcher: str) -> str:
    return (
        "port 26379\nbind *\nprotected-mode no\nsentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n"
        "sentinel monitor trading redis 6379 1\nsentinel down-after-milliseconds trading 5000\n"
        f"sentinel auth-user trading sentinel\nsentinel auth-pass trading {watcher}\n"
        f"{PING_ONLY}user trading on {keys} {ASK}\n"
    )


def certificate() -> tuple[str, str]:
    """Certificate and key, self-signed, as each member of the platform makes for itself; nobody asks for its name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postgres")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return (
        made.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(serialization.Encoding.PEM, *kind).decode(),
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text)


def _give(folder: Path, user: int) -> None:
    """A volume and all in it to one user; from within outwards, as nobody else may look inside afterwards."""
    folder.chmod(0o700)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.chmod(0o700)
        os.chown(path, user, user)
    os.chown(folder, user, user)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
