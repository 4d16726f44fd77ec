"""Settings of a node, from the pod's environment: names, addresses and folders; nothing secret. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REDIS_PORT = 6379
SENTINEL_PORT = 26379
AGENT_PORT = 8080
ORDINAL = re.compile(r"-(\d+)$")


class SettingsError(Exception):
    """A setting is missing or wrong; the text names it, its value, the rule and the way out."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a node knows of itself and of the others before it talks to anybody.

    Attributes:
        pod: the pod's name; it ends in the ordinal.
        ordinal: the pod's place in its StatefulSet.
        pod_ip: the address to listen on.
        master_name: the name that Sentinel has for the master.
        members: stable addresses of the data nodes, by ordinal; they are those of the per-member Services.
        sentinels: stable addresses of the Sentinels, by ordinal.
        quorum: Sentinels that must agree that the master is down.
        down_after_s: silence after which a Sentinel holds the master for down.
        data_dir: the volume, of a data node or of a Sentinel.
        run_dir: files of this start, in memory: configuration, socket, ACL file, key of the agent.
        config_dir: the mounted configuration.
        credentials_dir: the mounted credentials, one folder a kind.
    """

    pod: str
    ordinal: int
    pod_ip: str
    master_name: str
    members: tuple[str, ...]
    sentinels: tuple[str, ...]
    quorum: int
    down_after_s: float
    data_dir: Path
    run_dir: Path
    config_dir: Path
    credentials_dir: Path

    @property
    def is_sentinel(self) -> bool:
        """Whether this pod is a Sentinel; its name then says so."""
        return ORDINAL.sub("", self.pod).endswith("-sentinel")

    @property
    def address(self) -> str:
        """The stable address of this node, which it announces."""
        return (self.sentinels if self.is_sentinel else self.members)[self.ordinal]

    @property
    def majority(self) -> int:
        """How many Sentinels are more than half of them."""
        return len(self.sentinels) // 2 + 1

    @property
    def socket(self) -> Path:
        """The Unix socket of the local process."""
        return self.run_dir / "redis.sock"


def from_environment(env: Mapping[str, str]) -> Settings:
    """Read the settings.

    The addresses are those that the kubelet puts into the environment for each Service (`<NAME>_SERVICE_HOST`): they
    need no DNS, so a name server that is down stops neither a start nor a failover.

    Raises:
        SettingsError: a variable is missing or not what it must be.
    """
    instance, pod = _text(env, "REDIS_INSTANCE"), _text(env, "POD_NAME")
    members = _service_addresses(env, instance, _count(env, "REDIS_MEMBERS"))
    sentinels = _service_addresses(env, f"{instance}-sentinel", _count(env, "REDIS_SENTINELS"))
    match = ORDINAL.search(pod)
    base = ORDINAL.sub("", pod)
    if match is None or base not in (instance, f"{instance}-sentinel"):
        raise SettingsError(
            f"POD_NAME = {pod!r}: must be {instance}-<ordinal> or {instance}-sentinel-<ordinal>; "
            "run this in a pod of the StatefulSets"
        )
    ordinal, peers = int(match.group(1)), members if base == instance else sentinels
    if ordinal >= len(peers):
        raise SettingsError(f"POD_NAME = {pod!r}: only {len(peers)} are declared; scale the StatefulSet by its args")
    return Settings(
        pod=pod,
        ordinal=ordinal,
        pod_ip=_text(env, "POD_IP"),
        master_name=_text(env, "REDIS_MASTER_NAME"),
        members=members,
        sentinels=sentinels,
        quorum=_count(env, "REDIS_QUORUM"),
        down_after_s=_count(env, "REDIS_DOWN_AFTER_MS") / 1000,
        data_dir=Path(_text(env, "DATA_DIR")),
        run_dir=Path(_text(env, "RUN_DIR")),
        config_dir=Path(_text(env, "CONFIG_DIR")),
        credentials_dir=Path(_text(env, "CREDENTIALS_DIR")),
    )


def _text(env: Mapping[str, str], name: str) -> str:
    if not (value := env.get(name, "")):
        raise SettingsError(f"{name} is not set; it belongs to the pod's environment")
    return value


def _count(env: Mapping[str, str], name: str) -> int:
    text = _text(env, name)
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{name} = {text!r}: must be a whole number from 1 on; set it in the pod's environment")
    return int(text)


def _service_addresses(env: Mapping[str, str], name: str, count: int) -> tuple[str, ...]:
    found = []
    for ordinal in range(count):
        service = f"{name}-{ordinal}"
        variable = service.upper().replace("-", "_") + "_SERVICE_HOST"
        if not (address := env.get(variable, "")):
            raise SettingsError(f"{variable} is not set: Service {service} was not there at the start of this pod")
        found.append(address)
    return tuple(found)
