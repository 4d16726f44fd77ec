"""The script that keeps one comment on a pull request, run with a `gh` that remembers what it was asked."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.delivery.workflows import script

GH = """#!/bin/sh
echo "$*" >> calls
case "$*" in *--paginate*) cat ids;; esac
"""


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    (tmp_path / "ids").write_text("")
    (tmp_path / "comment.md").write_text("it changes nothing\n")
    return tmp_path


def comment(folder: Path) -> list[str]:
    """Run the step; returns the calls of gh that write."""
    text = script("preview", "comment", "write the comment, or edit the one that is there")
    env = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "REPOSITORY": "o/r", "NUMBER": "7"}
    subprocess.run(["bash", "-eo", "pipefail", "-c", text], cwd=folder, env=env, check=True)
    return [call for call in (folder / "calls").read_text().splitlines() if "--method" in call]


def test_the_first_comment_is_made(runner: Path) -> None:
    assert comment(runner) == ["api --method POST repos/o/r/issues/7/comments --field body=@body.md --silent"]
    assert (runner / "body.md").read_text() == "<!-- preview -->\nit changes nothing\n"


def test_a_later_one_edits_the_first_that_is_there(runner: Path) -> None:
    (runner / "ids").write_text("41\n42\n")
    assert comment(runner) == ["api --method PATCH repos/o/r/issues/comments/41 --field body=@body.md --silent"]


def test_a_preview_longer_than_a_comment_is_cut(runner: Path) -> None:
    (runner / "comment.md").write_text("x" * 70_000)
    comment(runner)
    assert len((runner / "body.md").read_text()) < 65_536
