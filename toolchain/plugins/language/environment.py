"""The Python that runs a program, chosen by the project's runtime options, and what is installed in it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from toolchain.plugins.serve import RpcFailure

TOOLCHAINS: Final = ("pip", "uv")
TYPECHECKERS: Final = ("mypy", "pyright")
WITHOUT_PLUGIN: Final = frozenset({"pulumi-policy", "pulumi-esc-sdk"})
"""Packages named like providers that have none and do not say so themselves."""

REQUIREMENT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a program's Python is.

    Attributes:
        root: folder of Pulumi.yaml.
        virtualenv: absolute folder of the virtual environment; None for the Python on PATH.
        option: the `virtualenv` option as the user wrote it, for messages.
        toolchain: what installs the dependencies: pip or uv.
        typechecker: what checks the program before it runs: mypy, pyright or nothing.
    """

    root: Path
    virtualenv: Path | None = None
    option: str = ""
    toolchain: str = "pip"
    typechecker: str = ""

    @classmethod
    def of(cls, root: str, options: Mapping[str, Any]) -> Self:
        """From the runtime options of Pulumi.yaml. Raises `RpcFailure` for an option that means nothing here."""
        texts = {name: options.get(name, "") for name in ("virtualenv", "toolchain", "typechecker")}
        for name, value in texts.items():
            if not isinstance(value, str):
                raise RpcFailure(f"{name} option must be a string")
        toolchain = texts["toolchain"] or "pip"
        if toolchain not in TOOLCHAINS:
            raise RpcFailure(f"unsupported toolchain option: {toolchain}; use {' or '.join(TOOLCHAINS)}")
        if texts["typechecker"] not in ("", *TYPECHECKERS):
            raise RpcFailure(f"unsupported typechecker option: {texts['typechecker']}; use {' or '.join(TYPECHECKERS)}")
        folder = Path(root)
        option = texts["virtualenv"]
        virtualenv = folder / option if option else None
        if toolchain == "uv" and virtualenv is None:
            virtualenv = uv_folder(folder) / ".venv"
        return cls(folder, virtualenv, option or str(virtualenv or ""), toolchain, texts["typechecker"])

    @property
    def python(self) -> str:
        """The interpreter. Raises `RpcFailure` when the virtual environment is none, or no Python is on PATH."""
        if self.virtualenv is not None:
            python = self.virtualenv / "bin" / "python"
            if not python.is_file():
                raise RpcFailure(self.not_a_virtualenv())
            return str(python)
        names = [named] if (named := os.environ.get("PULUMI_PYTHON_CMD")) else ["python3", "python"]
        for name in names:
            if found := shutil.which(name):
                return found
        raise RpcFailure(f"failed to locate any of {names} on your PATH; install Python 3.11 or newer")

    def not_a_virtualenv(self) -> str:
        """What is wrong with the `virtualenv` option, and the commands that help."""
        folder = self.virtualenv
        state = "doesn't appear to be a virtual environment" if folder and folder.exists() else "doesn't exist"
        install = "uv sync" if self.toolchain == "uv" else f"{folder}/bin/python -m pip install -r requirements.txt"
        return (
            f'The \'virtualenv\' option in Pulumi.yaml is set to "{self.option}", but "{folder}" {state}; '
            f"run: python3 -m venv {folder} && {install}"
        )

    def variables(self) -> dict[str, str]:
        """The process environment with the virtual environment activated in it."""
        variables = dict(os.environ)
        if self.virtualenv is not None:
            path = f"{self.virtualenv / 'bin'}{os.pathsep}{variables.get('PATH', '')}"
            variables |= {"PATH": path.rstrip(os.pathsep), "VIRTUAL_ENV": str(self.virtualenv)}
            variables.pop("PYTHONHOME", None)
        return variables

    def output(self, *arguments: str) -> str:
        """What the interpreter prints when run with the arguments."""
        done = subprocess.run([self.python, *arguments], env=self.variables(), capture_output=True, text=True)
        if done.returncode:
            raise RpcFailure(f"{self.python} {arguments[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return done.stdout.strip()

    def packages(self) -> list["Package"]:
        """The installed packages, by name. Reads the folders on sys.path, so it needs no pip and no network."""
        folders = json.loads(self.output("-c", "import json, sys; print(json.dumps([p for p in sys.path if p]))"))
        found: dict[str, Package] = {}
        for folder in folders:
            for info in sorted(Path(folder).glob("*.dist-info")):
                package = Package.of(info)
                found.setdefault(package.key, package)
        return sorted(found.values(), key=lambda package: package.key)


@dataclass(frozen=True, slots=True)
class Package:
    """One installed Python package; `info` is its .dist-info folder."""

    name: str
    version: str
    info: Path

    @classmethod
    def of(cls, info: Path) -> Self:
        """From the name of a .dist-info folder, which escapes the package's name."""
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        return cls(name.replace("_", "-"), version, info)

    @property
    def key(self) -> str:
        """The name in the form in which names are compared (PEP 503)."""
        return normalized(self.name)

    def plugin(self) -> dict[str, Any] | None:
        """What the package says of its provider (pulumi-plugin.json); None when it says nothing."""
        path = self.info.parent / self.name.replace("-", "_") / "pulumi-plugin.json"
        try:
            content: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        return content

    def requirements(self) -> set[str]:
        """Keys of the packages that it needs without any extra."""
        names = set()
        for line in (self.info / "METADATA").read_text(encoding="utf-8").splitlines():
            if not line:
                break  # the description follows
            field, _, value = line.partition(": ")
            name = REQUIREMENT_NAME.match(value) if field == "Requires-Dist" and "extra ==" not in value else None
            if name:
                names.add(normalized(name.group()))
        return names


def normalized(name: str) -> str:
    """A package name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def uv_folder(start: Path) -> Path:
    """The nearest folder upwards with a uv.lock, else with a pyproject.toml, else the start: uv's own rule."""
    for name in ("uv.lock", "pyproject.toml"):
        for folder in (start, *start.parents):
            if (folder / name).is_file():
                return folder
    return start


def without_dependents(packages: Iterable[Package]) -> list[Package]:
    """The packages that no other one needs."""
    everything = list(packages)
    needed = set[str]().union(*(package.requirements() for package in everything))
    return [package for package in everything if package.key not in needed]
