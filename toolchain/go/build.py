"""Compile what is not in the cache yet, and gather all of it in one folder."""

import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from toolchain.go import compiler, process
from toolchain.go.programs import BUILD_FLAGS, PROGRAMS, Program, program
from toolchain.kit.cache import build_once, content_hash
from toolchain.kit.console import step
from toolchain.kit.paths import ROOT


def ensure(only: Sequence[str] = ()) -> Path:
    """The folder with the programs, built where they are not in the cache.

    Args:
        only: names of programs (`kube`, `pulumi`, `coredns`); all of them when empty.

    Returns: a folder to put on PATH. Its files are hard links, so that a program finds what lies beside it.
    """
    chosen = [program(name) for name in only] or list(PROGRAMS)
    keys = [f"{each.name}-{each.key()}" for each in chosen]
    recipes = [partial(compile_program, each) for each in chosen]
    parts = [build_once("go", key, recipe) for key, recipe in zip(keys, recipes, strict=True)]
    return build_once("go", "bin-" + content_hash([], *keys, relative_to=ROOT), lambda folder: gather(folder, parts))


def gather(folder: Path, parts: Sequence[Path]) -> None:
    """Link every file of the parts into one folder."""
    for source in (file for part in parts for file in part.iterdir()):
        if source.is_symlink():
            (folder / source.name).symlink_to(source.readlink())
        else:
            (folder / source.name).hardlink_to(source)


def compile_program(what: Program, folder: Path) -> None:
    """Download the modules of a program and compile it into `folder`. Raises `ToolError` with the last lines."""
    go = compiler.find(compiler.needed((what.folder / "go.mod").read_text()))
    env = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}

    def run(*args: str) -> list[str]:
        return process.run(what.name, [go, *args], cwd=what.folder, env=env, describe=packages)

    with step(f"{what.name}: download its modules"):
        total = len(run("list", "-deps", what.package))
    with step(f"{what.name}: compile {total} packages (once per version; minutes where there are few cores)"):
        options = (*BUILD_FLAGS, f"-ldflags={what.ldflags}")
        run("build", "-v", *options, "-o", str(folder / what.binary), what.package)
    for name in what.links:
        (folder / name).symlink_to(what.binary)
    for module, paths in what.scripts.items():
        [source] = run("list", "-m", "-f", "{{.Dir}}", module)
        for path in paths:
            Path(shutil.copy(Path(source) / path, folder)).chmod(0o755)


def packages(names: Sequence[str]) -> str:
    """Progress of `go build -v`, which names each package it compiles."""
    return f"{len(names)} packages, now {names[-1]}" if names else ""
