"""Compile what is not in the cache yet, and gather all of it in one folder."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from toolchain.go import compiler
from toolchain.go.programs import BUILD_FLAGS, PROGRAMS, Program, program
from toolchain.kit import process
from toolchain.kit.cache import build_once, content_hash
from toolchain.kit.console import ToolError, step
from toolchain.kit.paths import ROOT, cache_dir


def ensure(only: Sequence[str] = ()) -> Path:
    """The folder with the programs, built where they are not in the cache.

    Args:
        only: names of programs; those that `make up` needs when empty.

    Returns: a folder to put on PATH. Its files are hard links, so that a program finds what lies beside it.
    """
    chosen = [program(name) for name in only] or list(PROGRAMS)
    keys = {each.name: f"{each.name}-{each.key()}" for each in chosen}
    missing = [each for each in chosen if not (cache_dir() / "go" / keys[each.name]).is_dir()]
    with ThreadPoolExecutor() as pool:  # the network is what a download waits for, so all wait at once
        list(pool.map(download, missing))
    parts = [build_once("go", keys[each.name], partial(compile_program, each)) for each in chosen]
    key = "bin-" + content_hash([], *keys.values(), relative_to=ROOT)
    return build_once("go", key, lambda folder: gather(folder, parts))


def gather(folder: Path, parts: Sequence[Path]) -> None:
    """Link every file of the parts into one folder."""
    for source in (file for part in parts for file in part.iterdir()):
        if source.is_symlink():
            (folder / source.name).symlink_to(source.readlink())
        else:
            (folder / source.name).hardlink_to(source)


def download(what: Program) -> None:
    """Download the modules of a program, checked against its go.sum."""
    with step(f"{what.name}: download its modules"):
        run_go(what, "list", "-deps", what.package)


def compile_program(what: Program, folder: Path) -> None:
    """Compile a program into `folder`, with its links and scripts. Raises `ToolError` with the last lines."""
    title = f"{what.name}: compile (once per version; minutes where there are few cores)"
    with step(title), tempfile.TemporaryDirectory() as scratch:
        options = [*BUILD_FLAGS, f"-ldflags={what.ldflags}"]
        if what.edits:
            options.append(f"-modfile={edited(what, Path(scratch))}")
        run_go(what, "build", "-v", *options, "-o", str(folder / what.binary), what.package)
    for name in what.links:
        (folder / name).symlink_to(what.binary)
    for module, paths in what.scripts.items():
        for path in paths:
            Path(shutil.copy(module_folder(what, module) / path, folder)).chmod(0o755)


def edited(what: Program, scratch: Path) -> Path:
    """A go.mod in `scratch` that takes the modules with edits from changed copies beside it.

    Raises `ToolError` when a source does not have the text that an edit is to replace.
    """
    lines = [(what.folder / "go.mod").read_text()]
    for number, (module, edits) in enumerate(what.edits.items()):
        copy = Path(shutil.copytree(module_folder(what, module), scratch / str(number), copy_function=shutil.copyfile))
        for path, old, new in edits:
            text = (copy / path).read_text()
            if old not in text:
                raise ToolError(
                    f"{what.name}: {module} {path}: there is no {old!r} to edit; see toolchain/go/programs.py"
                )
            (copy / path).write_text(text.replace(old, new))
        lines.append(f"replace {module} => {copy}")
    shutil.copy(what.folder / "go.sum", scratch)
    modules = scratch / "go.mod"
    modules.write_text("\n".join(lines) + "\n")
    return modules


def module_folder(what: Program, module: str) -> Path:
    """Where the sources of a module are."""
    [found] = run_go(what, "list", "-m", "-f", "{{.Dir}}", module)
    return Path(found)


def run_go(what: Program, *args: str) -> list[str]:
    """Run go in a program's module folder; returns the lines of its standard output."""
    go = compiler.find(compiler.needed((what.folder / "go.mod").read_text()))
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    env = garbage_collection(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) | os.environ | fixed
    return process.run(what.name, [go, *args], cwd=what.folder, env=env, describe=packages)


def garbage_collection(memory: int) -> dict[str, str]:
    """Settings that let a compiler collect garbage only when it holds its share of the machine's memory (bytes).

    There is one compiler a core, most of them live for a second. This saves 28 % of the CPU time.
    """
    share = max(memory // (2 * (os.cpu_count() or 1)), 2 << 30)
    return {"GOGC": "off", "GOMEMLIMIT": str(share)}


def packages(names: Sequence[str]) -> str:
    """Progress of `go build -v`, which names each package it compiles, and of a download, which names modules."""
    return f"{len(names)} done, now {names[-1].removeprefix('go: downloading ')}" if names else ""
