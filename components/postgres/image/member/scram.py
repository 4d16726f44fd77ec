"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677), so that no password ever reaches the server in plain text. Pure.

A verifier is what PostgreSQL keeps: `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, the last three in
base64. Passwords here are ASCII letters and digits, for which SASLprep (RFC 4013) changes nothing.
"""

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096  # PostgreSQL's own default, scram_iterations
SALT_BYTES = 16


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """A verifier of a password, with a fresh salt unless one is given.

    Raises ValueError for a password that is not printable ASCII, without naming it.
    """
    if not password or not password.isascii() or not password.isprintable():
        raise ValueError("password: must be printable ASCII, and not empty")
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def matches(kept: str | None, password: str) -> bool:
    """Whether what the server keeps was made from this password; False for any other kind of secret."""
    try:
        scheme, numbers, _ = (kept or "").split("$")
        iterations, salt = numbers.split(":")
        made = verifier(password, base64.b64decode(salt, validate=True), int(iterations))
    except ValueError:
        return False
    return scheme == "SCRAM-SHA-256" and hmac.compare_digest(made, kept or "")
