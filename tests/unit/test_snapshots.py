"""The manifests of each stack, against the files that a reviewer has seen."""

import difflib

import pytest

from tests.unit.test_platform import STACKS
from toolchain.render.manifests import without_tags
from toolchain.render.render import SNAPSHOTS, snapshot


@pytest.mark.parametrize("stack", STACKS)
def test_the_manifests_are_those_in_the_snapshot(stack: str) -> None:
    before = {path.name: path.read_text() for path in (SNAPSHOTS / stack).glob("*.yaml")}
    after = snapshot(stack)
    diff = [
        line
        for name in sorted(before.keys() | after.keys())
        for line in difflib.unified_diff(
            before.get(name, "").splitlines(),
            after.get(name, "").splitlines(),
            f"was/{name}",
            f"is/{name}",
            lineterm="",
        )
    ]
    how = "if that is meant, run: python -m toolchain.render --update-snapshots, and commit tests/snapshots"
    assert not diff, "\n".join([f"the manifests of stack {stack} have changed; {how}", *diff])


def test_only_content_tags_are_masked() -> None:
    assert without_tags("image: localhost/trading-platform/redis:0123456789ab\n") == (
        "image: localhost/trading-platform/redis:[tag]\n"
    )
    for kept in ("host:5432", "r/redis@sha256:" + "0" * 64, "r/redis:8.0", "r/redis:0123456789abc"):
        assert without_tags(kept) == kept
