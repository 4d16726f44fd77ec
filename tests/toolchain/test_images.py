"""Image tags follow content, and the recipes say what they leave out. Nothing is built here."""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.kit.images import IMAGES, content_tag, files, reference, source
from toolchain.images import base, build, machine, push
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all files that count for any image, as a repository root of its own."""
    for path in {path for name in IMAGES for path in files(name)}:
        target = tmp_path / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    return tmp_path / "tree"


def add_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def rename(path: Path) -> None:
    path.rename(path.with_name("renamed"))


def make_executable(path: Path) -> None:
    path.chmod(path.stat().st_mode ^ 0o100)


@pytest.mark.parametrize("name", IMAGES)
def test_tag_depends_on_nothing_but_content(name: str, tree: Path) -> None:
    tag = content_tag(name)
    assert tag == content_tag(name, tree)
    assert len(tag) == 12
    assert int(tag, 16) >= 0
    assert reference(name) == f"localhost/trading-platform/{name}:{tag}"
    assert reference(name, "registry.example:5000/team") == f"registry.example:5000/team/{name}:{tag}"


@pytest.mark.parametrize("change", [add_byte, rename, make_executable])
def test_tag_follows_name_mode_and_bytes(change: Callable[[Path], None], tree: Path) -> None:
    before = content_tag("pause", tree)
    change(tree / "toolchain/images/pause/pause.c")
    assert content_tag("pause", tree) != before


def test_byte_code_and_tests_do_not_count(tree: Path) -> None:
    before = content_tag("trading", tree)
    for folder in ("__pycache__", "tests"):
        (tree / "app/trading" / folder).mkdir()
        (tree / "app/trading" / folder / "x.py").write_text("x")
    (tree / "app/README.md").write_text("x")
    assert content_tag("trading", tree) == before
    (tree / "app/trading/x.py").write_text("x")
    assert content_tag("trading", tree) != before


def test_a_change_of_the_base_counts_for_what_stands_on_it(tree: Path) -> None:
    before = {name: content_tag(name, tree) for name in IMAGES}
    add_byte(tree / "toolchain/images/base.toml")
    changed = {name for name in IMAGES if content_tag(name, tree) != before[name]}
    assert changed == {"base", "postgres", "redis", "trading"}


@pytest.mark.parametrize("name", [name for name in IMAGES if source(name).containerfile])
def test_every_containerfile_counts_and_takes_its_base_as_an_argument(name: str, tree: Path) -> None:
    containerfile = tree / str(source(name).containerfile)
    before = content_tag(name, tree)
    first = next(line for line in containerfile.read_text().splitlines() if line and not line.startswith("#"))
    assert first == ("ARG BASE=debian:trixie-slim" if source(name).on_base else "FROM scratch")
    add_byte(containerfile)
    assert content_tag(name, tree) != before


def test_tags_of_all_images_take_milliseconds() -> None:
    begin = time.perf_counter()
    for name in IMAGES:
        content_tag(name)
    assert time.perf_counter() - begin < 0.25


def test_unknown_image_and_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="image = 'mysql': there is no such image; use one of base, pause"):
        content_tag("mysql")
    with pytest.raises(ToolError, match="image = 'mysql'"):
        build.ensure(["mysql"])
    with pytest.raises(FileNotFoundError, match=r"base\.toml: a file of an image is missing; see IMAGES"):
        content_tag("redis", tmp_path)


def test_ensure_finds_what_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path))
    folder = tmp_path / "images" / f"pause-{content_tag('pause')}"
    folder.mkdir(parents=True)
    assert build.ensure(["pause"]) == {"pause": folder / "pause.tar"}


def test_the_build_context_holds_only_what_counts(tmp_path: Path) -> None:
    build.assemble("pause", tmp_path)
    copied = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert copied == set(files("pause"))
    assert {(tmp_path / path).stat().st_mode & 0o777 for path in copied} == {0o644}


def test_the_newest_archives_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path))
    folders = [tmp_path / "images" / f"redis-{n}" for n in range(5)]
    for folder in [*folders, tmp_path / "images/base-0"]:
        folder.mkdir(parents=True)
        subprocess.run(["touch", "-d", f"2026-01-0{folder.name[-1:].replace('0', '9')}", folder], check=True)
    build.prune("redis", keep=folders[1])
    assert {path.name for path in (tmp_path / "images").iterdir()} == {"base-0", "redis-0", "redis-1", "redis-4"}


def test_package_sources_come_from_the_mirrors_of_this_machine() -> None:
    targets = (
        "Debian|Debian|http://mirror.example/debian/\n"
        "Debian|Debian-Security|http://mirror.example/security/\n"
        "Other|Other|http://elsewhere.example/\n"
    )
    assert base.source_lines("trixie", targets) == [
        "deb http://mirror.example/debian/ trixie main",
        "deb http://mirror.example/debian/ trixie-updates main",
        "deb http://mirror.example/security/ trixie-security main",
    ]
    assert base.source_lines("trixie", "Ubuntu|Ubuntu|http://mirror.example/\n") == []


def test_the_base_keeps_no_trace_of_the_machine_that_made_it() -> None:
    argv = base.command(base.recipe(), ["deb http://mirror.example/ trixie main"], Path("/scratch/root.tar"))
    [hook] = [arg for arg in argv if arg.startswith("--customize-hook=rm -rf ")]
    for path in ("/etc/apt/sources.list", "/etc/resolv.conf", "/etc/hostname", "/var/log/*"):
        assert f'"$1"{path}' in hook.split()
    assert argv.index("--customize-hook=copy-out /etc/apt /scratch") < argv.index(hook)
    assert argv[-3:] == ["trixie", "/scratch/root.tar", "deb http://mirror.example/ trixie main"]


def test_pip_settings_of_the_machine_reach_a_build(tmp_path: Path) -> None:
    system, user = tmp_path / "system.conf", tmp_path / "user.conf"
    system.write_text("[global]\nindex-url = https://one.example/simple\ncert = /somewhere.pem\n")
    user.write_text("[install]\ntrusted-host = two.example\n")
    assert machine.pip_conf({}, [tmp_path / "missing", tmp_path]) == ""
    assert machine.pip_conf({"PIP_INDEX_URL": "https://two.example/simple"}, [system, user]) == (
        "[global]\nindex-url = https://two.example/simple\ntrusted-host = two.example\n"
    )


@pytest.mark.parametrize("registry", ["https://registry.example/team", "/team", ""])
def test_a_registry_is_a_host_with_a_prefix(registry: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"registry = .*: not HOST\[:PORT\]\[/PREFIX\]"):
        push.push_one("pause", tmp_path / "pause.tar", registry)
