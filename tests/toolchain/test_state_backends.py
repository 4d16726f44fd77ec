"""The state backends that docs/state-backends.md names: a folder, and an S3-compatible bucket on loopback."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.plugins.harness import Project
from toolchain.kit.paths import ROOT

BUCKET = "trading-state"
PROGRAM = """
    import pathlib, time
    import pulumi_random
    pathlib.Path("started").touch()
    for _ in range(600):
        if pathlib.Path("go").exists():
            break
        time.sleep(0.1)
    pulumi_random.RandomPassword("password", length=12)
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """`host:port` of an S3-compatible server with the bucket, in an environment of its own."""
    run = [str(ROOT / ".local" / "uv" / "bin" / "uv"), "run", "--quiet", "--frozen", "--isolated", "--only-group", "s3"]
    log_read, log_write = os.pipe()
    with subprocess.Popen(
        [*run, "moto_server", "-H", "127.0.0.1", "-p", "0"], cwd=ROOT, stdout=log_write, stderr=log_write
    ) as server:
        os.close(log_write)
        try:
            yield listening(log_read)
        finally:
            server.terminate()
            os.close(log_read)


def listening(log: int) -> str:
    """The address that a server's log tells, once the bucket is made there."""
    text = ""
    while not (found := re.search(r"http://(127\.0\.0\.1:\d+)", text)):
        part = os.read(log, 4096).decode()
        assert part, f"the server ended: {text}"
        text += part
    httpx.put(f"http://{found[1]}/{BUCKET}", timeout=30).raise_for_status()
    return found[1]


def documented(heading: str, example: str, value: str) -> str:
    """The URL of the first `pulumi login` under a heading of the documentation, its example replaced by a value."""
    section = (ROOT / "docs" / "state-backends.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    url = re.findall(r"^pulumi login '?([^'\s]+)'?$", section, re.MULTILINE)[0]
    assert example in url
    return str(url.replace(example, value))


@pytest.fixture(params=["folder", "bucket"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project whose state is where the documentation says; its program waits for a file `go`."""
    if request.param == "folder":
        (tmp_path / "elsewhere").mkdir()
        url = documented("A folder", "~/trading-state", str(tmp_path / "elsewhere"))
    else:
        address = request.getfixturevalue("s3")
        url = documented("An S3-compatible bucket", "https://s3.example.com:9000", f"http://{address}")
    keys = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "only"}
    login = {"PULUMI_CREDENTIALS_PATH": str(tmp_path / "credentials"), "PULUMI_BACKEND_URL": url}
    return Project(tmp_path, PROGRAM, env=keys | login)


def test_a_backend_keeps_the_state_and_lets_one_client_at_a_time(project: Project) -> None:
    url = project.env["PULUMI_BACKEND_URL"]
    project.run("login", url).ok()
    assert url.removeprefix("file://") in project.run("whoami", "--verbose").ok().text

    first = project.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 60
    while not (project.folder / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    second = project.run("up", "--yes", "--skip-preview")
    (project.folder / "go").touch()
    text, _ = first.communicate(timeout=120)
    assert first.returncode == 0, text
    assert second.code != 0
    assert "the stack is currently locked by 1 lock(s)" in second.text
    assert f"(pid {first.pid})" in second.text

    exported = json.loads(project.run("stack", "export").ok().text)["deployment"]
    (password,) = [r for r in exported["resources"] if r["type"].endswith(":RandomPassword")]
    assert "ciphertext" in password["outputs"]["result"]
    project.destroy().ok()
    project.run("stack", "rm", "dev", "--yes").ok()
    assert "dev" not in project.run("stack", "ls", "--json").ok().text
