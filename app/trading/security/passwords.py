"""Passwords: Argon2id, a few at a time, so that a storm of logins cannot take the process's memory."""

from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from trading.domain.errors import TradingError

# OWASP's cheat sheet on password storage (19 MiB, 2 passes, 1 lane); about 25 ms, and at most 40 MiB at any time.
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
AT_ONCE = 2
WAIT_S = 2.0
MIN_LENGTH, MAX_LENGTH = 12, 128


class InvalidPassword(TradingError):
    """A new password that is not taken; never tells it."""

    code = "PASSWORD_INVALID"


class Busy(TradingError):
    """Too many passwords are being checked."""

    code = "LOGIN_BUSY"


class Passwords:
    """Makes and checks hashes. Safe for threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._slots = BoundedSemaphore(AT_ONCE)
        self._nobodys = self.hash("a password of nobody")

    def hash(self, password: str) -> str:
        """What is kept of a password, in the PHC string format.

        Raises:
            InvalidPassword: too short or too long.
            Busy: no turn came within `WAIT_S`.
        """
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise InvalidPassword(f"password: must have {MIN_LENGTH} to {MAX_LENGTH} characters; choose another")
        with _Turn(self._slots):
            return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one of which `kept` was kept; without any it takes as long and is False.

        Raises:
            Busy: no turn came within `WAIT_S`.
        """
        with _Turn(self._slots):
            try:
                self._hasher.verify(kept or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None


class _Turn:
    def __init__(self, slots: BoundedSemaphore) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        if not self._slots.acquire(timeout=WAIT_S):
            raise Busy("many logins are being checked; try again")

    def __exit__(self, *error: object) -> None:
        self._slots.release()
