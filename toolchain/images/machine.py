"""What a build inside a container needs of this machine to reach its packages, given as mounts that leave no trace."""

import configparser
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host")


def mounts(scratch: Path, apt: Path) -> list[str]:
    """Options of `buildah build`: this machine's apt settings, certificates and package index.

    Args:
        scratch: a folder for generated files that lives as long as the build.
        apt: a copy of `/etc/apt` to be used, and written to, by the build.
    """
    volumes = [(apt, "/etc/apt", "rw")]
    bundle = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile)
    if bundle.is_file():
        volumes.append((bundle, BUNDLE, "ro"))
    if text := pip_conf(os.environ, pip_files(os.environ)):
        (scratch / "pip.conf").write_text(text)
        volumes.append((scratch / "pip.conf", "/etc/pip.conf", "ro"))
    return [option for source, target, mode in volumes for option in ("--volume", f"{source}:{target}:{mode}")]


def pip_files(env: Mapping[str, str]) -> list[Path]:
    """The files that pip reads its settings from, in its order: later ones win."""
    home = Path.home()
    names = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    return [*names, *([Path(env["PIP_CONFIG_FILE"])] if "PIP_CONFIG_FILE" in env else [])]


def pip_conf(env: Mapping[str, str], files: Sequence[Path]) -> str:
    """A pip.conf with the package index that pip uses on this machine; empty where that is pip's default."""
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        parser.read(file)
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {key: parser.get(section, key) for key in PIP_OPTIONS if parser.has_option(section, key)}
    found |= {key: env[name] for key in PIP_OPTIONS if (name := "PIP_" + key.upper().replace("-", "_")) in env}
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in found.items()) if found else ""
