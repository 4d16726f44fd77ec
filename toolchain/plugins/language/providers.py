"""Which providers, in which versions, the installed packages stand for."""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from toolchain.plugins.language.environment import WITHOUT_PLUGIN, Package

PYTHON_VERSION: Final = re.compile(
    r"(?P<release>\d+(\.\d+)*)((?P<stage>a|b|rc)(?P<number>\d+))?(\.post(?P<post>\d+))?(\.dev(?P<dev>\d+))?"
)
STAGES: Final = {"a": "alpha", "b": "beta", "rc": "rc"}


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that a package needs; `version` has the leading v."""

    name: str
    version: str
    server: str = ""
    parameter_name: str = ""
    parameter_version: str = ""
    parameter: bytes = b""


def providers(packages: Iterable[Package]) -> Iterator[Provider]:
    """The providers of those packages that have one; a package whose version says none is left out."""
    for package in packages:
        if package.key in WITHOUT_PLUGIN:
            continue
        said = package.plugin()
        if said is None and not package.key.startswith("pulumi-"):
            continue
        provider = provider_of(package, {"resource": True} if said is None else said)
        if provider:
            yield provider


def provider_of(package: Package, said: dict[str, Any]) -> Provider | None:
    """The provider that a package's pulumi-plugin.json describes; its own name and version fill the gaps."""
    version = said.get("version") or semantic_version(package.version)
    if not said.get("resource") or not version:
        return None
    parameterization = said.get("parameterization") or {}
    return Provider(
        name=said.get("name") or package.key.removeprefix("pulumi-"),
        version=f"v{version.removeprefix('v')}",
        server=said.get("server") or "",
        parameter_name=parameterization.get("name", ""),
        parameter_version=parameterization.get("version", ""),
        parameter=base64.b64decode(parameterization.get("value") or ""),
    )


def semantic_version(version: str) -> str:
    """A Python version (PEP 440) as a semantic one: 1.2 -> 1.2.0, 1.2.3a4 -> 1.2.3-alpha.4; empty if there is none."""
    match = PYTHON_VERSION.fullmatch(version)
    if match is None:
        return ""
    release = match["release"].split(".")
    text = ".".join(release + ["0"] * (3 - len(release)))
    if match["stage"]:
        text += f"-{STAGES[match['stage']]}.{match['number']}"
    build = "".join(f"{name}{match[name]}" for name in ("post", "dev") if match[name])
    return f"{text}+{build}" if build else text
