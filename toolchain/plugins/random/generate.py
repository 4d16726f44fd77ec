"""How values are drawn. Secrets come from the operating system's generator; a seed makes a draw repeatable."""

import base64
import random
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from toolchain.plugins.random.words import words

T = TypeVar("T")

UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
DIGITS: Final = "0123456789"
SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"

BCRYPT_COST: Final = 10
"""The default cost of the library that the official provider uses (golang.org/x/crypto/bcrypt)."""

BCRYPT_BYTES: Final = 72
"""bcrypt hashes no more than this; the rest of a longer password is left out, as the resource's documentation says."""


class Source(Protocol):
    """What a draw needs of a random number generator."""

    def choices(self, population: Sequence[T], *, k: int) -> list[T]:
        """`k` independent draws."""

    def sample(self, population: Sequence[T], k: int) -> list[T]:
        """`k` draws without replacement."""

    def randint(self, a: int, b: int) -> int:
        """A whole number from a to b, both included."""


def source(seed: str = "") -> Source:
    """The operating system's generator, or for a seed one that always draws the same."""
    return random.Random(seed) if seed else secrets.SystemRandom()  # noqa: S311  a seeded draw is no secret


def text(options: Mapping[str, Any], draw: Source) -> str:
    """A string of `length` characters with at least the asked number of each class, the rest of all enabled ones."""
    special = options.get("overrideSpecial") or SPECIAL
    classes = (
        (UPPER, options["upper"], options["minUpper"]),
        (LOWER, options["lower"], options["minLower"]),
        (DIGITS, options["numeric"], options["minNumeric"]),
        (special, options["special"], options["minSpecial"]),
    )
    drawn = [character for alphabet, _, least in classes for character in draw.choices(alphabet, k=least)]
    everything = "".join(alphabet for alphabet, enabled, _ in classes if enabled)
    if rest := options["length"] - len(drawn):
        drawn += draw.choices(everything, k=rest)
    return "".join(draw.sample(drawn, len(drawn)))


def bcrypt_hash(password: str) -> str:
    """The bcrypt hash ($2a$) of the first 72 bytes."""
    import bcrypt  # only this needs it

    return bcrypt.hashpw(password.encode()[:BCRYPT_BYTES], bcrypt.gensalt(BCRYPT_COST, b"2a")).decode()


def id_forms(data: bytes, prefix: str = "") -> dict[str, str]:
    """The bytes as base64 (URL alphabet without padding, and standard), hex and decimal, each after the prefix."""
    return {
        "b64Url": prefix + base64.urlsafe_b64encode(data).decode().rstrip("="),
        "b64Std": prefix + base64.b64encode(data).decode(),
        "hex": prefix + data.hex(),
        "dec": prefix + str(int.from_bytes(data)),
    }


def pet(length: int, separator: str, draw: Source) -> str:
    """A name of `length` words: adverbs, an adjective, an animal; shorter ones lose words from the left."""
    counts = {"adverbs": max(length - 2, 0), "adjectives": int(length > 1), "names": 1}
    return separator.join(word for name, count in counts.items() for word in draw.choices(words()[name], k=count))


def shuffle(items: Sequence[T], count: int, draw: Source) -> list[T]:
    """`count` items in random order: whole permutations one after the other, the last one cut off."""
    shuffled: list[T] = []
    while items and len(shuffled) < count:
        shuffled += draw.sample(items, len(items))
    return shuffled[:count]


def uuid_any() -> str:
    """16 random bytes in the form of a UUID, version bits included: what `RandomUuid` has always been."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16)))


def uuid7() -> str:
    """A version 7 UUID (RFC 9562): milliseconds since 1970 in 48 bits, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds << 80) | secrets.randbits(80)
    number = (number & ~(0xF000 << 64)) | (0x7000 << 64)
    number = (number & ~(0xC000 << 48)) | (0x8000 << 48)
    return str(uuid.UUID(int=number))
