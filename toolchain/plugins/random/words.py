"""Words of pet names, from words.txt beside this file."""

from functools import cache
from pathlib import Path


@cache
def words() -> dict[str, list[str]]:
    """The lists `adverbs`, `adjectives` and `names`."""
    lists: dict[str, list[str]] = {}
    for line in Path(__file__).with_suffix(".txt").read_text().splitlines():
        if line.startswith("["):
            current = lists.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current += line.split()
    return lists
