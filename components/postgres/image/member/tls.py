"""Certificates of the backup traffic, by which both ends know each other.

Members, repository and jobs mount one secret seed. Each makes the same authority out of it, byte for byte, and signs a
certificate for itself at its start: no certificate stands in a state or runs out, and whoever lacks the seed stays out.
"""

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

AUTHORITY = "postgres-backup-authority"
# PKCS #8 of an Ed25519 key, up to its 32 bytes (RFC 8410, section 7)
ED25519 = bytes.fromhex("302e020100300506032b657004220420")
VALID = ["-not_before", "20260101000000Z", "-not_after", "99991231235959Z"]


def authority_key(seed: str) -> str:
    """The private key of the authority, in PEM: a function of the seed."""
    secret = hashlib.sha256(f"{AUTHORITY}\0{seed}".encode()).digest()
    return f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(ED25519 + secret).decode()}\n-----END PRIVATE KEY-----\n"


def make_certificates(folder: Path, seed: str, name: str, host: str) -> None:
    """Fill a folder with `ca.crt`, `own.crt` and `own.key`, whole or not at all; one that is there stays.

    Args:
        folder: where they go, in memory.
        seed: the shared secret.
        name: common name, which the other end lets in.
        host: DNS name under which others reach this end.
    """
    if folder.exists():
        return
    scratch = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)
    key, certificate, own_key, own = (scratch / file for file in ("ca.key", "ca.crt", "own.key", "own.crt"))
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as opened:
        opened.write(authority_key(seed))
    sign = ["openssl", "req", "-x509", *VALID]
    _run([*sign, "-key", str(key), "-set_serial", "1", "-subj", f"/CN={AUTHORITY}", "-out", str(certificate)])
    leaf = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", str(own_key)]
    leaf += ["-CA", str(certificate), "-CAkey", str(key), "-subj", f"/CN={name}"]
    leaf += ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName=DNS:{host}"]
    _run([*sign, *leaf, "-out", str(own)])
    own_key.chmod(0o600)
    key.unlink()
    scratch.rename(folder)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
