"""Write the launchers that make the CLI find the plugins: beside its binary, and in its plugin folder."""

import errno
import importlib.metadata
import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
EXECUTOR: Final = "pulumi-language-python-exec"
PROVIDERS: Final = ("random", "kubernetes")


def install(home: Path, folder: Path, programs: Path) -> None:
    """Make `folder` a PATH entry with the CLI and the language host, and `home` a PULUMI_HOME with the providers.

    Files that are right already are not written again.

    Args:
        home: what PULUMI_HOME will name.
        folder: gets the CLI, the language host beside it, where the CLI looks for it, and links to all other programs.
        programs: folder of the built programs (`toolchain.go.ensure`), with `pulumi` and the SDK's scripts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs.iterdir():
        if program.name == "pulumi":
            same_file(folder / program.name, program)
        else:
            link(folder / program.name, program)
    write(folder / "pulumi-language-python", launcher("language", f"-use-executor={folder / EXECUTOR}"))
    for name in PROVIDERS:
        # A provider has the version of its Python package: that is the one the program asks for.
        version = importlib.metadata.version(f"pulumi-{name}")
        plugin = home / "plugins" / f"resource-{name}-v{version}"
        plugin.mkdir(parents=True, exist_ok=True)
        write(plugin / f"pulumi-resource-{name}", launcher(name))


def launcher(plugin: str, *arguments: str) -> str:
    """A shell script that becomes the plugin, run by the Python that runs this."""
    command = [sys.executable, "-I", "-S", str(HERE / "start.py"), sysconfig.get_path("platlib"), plugin, *arguments]
    return f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'


def same_file(path: Path, original: Path) -> None:
    """Make `path` the original's file under a second name; a copy where that is another file system.

    A symlink will not do: the CLI resolves its own path before it looks beside itself for what was shipped with it.
    """
    there = path.stat() if path.is_file() and not path.is_symlink() else None
    wanted = original.stat()
    if there and (there.st_size, there.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns):
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.hardlink_to(original)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copy2(original, fresh)
    fresh.replace(path)


def write(path: Path, text: str) -> None:
    """Write an executable file, unless it is there with that content."""
    if path.is_file() and path.read_text() == text and os.access(path, os.X_OK):
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(path)


def link(path: Path, target: Path) -> None:
    """Make `path` a symlink to `target`, unless it is one."""
    if path.is_symlink() and path.readlink() == target:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(path)
