"""How the API is guarded beyond its keys: signed requests, and the addresses that may use it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import ConfigMapVolumeSourceArgs, VolumeArgs, VolumeMountArgs

from components.kit.errors import Problem
from components.kit.rules import allowlist, one_of
from components.kit.volumes import Mounted

SIGNING = ("off", "writes", "all")
NAME = "trading-allowlist"
FOLDER = "/allowlist"
FILE = "networks"


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a request to the API must be, beside having a key.

    Attributes:
        signing: which requests must be signed, one of `SIGNING`.
        trusted_proxies: address blocks of the proxies whose X-Forwarded-For is believed.
        allowlist: address blocks from which the API may be used; None allows all, empty none. Administrators may add
            more while it runs.
    """

    signing: str = "off"
    trusted_proxies: tuple[str, ...] = ()
    allowlist: tuple[str, ...] | None = None


ANYBODY = Access()
"""Nothing but a key is asked for."""


def problems(access: Access) -> list[Problem]:
    """Every problem of it."""
    found = one_of("trading.access.signing", access.signing, SIGNING)
    found += allowlist("trading.access.trusted_proxies", access.trusted_proxies)
    return found + allowlist("trading.access.allowlist", access.allowlist or ())


def environment(access: Access) -> Mapping[str, str]:
    """Settings of the API; what has its default is left out."""
    settings = {
        "TRADING_SIGNING": access.signing if access.signing != Access.signing else "",
        "TRADING_TRUSTED_PROXIES": ",".join(access.trusted_proxies),
        "TRADING_ALLOWLIST_FILE": "" if access.allowlist is None else f"{FOLDER}/{FILE}",
    }
    return {name: value for name, value in settings.items() if value}


def data(blocks: tuple[str, ...]) -> dict[str, str]:
    """The content of the ConfigMap: one block a line."""
    return {FILE: "".join(f"{block}\n" for block in blocks)}


def mounted(access: Access) -> Mounted:
    """The ConfigMap as a folder, which pods follow while they run; nothing without an allowlist."""
    if access.allowlist is None:
        return Mounted([], [])
    source = ConfigMapVolumeSourceArgs(name=NAME, default_mode=0o444)
    return Mounted(
        volumes=[VolumeArgs(name="allowlist", config_map=source)],
        mounts=[VolumeMountArgs(name="allowlist", mount_path=FOLDER, read_only=True)],
    )
