"""Pieces of Markdown that no value can break out of, and a text that fits a budget. Pure."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TITLE_LIMIT = 120


def code(text: str, limit: int = TITLE_LIMIT) -> str:
    """Inline code; in it nothing is a mention, a link or an element."""
    text = " ".join(text.split()) or " "
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    inner = f" {text} " if "`" in text else text
    return f"{ticks}{inner}{ticks}"


def prose(text: str, limit: int = 600) -> str:
    """One line of text without markup, mentions or elements."""
    text = " ".join(text.split())
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    escaped = re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", html.escape(text, quote=False))
    # an empty comment inside keeps a name from being a mention
    return re.sub(r"@(?=\w)", "@<!-- -->", escaped)


def cell(text: str) -> str:
    """What stands in a cell of a table; a bar ends a cell even inside code."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def fenced(lines: Iterable[str], language: str) -> str:
    """A block of code whose fence is longer than any in it."""
    body = "\n".join(lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return f"{fence}{language}\n{body}\n{fence}"


@dataclass(frozen=True)
class Part:
    """A piece of a text.

    Attributes:
        text: the piece.
        rank: the lowest goes first when there is no room; None never goes.
        stub: what stands in its place then, as short as a count.
        what: by what name it is counted among what was left out.
    """

    text: str
    rank: int | None = None
    stub: str = ""
    what: str = ""


def fit(parts: Sequence[Part], budget: int) -> tuple[str, dict[str, int]]:
    """The parts as one text of at most `budget` bytes, and how many of each name were left out.

    Among parts of equal rank, later ones go first. Parts without a rank stay; the text is cut hard only if those alone
    are too long.
    """
    kept: list[str | None] = [part.text for part in parts]
    size = sum(size_of(part.text) + 1 for part in parts) - 1
    left_out: dict[str, int] = {}
    order = sorted((part.rank, -index) for index, part in enumerate(parts) if part.rank is not None)
    for _, negative in order:
        if size <= budget:
            break
        part = parts[-negative]
        if size_of(part.stub) >= size_of(part.text):
            continue
        size -= size_of(part.text) - size_of(part.stub) if part.stub else size_of(part.text) + 1
        kept[-negative] = part.stub or None
        left_out[part.what] = left_out.get(part.what, 0) + 1
    text = "\n".join(text for text in kept if text is not None)
    return text.encode(errors="replace")[:budget].decode(errors="ignore"), left_out


def size_of(text: str) -> int:
    """Bytes of a text: never fewer than its characters, so a limit on either holds."""
    return len(text.encode(errors="replace"))
